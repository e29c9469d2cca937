"""Trainers that are external programs: request, process and result.

    request     the request to a program, and the files beside it
    process     starts a program, and ends it with all its children
    guard       the process between: a program does not outlive its worker
    result      a program's result, checked
    curve       the training curve that a program may write
    adapters    a program's adapters, converted to the common form

A program reads one JSON object (`request.launch_of` has its keys) and writes another:

    {"checkpoints": [{"step": 40, "folder": "step-40", "tokens": 81920,
                      "metrics": {"loss": 0.31},
                      "scores": {"coverage": {"mean": 0.41, "stderr": 0.02}}}]}

`step` counts up and the last checkpoint is the run's. `folder` is a PEFT adapter folder, relative
to the request's `output` and inside it. The rest may be left out: `tokens` trained on since the
checkpoint before, `metrics` for the log, and `scores` by objective in the user's units, for a
program that has measured them itself: a number, `{"mean", "stderr"}` or `{"prompt_scores": [...]}`.
Without them the adapter is evaluated as that of any other method. For one checkpoint at the end,
`{"folder": "adapter"}` is enough.

A program may append a line to the file that the request names as `curve` after each step, for
instance `{"step": 3, "loss": 0.31, "grad_norm": 1.2}`: numbers by name, finite or not, and growing
steps. It is read while the program runs. Without it the curve has the `metrics` of its checkpoints.

It ends with status 0. After SIGTERM it has a grace period to save in `output` the state that it
wants to resume from, whole or not at all; the next attempt finds these files in its own `output`,
and `resume_from` names it.
"""
