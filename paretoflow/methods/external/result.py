"""Result of a program: one JSON object; errors name the faulty key.

A fault in it is the program's and would occur again in the same run: retries do not help.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paretoflow.core.errors import NonFiniteLossError, UserError
from paretoflow.core.evaluation import Evaluation, standard_errors
from paretoflow.core.values import FloatArray

_HINT = "`pydoc paretoflow.methods.external` shows what a program writes"


class _Part(BaseModel):
    """Part of the result: refuses unknown keys and coerces nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Mean(_Part):
    mean: float
    stderr: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class _Prompts(_Part):
    prompt_scores: list[float] = Field(min_length=1)


_Score = float | _Mean | _Prompts


class _Checkpoint(_Part):
    step: Annotated[int, Field(ge=1)]
    folder: Annotated[str, Field(min_length=1)]
    tokens: Annotated[int, Field(ge=0)] = 0
    metrics: dict[str, float] = {}
    scores: dict[str, _Score] | None = None


class _Result(_Part):
    schema_version: Literal[1] = 1
    checkpoints: list[_Checkpoint] = Field(min_length=1)


@dataclass(frozen=True)
class ProgramCheckpoint:
    """One checkpoint of a program.

    Args:
        folder: A PEFT adapter folder inside the program's output folder.
        tokens: Number of tokens trained on since the checkpoint before.
        given: Scores that the program measured itself; None if the sweep is to evaluate it.
    """

    step: int
    folder: Path
    tokens: int
    metrics: Mapping[str, float]
    given: Evaluation | None


def read_result(
    file: Path, output: Path, names: Sequence[str], steps: int
) -> tuple[ProgramCheckpoint, ...]:
    """Return a program's checkpoints, by step.

    Args:
        file: The program's result file.
        output: The program's output folder.
        names: Names of the objectives, in the order of every score vector.
        steps: Steps of the run: the step of a single checkpoint that names none.

    Raises:
        UserError: If there is no result, it does not have the expected form, or a folder in it is
            missing or outside `output`.
        NonFiniteLossError: If a metric is not finite.
    """
    result = _parsed(file, steps)
    numbers = [c.step for c in result.checkpoints]
    if numbers != sorted(set(numbers)):
        raise UserError(
            f"got the steps {numbers}; allowed: growing ones", str(file), _HINT, code="usage-result"
        )
    return tuple(_saved(c, file, output, names) for c in result.checkpoints)


def _parsed(file: Path, steps: int) -> _Result:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "the program ended well, and wrote no result"
        raise UserError(
            what, str(file), f"write it before ending with status 0; {_HINT}", code="usage-result"
        ) from None
    except ValueError as error:
        raise UserError(
            f"the result is no JSON: {error}", str(file), _HINT, code="usage-result"
        ) from error
    if isinstance(document, dict) and "checkpoints" not in document:
        version = {k: document.pop(k) for k in ("schema_version",) if k in document}
        document = {**version, "checkpoints": [{"step": steps, **document}]}
    try:
        return _Result.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"the result's {place}: {first['msg']}", str(file), _HINT, code="usage-result"
        ) from error


def _saved(found: _Checkpoint, file: Path, output: Path, names: Sequence[str]) -> ProgramCheckpoint:
    bad = [f"{k} is {v}" for k, v in found.metrics.items() if not math.isfinite(v)]
    if bad:
        what = f"{', '.join(bad)} at step {found.step}"
        raise NonFiniteLossError(what, str(file), "lower method.learning_rate")
    given = None if found.scores is None else _given(found.scores, file, names)
    return ProgramCheckpoint(
        found.step, _inside(found, file, output), found.tokens, found.metrics, given
    )


def _inside(found: _Checkpoint, file: Path, output: Path) -> Path:
    """Return the checkpoint's folder; neither it nor a file in it may be outside `output`."""
    root = output.resolve()
    folder = (output / found.folder).resolve()
    if not all(p.resolve().is_relative_to(root) for p in (folder, *folder.glob("*"))):
        what = f"got the folder {found.folder!r} at step {found.step}; allowed: one inside {output}"
        raise UserError(
            what, str(file), "write the adapter into the request's `output`", code="usage-result"
        )
    if not folder.is_dir():
        what = f"there is no folder {found.folder!r} in {output}, named at step {found.step}"
        raise UserError(
            what, str(file), "name it relative to the request's `output`", code="usage-result"
        )
    return folder


def _given(scores: Mapping[str, _Score], file: Path, names: Sequence[str]) -> Evaluation:
    if set(scores) != set(names):
        got, allowed = ", ".join(scores) or "none", ", ".join(names)
        what = f"got scores of {got}; allowed: of every objective and nothing else: {allowed}"
        raise UserError(
            what,
            str(file),
            "leave `scores` out to have the adapter evaluated here",
            code="usage-result",
        )
    values = [_values(scores[name]) for name in names]
    for name, found in zip(names, values, strict=True):
        if not np.isfinite(found).all():
            what = f"the score of {name} is not finite"
            raise UserError(
                what,
                str(file),
                "a checkpoint needs a whole, finite score vector",
                code="usage-result",
            )
    counts = {len(found) for found in values}
    if len(counts) > 1:
        what = f"got {sorted(counts)} prompt scores; allowed: as many for every objective"
        raise UserError(
            what, str(file), "score every answer by every objective", code="usage-result"
        )
    prompts = np.stack(values)
    errors = [_stderr(scores[name], found) for name, found in zip(names, values, strict=True)]
    return replace(Evaluation.of_prompts(prompts), stderr=np.array(errors))


def _values(score: _Score) -> FloatArray:
    """Return the scores of prompts; a mean alone counts as one prompt."""
    if isinstance(score, _Prompts):
        return np.array(score.prompt_scores, dtype=np.float64)
    return np.array([score.mean if isinstance(score, _Mean) else score], dtype=np.float64)


def _stderr(score: _Score, values: FloatArray) -> float:
    """Return the standard error of the mean, nan where it is unknown."""
    if isinstance(score, _Mean) and score.stderr is not None:
        return score.stderr
    return float(standard_errors(values[None])[0])
