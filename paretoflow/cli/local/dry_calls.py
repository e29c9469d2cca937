"""Call each function of an `import` objective on two rows, before anything is spent.

The call is made in a process of its own: the function may load torch, fill a GPU, print, or end the
process. Answers are short texts that no model made.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from paretoflow.core.errors import ParetoflowError
from paretoflow.core.protocols import Prompt
from paretoflow.spec.objectives import ImportObjectiveSpec
from paretoflow.spec.positions import Fault

LIMIT_S = 120.0
"""Longest time for all calls; what takes longer is not checked."""
_ANSWERS = ("A short answer.", "Another answer, which has two sentences. It ends here.")

Asked = Sequence[tuple[int, ImportObjectiveSpec]]


def call_findings(asked: Asked, prompts: Sequence[Prompt]) -> Iterator[Fault | str]:
    """Yield the faults of the functions that a call shows, and what was not checked.

    Args:
        asked: Objectives whose function was found, each with its index in the spec.
        prompts: Up to two prompts of the sweep; none where the data cannot be read here.
    """
    if not asked:
        return
    if not prompts:
        names = ", ".join(spec.path for _, spec in asked)
        yield f"{names}: not called, because the data were not read here"
        return
    job = pickle.dumps(([spec.model_dump(mode="json") for _, spec in asked], list(prompts[:2])))
    command = [sys.executable, "-m", "paretoflow.cli.local.dry_calls"]
    try:
        done = subprocess.run(command, input=job, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        yield f"{asked[0][1].path}: not checked by a call, which took over {LIMIT_S:g} s"
        return
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for (index, _), fault in zip(asked, told, strict=False):
        if fault:
            place = ("objectives", index, "path")
            yield Fault(place, fault["what"], fault["hint"], code=fault["code"])
    if len(told) < len(asked):
        index, spec = asked[len(told)]
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        what = f"{spec.path} ended the process that called it, with status {done.returncode}"
        hint = last[0] if last else "it was called on two rows of the data"
        yield Fault(("objectives", index, "path"), what, hint, code="objective-raised")


def _fault_of(spec: ImportObjectiveSpec, prompts: Sequence[Prompt]) -> dict[str, str] | None:
    """Call a function once; return the fault that this shows."""
    from paretoflow.objectives import build
    from paretoflow.scoring.panel import ObjectivePanel

    texts = _ANSWERS[: len(prompts)]
    try:
        scorer = build(spec, token_ids=_stand_in_ids)
        ObjectivePanel([spec.name], [scorer]).score(prompts, texts)
    except ParetoflowError as error:
        what = error.what if spec.path in error.what else f"{spec.path} {error.what}"
        return {"what": f"objective {spec.name}: {what}", "hint": error.hint, "code": error.code}
    return None


def _stand_in_ids(texts: Sequence[str]) -> list[list[int]]:
    """Return ids of words, in place of the base's tokens, for which its tokenizer is not loaded."""
    return [[sum(word.encode()) for word in text.split()] for text in texts]


def _main() -> None:
    specs, prompts = pickle.load(sys.stdin.buffer)
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of the function go to stderr, apart from the findings
    for plain in specs:
        found: Any = _fault_of(ImportObjectiveSpec.model_validate(plain), prompts)
        told.write(json.dumps(found) + "\n")
        told.flush()


if __name__ == "__main__":
    _main()
