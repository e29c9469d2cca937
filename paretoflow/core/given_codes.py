"""Codes of errors in user input: options, YAML, data, models, plug-ins; see `codes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class ErrorCode(NamedTuple):
    """One kind of fault.

    Args:
        meaning: What happened.
        remedy: What to do about it.
    """

    meaning: str
    remedy: str


GIVEN: Mapping[str, ErrorCode] = {
    # options and arguments of commands
    "usage": ErrorCode("A command or a call got something that it cannot use.", "Read the hint."),
    "usage-option": ErrorCode(
        "An option or argument has a value that is not allowed, or clashes with another.",
        "Give one of the allowed values; `paretoflow COMMAND --help` lists the options.",
    ),
    "usage-unknown-name": ErrorCode(
        "An objective or a sweep is named that is not there.", "Use one of the listed names."
    ),
    "usage-no-point": ErrorCode(
        "The front has no point that fits: it is empty, or no point keeps the constraints.",
        "Loosen the constraints, or let the sweep train more runs.",
    ),
    "usage-not-comparable": ErrorCode(
        "Two fronts cannot be compared: objectives, prompts or reference points differ.",
        "Compare sweeps with the same objectives and evaluation prompts.",
    ),
    "usage-occupied": ErrorCode(
        "The target of the output exists already.",
        "Name a new place. `--force` replaces earlier output of the same command only.",
    ),
    "usage-missing-file": ErrorCode(
        "A folder or a variable that an option names is not on this machine.",
        "Correct the path, or set the variable.",
    ),
    "usage-private": ErrorCode(
        "An export leaves out what the command needs, because it is private to a machine.",
        "Work on the sweep's own folder instead.",
    ),
    "usage-cost": ErrorCode(
        "Judges have cost as much as was allowed; what is scored is kept.",
        "Give a larger bound to score the rest.",
    ),
    "usage-result": ErrorCode(
        "The program of an external method ended without a result that can be read.",
        "Let the program write the file that the message names, in the documented form.",
    ),
    # a YAML
    "spec": ErrorCode(
        "A YAML, or a setting of a sweep, is not valid. Several faults come as one error.",
        "Correct each of the listed faults.",
    ),
    "spec-syntax": ErrorCode(
        "The text is not YAML as ParetoFlow reads it.",
        "Correct the text at the printed line: indentation, quotes, brackets, UTF-8.",
    ),
    "spec-duplicate-key": ErrorCode(
        "A key is given twice, or by its old and its new name.", "Remove one of the two."
    ),
    "spec-unknown-key": ErrorCode(
        "A key is not known at this place.", "Use the suggested key, or remove it."
    ),
    "spec-missing-key": ErrorCode("A required key is missing.", "Add the key."),
    "spec-unknown-type": ErrorCode(
        "No plug-in has the name given as `type`.",
        "Use one of the listed names; `paretoflow plugins` describes them.",
    ),
    "spec-wrong-type": ErrorCode(
        "A value is of the wrong kind, such as a text where a number is needed.",
        "Write a value of the kind that is allowed; quotes make a number a text.",
    ),
    "spec-not-allowed": ErrorCode(
        "A value is of the right kind, but out of its range or not among its choices.",
        "Choose an allowed value.",
    ),
    "spec-contradiction": ErrorCode(
        "Two settings do not fit each other.", "Change one of them; the hint names a value."
    ),
    "spec-missing-file": ErrorCode(
        "A file, folder, module, function or program that the YAML names is not there.",
        "Correct the path. Paths start at the folder of the command.",
    ),
    "spec-unusable-file": ErrorCode(
        "A file or folder that the YAML names is there, but cannot be used.",
        "Repair it, or name another; the message says what is wrong with it.",
    ),
    "spec-variable": ErrorCode(
        "A path names an environment variable or a home folder that is not known.",
        "Export the variable, or write the path out; `$$` is a dollar sign.",
    ),
    "spec-override": ErrorCode(
        "A `--set` cannot be read, or names no place in the YAML.",
        "Write `--set key.of.section=value`.",
    ),
    "spec-fixed": ErrorCode(
        "A sweep with this name exists, and it was started with other settings.",
        "Give the new sweep another name: `--set name=other`.",
    ),
    "spec-no-range": ErrorCode(
        "The range of an objective cannot be measured on the answers of the base model.",
        "Declare it: `range: [low, high]`.",
    ),
    # data
    "data": ErrorCode("The data cannot be used.", "Read the message; it names the file and row."),
    "data-not-found": ErrorCode(
        "A file, a folder or a split of the data is not there.", "Correct the path or the name."
    ),
    "data-unreadable": ErrorCode(
        "A file is not JSON lines, Parquet, Arrow or UTF-8 text, or it is damaged.",
        "Repair or convert the file.",
    ),
    "data-column": ErrorCode(
        "A row lacks a column that the YAML names.", "Correct the name under `data.columns`."
    ),
    "data-value": ErrorCode(
        "A column holds values of another kind than it must.",
        "Name another column, or convert the values.",
    ),
    "data-messages": ErrorCode(
        "Chat messages are malformed, or do not end with a turn to answer.",
        "Write each row as a list of `{role, content}` whose last turn is the user's.",
    ),
    "data-chat-template": ErrorCode(
        "The rows are chat messages, and the model's chat template is missing or refuses them.",
        "Use a chat model, or name a column of plain text in `data.columns.prompt`.",
    ),
    "data-empty": ErrorCode(
        "A prompt or an answer is empty, or a file holds nothing.", "Remove the row, or fill it."
    ),
    "data-reference": ErrorCode(
        "A prompt lacks the reference answer or the passages that an objective needs.",
        "Add them to the data, or set `data.on_bad_row: skip`.",
    ),
    "data-too-long": ErrorCode(
        "A prompt or an answer has more tokens than allowed.",
        "Raise the limit, shorten the text, or set `data.on_bad_row: skip`.",
    ),
    "data-too-few": ErrorCode(
        "There are fewer different prompts or pairs than asked for.",
        "Ask for fewer, or add data.",
    ),
    "data-bad-rows": ErrorCode(
        "More rows are unusable than `data.on_bad_row: skip` may leave out.",
        "Repair the file; the message says what is wrong with the first rows.",
    ),
    "data-pair": ErrorCode(
        "A preference pair says nothing: both answers are the same or answer other prompts.",
        "Remove or correct the pair.",
    ),
    "data-rating": ErrorCode(
        "An answer has no rating that is a finite number, or no other answer to compare it with.",
        "Remove or correct the row.",
    ),
    "data-objective": ErrorCode(
        "A row names an objective that the sweep lacks, or no row is about one that it has.",
        "Correct the name, add rows for the objective, or raise `data.train`.",
    ),
    # models and adapters
    "model": ErrorCode("A model, tokenizer or adapter cannot be used.", "Read the message."),
    "model-unreadable": ErrorCode(
        "A base model, reward model or adapter cannot be loaded.",
        "Load it with transformers or PEFT alone to see the same error, and repair it.",
    ),
    "model-incomplete": ErrorCode(
        "The model folder lacks files or weights, or holds others than its index says.",
        "Copy or download the model again.",
    ),
    "model-not-finite": ErrorCode(
        "Weights or scores of a model are NaN or infinite.",
        "Use an intact checkpoint, or `model.dtype: float32`.",
    ),
    "model-unsupported": ErrorCode(
        "The architecture does not fit: only causal language models can be a base.",
        "Choose another base or reward model.",
    ),
    "model-tokenizer": ErrorCode(
        "The tokenizer is missing, or does not belong to the model.",
        "Save the model's own tokenizer beside it.",
    ),
    "model-chat-template": ErrorCode(
        "The model has no chat template, or its template refuses the messages.",
        "Use a chat model, or give prompts as plain text.",
    ),
    "model-no-gpu": ErrorCode(
        "A GPU is asked for, and torch sees none.", "Set `model.device: auto`, or install CUDA."
    ),
    "model-too-large": ErrorCode(
        "A worker needs more memory than its GPU has.",
        "Make one of the changes that the hint names, or use larger GPUs.",
    ),
    "model-targets": ErrorCode(
        "LoRA cannot be put on the layers that `model.lora.targets` names.",
        "Name linear layers of the base.",
    ),
    "model-adapter": ErrorCode(
        "An adapter does not fit the base model.", "Use the base that it was trained on."
    ),
    "model-merge": ErrorCode(
        "Adapters cannot be merged: they differ in base or layers.",
        "Merge adapters of one sweep only.",
    ),
    "model-server-away": ErrorCode(
        "The server of `engine: vllm` does not answer.",
        "Start it, or correct `model.generation.url`.",
    ),
    "model-server-key": ErrorCode(
        "The key of the servers of `engine: vllm` is not in the environment, or is refused.",
        "Set the variable that `api_key_env` names, on each machine with workers.",
    ),
    "model-server": ErrorCode(
        "The server of `engine: vllm` cannot answer for the sweep's base and adapters.",
        "Start it with what the message names, or set `model.generation.engine` to hf.",
    ),
    "model-server-start": ErrorCode(
        "The server that `engine: vllm` starts did not start.",
        "Read its last lines in the message; its whole log is in the sweep's folder.",
    ),
    "model-export": ErrorCode(
        "An adapter cannot be exported in the wanted form.",
        "Choose another `--format`; the message says what stands in the way.",
    ),
    "adapter": ErrorCode("An adapter of a front cannot be used.", "Restore it from a backup."),
    "adapter-gone": ErrorCode(
        "The folder of an adapter is gone.", "Restore it, or evaluate again by another run."
    ),
    "adapter-changed": ErrorCode(
        "An adapter is not the one that was evaluated: its digest differs.",
        "Restore the folder; do not use the adapter as it is.",
    ),
    "changed-inputs": ErrorCode(
        "Data, a model, a scorer or a setting changed since the objectives were frozen.",
        "Restore what the message names, or accept it with `--accept-change`.",
    ),
    # plug-ins and libraries
    "plugin": ErrorCode("A plug-in cannot be used.", "Read the message."),
    "plugin-unknown": ErrorCode(
        "No plug-in has this name.", "Use a listed name; see `paretoflow plugins`."
    ),
    "plugin-judge-key": ErrorCode(
        "The key of a judge's endpoint is not in the environment, or is refused.",
        "Set the variable that `api_key_env` names, on each machine with workers.",
    ),
    "plugin-judge-away": ErrorCode(
        "The endpoint of a judge does not answer.", "Start it, or correct `base_url`."
    ),
    "plugin-import": ErrorCode(
        "A function named as `module:function` cannot be imported, or is no function.",
        "Correct the name, and start in the folder that holds the module.",
    ),
    "missing-extra": ErrorCode(
        "An optional library is not installed.", "Run the `pip install` that the hint prints."
    ),
}
"""Meaning and remedy of each of these codes, in the order of the documentation."""
