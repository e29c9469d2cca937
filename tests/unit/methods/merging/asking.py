"""Merge launches as the engine makes them, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paretoflow.core.launch import AdapterRef, Launch
from paretoflow.core.merge import Merge
from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.core.values import LaunchKind, Proposal, WeightVector


def merged(
    context: Any,
    folder: Path,
    parents: Sequence[Path],
    how: str,
    coefficients: Sequence[float] = (),
    *,
    weights: Sequence[float] = (0.5, 0.5, 0.0),
    seed: int = 0,
    **options: Any,
) -> Checkpoint:
    """Merge, and return the only report, its model's logits in the place of the model."""
    from paretoflow.methods.merging.method import MergeMethod

    names = tuple(f"p{i}" for i in range(len(parents)))
    merge = Merge(how, names, tuple(coefficients), tuple(sorted(options.items())))
    request = request_of(merge, tuple(parents), folder, seed, weights)
    reports: list[Checkpoint] = []
    MergeMethod(context).train(
        request, lambda c: reports.append(replace(c, model=logits_of(c.model)))
    )
    (report,) = reports
    return report


def request_of(
    merge: Merge | None,
    parents: tuple[Path, ...],
    folder: Path,
    seed: int = 0,
    weights: Sequence[float] = (0.5, 0.5, 0.0),
    **fields: Any,
) -> AttemptContext:
    folder.mkdir(exist_ok=True)
    proposal = Proposal(
        LaunchKind.MERGE, WeightVector.of(weights), seed, "Because.", "by hand", merge=merge
    )
    merged = tuple(AdapterRef(str(parent), "") for parent in parents)
    return AttemptContext(Launch("run", 0, proposal, merged=merged), folder, **fields)


def logits_of(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.arange(3, 23).reshape(2, 10)).logits
