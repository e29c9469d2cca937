"""All error codes: stable names for programs, tests and searches.

Each class of `core.errors` has a code. A single error may have a finer code, which begins with the
code of its class. The command line prints it as `error[spec-unknown-key]`. Codes stay the same when
messages are reworded. To add a code, add its line here and pass it where the error is raised.
"""

from __future__ import annotations

from collections.abc import Mapping

from paretoflow.core.given_codes import GIVEN, ErrorCode

_RAISED = "Read the message. If it does not say what to change, report it as a bug."

CODES: Mapping[str, ErrorCode] = {
    "error": ErrorCode("An error without a kind of its own.", _RAISED),
    **GIVEN,
    # places
    "sweep-not-found": ErrorCode(
        "No sweep is at this place, or it has no front yet.",
        "Name the sweep's own folder, `<storage>/<name>`, as `run` printed it.",
    ),
    "snapshot-not-found": ErrorCode(
        "The sweep has no front snapshot with this number.",
        "Use a number that `paretoflow snapshots` lists.",
    ),
    "storage": ErrorCode("A sweep cannot be stored at or read from this place.", "Read the hint."),
    "storage-address": ErrorCode(
        "The address is not a folder or a supported URI.",
        "Write a folder, `file:///…`, `s3://bucket/prefix` or `gs://bucket/prefix`.",
    ),
    "storage-no-bucket": ErrorCode("The bucket does not exist.", "Correct its name or region."),
    "storage-denied": ErrorCode(
        "The store refuses the credentials.", "Give credentials that may read and write there."
    ),
    "storage-no-answer": ErrorCode(
        "The store gave no answer in time.", "Check the network and the endpoint, then run again."
    ),
    "storage-no-put-if-absent": ErrorCode(
        "The store cannot put an object only if it is absent, so two drivers could write at once.",
        "Use another file system or object store.",
    ),
    "storage-refused": ErrorCode(
        "The system refuses to read or write: rights, a full disk, or a file in the way.",
        "Do what the message names, then run the same command again.",
    ),
    "cluster": ErrorCode("A Ray cluster cannot be used.", "Read the hint."),
    "cluster-address": ErrorCode(
        "The address is not one of a Ray cluster or dashboard.", "Correct `--address`."
    ),
    "cluster-unreachable": ErrorCode(
        "Ray does not answer, or did not start.", "Check that the head runs and can be reached."
    ),
    "cluster-token": ErrorCode(
        "The cluster asks for a token, or refuses the one that was sent.",
        "Set `RAY_AUTH_TOKEN` or `RAY_AUTH_TOKEN_PATH`.",
    ),
    "cluster-too-small": ErrorCode(
        "No worker group of the wanted size fits on the cluster.",
        "Lower `engine.resources`, or add nodes.",
    ),
    "cluster-storage": ErrorCode(
        "The nodes do not share the sweep's folder.",
        "Use an object store, or a folder that every node mounts.",
    ),
    "cluster-refused": ErrorCode("Ray refused a job.", "Read Ray's own words in the message."),
    "export": ErrorCode("An export cannot be used for this.", "Read the message."),
    "export-not-found": ErrorCode("No export is at this place.", "Name the folder of an export."),
    "export-damaged": ErrorCode(
        "An export is not as it was exported: files are changed, added or gone.",
        "Do not use it; export again.",
    ),
    "export-newer": ErrorCode(
        "The export was written by a newer version of ParetoFlow.", "Upgrade ParetoFlow."
    ),
    "export-incomplete": ErrorCode(
        "The export holds less than the command needs.",
        "Export with adapters (`--format folder`), or work on the sweep.",
    ),
    # inside a run
    "shape": ErrorCode("An array has the wrong shape.", _RAISED),
    "non-finite": ErrorCode("A number is NaN or infinite.", _RAISED),
    "objective": ErrorCode(
        "An objective failed to score.", "Repair the scorer; the next `run` repeats the runs."
    ),
    "objective-raised": ErrorCode(
        "The function of an objective raised an exception.",
        "Repair the function; the message holds its exception.",
    ),
    "objective-shape": ErrorCode(
        "An objective returned the wrong number of scores.", "Return one score for each answer."
    ),
    "objective-not-finite": ErrorCode(
        "An objective returned NaN, infinity or no number.", "Return finite numbers only."
    ),
    "objective-none": ErrorCode(
        "The function of an objective returned None for an answer.",
        "Return a number, or set `on_none` to the score of such an answer.",
    ),
    "objective-argument": ErrorCode(
        "The function of an objective needs an argument that the data lack, or does not take one.",
        "Name the column under `columns`, or correct `kwargs`.",
    ),
    "objective-judge": ErrorCode(
        "A judge refused a request, or gave no answer in spite of all retries.",
        "Read the endpoint's words in the message; then run again. Judged answers are kept.",
    ),
    "objective-judge-reply": ErrorCode(
        "A judge's replies hold no score from its scale.",
        "Ask for one number in the rubric, or set `on_nonsense` to the score of such an answer.",
    ),
    "training": ErrorCode("A training run failed.", "Read the message; the next `run` repeats it."),
    "training-nothing-to-learn": ErrorCode(
        "No two answers differ in what the run is trained for.",
        "Raise `data.candidates` or the temperature, or use a scorer that tells answers apart.",
    ),
    "training-program": ErrorCode(
        "The program of an external method failed.", "Read its last words in the message."
    ),
    "training-scores": ErrorCode(
        "A trainer reported scores of the wrong shape, or scores that contradict each other.",
        "Correct what the trainer writes.",
    ),
    "training-state": ErrorCode(
        "The saved trainer state cannot be resumed from.", "The run starts again by itself."
    ),
    "training-not-finite": ErrorCode(
        "The loss, a gradient or the logits became NaN or infinite.",
        "Lower `method.learning_rate`. Such a run is not retried.",
    ),
    "interrupted": ErrorCode(
        "Training stopped because it was asked to; its state is saved.",
        "Run the same command again to continue.",
    ),
    "worker": ErrorCode("A worker failed.", "The run is retried; read the message if it repeats."),
    "worker-died": ErrorCode(
        "A worker process ended or lost its node.",
        "The run is retried. If it repeats, look for lack of memory.",
    ),
    "worker-silent": ErrorCode(
        "A worker group gave no sign for too long, or exceeded its time limit.",
        "Raise `engine.silent_s` or `engine.run_s` if the work is just slow.",
    ),
    "worker-server": ErrorCode(
        "The server of `engine: vllm` failed while a run was evaluated.",
        "The run is retried. If it repeats, read the server's log.",
    ),
    "worker-start": ErrorCode(
        "No worker could start or load the model.", "Repair the cause that the message names."
    ),
    # the ledger
    "ledger": ErrorCode("The ledger cannot be read or written.", "Run the same command again."),
    "ledger-read-only": ErrorCode(
        "A ledger that was opened for reading cannot be written.", _RAISED
    ),
    "ledger-storage": ErrorCode(
        "The storage of the ledger failed.", "Repair the storage and run the same command again."
    ),
    "ledger-inconsistent": ErrorCode(
        "Events of the ledger contradict each other.", "Restore the sweep's folder from a backup."
    ),
    "damaged": ErrorCode(
        "A file of the sweep is not what was written.",
        "`run` or `resume` restores what other files hold; else restore it from a backup.",
    ),
    "damaged-gone": ErrorCode(
        "A file of the sweep is gone.",
        "`run` or `resume` restores what other files hold; else restore it from a backup.",
    ),
    "fenced": ErrorCode(
        "A newer driver owns the sweep.",
        "Follow that one: another `run` or `resume` was started later.",
    ),
    "schema-version": ErrorCode(
        "The sweep was written by a newer version of ParetoFlow.", "Upgrade ParetoFlow."
    ),
}
"""Meaning and remedy of each code, in the order of the documentation."""
