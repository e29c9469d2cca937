"""Rules for the YAML of `paretoflow train-reward`."""

from __future__ import annotations

from pathlib import Path

from paretoflow.spec.positions import Fault
from paretoflow.spec.rewards import RewardSpec
from paretoflow.spec.rules.lora import LORA
from paretoflow.spec.shape import KeyPath

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
"""File types of pairs."""


def reward_faults(spec: RewardSpec) -> list[Fault]:
    """Return faults between fields, and missing files."""
    faults = []
    for index, source in enumerate(spec.pairs):
        at: KeyPath = ("pairs", index, "path")
        if not source.path.endswith(SUFFIXES):
            what = f"got {source.path!r}; allowed: a file that ends in {', '.join(SUFFIXES)}"
            faults.append(
                Fault(at, what, "convert it, or correct its name", code="spec-not-allowed")
            )
        elif not Path(source.path).is_file():
            hint = f"paths start at the folder of the command, {str(Path.cwd())!r}"
            faults.append(
                Fault(at, f"there is no file {source.path!r}", hint, code="spec-missing-file")
            )
        if spec.groups is not None and source.objective is not None:
            what = "the file names an objective, but groups are to be found"
            faults.append(Fault(("pairs", index, "objective"), what, "keep one of the two"))
    if spec.weighting == "more" and spec.outputs == "separate":
        what = "got more with separate models, which share nothing to weigh; allowed: sum"
        faults.append(Fault(("weighting",), what, "write `outputs: heads` or `outputs: one`"))
    lora = spec.model.lora
    if lora is not None and lora.modules_to_save:
        what = "got modules_to_save; the reward head is what is trained whole"
        faults.append(Fault(("model", "lora", "modules_to_save"), what, "remove it"))
    if lora is not None:
        faults += LORA.faults(("model", "lora", "peft"), lora.peft)
    if spec.batch_size % spec.gradient_accumulation:
        passes = spec.gradient_accumulation
        what = f"{passes} passes cannot share a batch of {spec.batch_size} evenly"
        faults.append(Fault(("gradient_accumulation",), what, "choose a divisor of batch_size"))
    return faults
