"""Request to a program: one JSON object for a launch, and the base's scored answers beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretoflow.core.errors import ShapeError
from paretoflow.core.protocols import Candidates
from paretoflow.core.values import Direction, FloatArray, ObjectiveInfo, Problem, Proposal
from paretoflow.front.orient import scores_of
from paretoflow.methods.training.arguments import shared_arguments

if TYPE_CHECKING:
    from paretoflow.core.protocols import AttemptContext
    from paretoflow.methods.training.context import MethodContext
    from paretoflow.spec.methods.command import CommandMethodSpec

SCHEMA_VERSION = 1
"""Increases when a key of the request or the result changes its meaning or is removed."""

_SAMPLING = {"max_new_tokens", "temperature", "top_p", "stop", "batch_size"}
_OURS = {"type", "argv", "env", "timeout_s", "grace_s", "dual", "early_stop", "trainer"}
"""Knobs that are not passed to the program."""


@dataclass(frozen=True)
class ProgramFiles:
    """Paths of a program's files.

    Args:
        place: Existing folder for the files.
    """

    place: Path

    @property
    def request(self) -> Path:
        """Return the file that the program reads."""
        return self.place / "request.json"

    @property
    def result(self) -> Path:
        """Return the file that the program writes."""
        return self.place / "result.json"

    @property
    def curve(self) -> Path:
        """Return the file for what the program logs after its steps."""
        return self.place / "curve.jsonl"

    @property
    def candidates(self) -> Path:
        """Return the file of the base's scored answers."""
        return self.place / "candidates.jsonl"

    @property
    def output(self) -> Path:
        """Return the folder for everything else that the program writes."""
        return self.place / "output"


def problem_of(context: MethodContext) -> Problem:
    """Return the objectives in the user's units; without a problem every score is a gain."""
    return context.problem or Problem(
        tuple(
            ObjectiveInfo(name, Direction.MAXIMIZE, "", 0.0, float(width), 0.0)
            for name, width in zip(context.objective_names, context.scale, strict=True)
        )
    )


def launch_of(
    spec: CommandMethodSpec, context: MethodContext, attempt: AttemptContext, files: ProgramFiles
) -> dict[str, Any]:
    """Return the request as plain JSON values; scores in it are raw, in the user's units.

    Keys: `schema_version`; `run_id`, `attempt`, `seed`, `kind` ("weighted" or "constrained");
    `objectives`, each with name, direction, unit, and mean and standard deviation over all
    candidates; `weights` by objective; `constraint` (None, or the `target` to improve and the
    `bounds` that the others must keep, each `at_least` or `at_most`); `base` (name, the path or hub
    id to load, digest, dtype, device); `parent_adapter` (a folder to start from, or None); `lora`,
    `generation` and `method` with the knobs of the YAML; `forward_batch_size`, the examples of one
    forward pass; `candidates`, a file with a line for each prompt: prompt, reference, passages,
    completions, and scores of each by objective; `curve`, a file that may get a line of numbers
    after each step; `output`, the folder to write to; `resume_from` (the same folder if it holds
    files of an earlier attempt, or None); `result`, the file to write at the end.

    Raises:
        AdapterError: If the adapter to start from is gone or was changed.
        ShapeError: If there are not as many weights as objectives.
    """
    proposal, problem, lm = attempt.launch.proposal, problem_of(context), context.lm
    if len(proposal.weights) != problem.m:
        raise ShapeError(f"got {len(proposal.weights)} weights for {problem.m} objectives")
    arguments = shared_arguments(spec, attempt, lm)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": attempt.launch.run_id,
        "attempt": attempt.launch.attempt,
        "seed": arguments["seed"],
        "kind": proposal.kind.value,
        "objectives": _objectives(context.candidates, problem),
        "weights": dict(zip(problem.names, proposal.weights.values, strict=True)),
        "constraint": None if proposal.thresholds is None else _constraint(proposal, problem),
        "base": {
            "name": lm.name,
            "path": base_path(context),
            "digest": lm.digest,
            "dtype": str(lm.model.dtype).removeprefix("torch."),
            "device": lm.device,
        },
        "parent_adapter": _text(attempt.parent()),
        "lora": context.lora.model_dump(mode="json"),
        "generation": context.generation.model_dump(mode="json", include=_SAMPLING),
        "method": spec.model_dump(mode="json", exclude=_OURS),
        "forward_batch_size": arguments["per_device_train_batch_size"],
        "candidates": str(files.candidates),
        "curve": str(files.curve),
        "output": str(files.output),
        "resume_from": str(files.output) if attempt.resume_from else None,
        "result": str(files.result),
    }


def base_path(context: MethodContext) -> str:
    """Return the folder or hub id that the base was loaded from."""
    return str(context.lm.model.config.name_or_path) or context.lm.name


def write_candidates(file: Path, candidates: Candidates, problem: Problem) -> None:
    """Write the base's scored answers, one line for each prompt."""
    with file.open("w", encoding="utf-8") as stream:
        for prompt, texts, gains in zip(
            candidates.prompts, candidates.completions, candidates.gains, strict=True
        ):
            scores = scores_of(gains, problem).T.tolist()
            row = {
                "prompt_id": prompt.prompt_id,
                "prompt": prompt.text,
                "reference": prompt.reference,
                "passages": list(prompt.passages),
                "completions": list(texts),
                "scores": dict(zip(problem.names, scores, strict=True)),
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _objectives(candidates: Candidates, problem: Problem) -> list[dict[str, Any]]:
    means = scores_of(candidates.mean, problem)
    return [
        {
            "name": o.name,
            "direction": o.direction.value,
            "unit": o.unit,
            "mean": float(mean),
            "std": float(std),
        }
        for o, mean, std in zip(problem.objectives, means, candidates.std, strict=True)
    ]


def _constraint(proposal: Proposal, problem: Problem) -> dict[str, Any]:
    thresholds: FloatArray = np.array(proposal.thresholds, dtype=np.float64)
    bounds = {
        o.name: {"at_least" if o.direction is Direction.MAXIMIZE else "at_most": float(bound)}
        for o, gain, bound in zip(
            problem.objectives, thresholds, scores_of(thresholds, problem), strict=True
        )
        if np.isfinite(gain)
    }
    target = None if proposal.target is None else problem.names[proposal.target]
    return {"target": target, "bounds": bounds}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
