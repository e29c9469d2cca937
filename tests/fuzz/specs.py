"""Makes random sweeps of every kind and holds what `check` lets through to what comes after it.

Each field is drawn within what it allows by itself, its edges often. Of what the rules let pass,
the proposer decides a sweep in simulation; a method is built and asked for a first step elsewhere.

    python -m tests.fuzz.specs --sweeps 2000 --seed 7
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paretoflow.core.errors import SpecError
from paretoflow.engine.session.simulate import simulate
from paretoflow.spec.engine import EngineSpec
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.models import EmbeddedModelSpec
from paretoflow.spec.proposers import ProposerSpec
from paretoflow.spec.search import axis_names
from paretoflow.spec.shape import models_of, variants
from paretoflow.spec.sweep import SweepSpec

METHODS, PROPOSERS = models_of(MethodSpec), models_of(ProposerSpec)
MOST_RUNS = 9
"""Of a sweep: enough for an opening and some decisions."""
EDGE = 0.25
"""Share of numbers that are drawn at an end of what their field allows."""
SET = 0.3
"""Share of keys that are set at all."""
HUGE = 10**9
GIVEN = {"command": {"argv": ["{python}"]}}
"""Options of methods that are not drawn."""
WORDS = ("q_proj", "v_proj", "x", "a b", "", "all-linear")


class Drawing:
    """Draws plain values that pydantic takes, and that no rule has seen."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def model(self, model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping for a model: what is given, what is required and some of the rest."""
        drawn = dict(given)
        for name, field in model.model_fields.items():
            if name not in drawn and (field.is_required() or self._rng.random() < SET):
                drawn[name] = self.value(field.annotation, field.metadata)
        return drawn

    def value(self, annotation: Any, metadata: list[Any]) -> Any:
        """Return a value of an annotation, within the bounds that stand beside it."""
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.value(inner[0], [*inner[1:], *metadata])
        if origin is Literal:
            return self._rng.choice(inner)
        if origin in (Union, UnionType):
            return self._of_union(annotation, metadata)
        if origin is tuple:
            return [self.value(inner[0], []) for _ in range(self._rng.randint(0, 3))]
        if origin is dict:
            return {self._rng.choice(WORDS): self.value(inner[1], []) for _ in range(2)}
        if variants(annotation):
            return self.model(annotation, self._tag(annotation))
        return self._plain(annotation, _bounds(metadata))

    def _of_union(self, annotation: Any, metadata: list[Any]) -> Any:
        models = list(variants(annotation))
        others = [a for a in get_args(annotation) if not variants(a)]
        choice = self._rng.choice([*models, *others])
        if choice is type(None):
            return None
        if choice in models:
            return self.model(choice, self._tag(choice))
        return self.value(choice, metadata)

    def _tag(self, model: type[BaseModel]) -> dict[str, Any]:
        field = model.model_fields.get("type")
        return {} if field is None else {"type": get_args(field.annotation)[0]}

    def _plain(self, kind: Any, bounds: tuple[float, float]) -> Any:
        if kind is bool:
            return self._rng.random() < 0.5
        if kind is int:
            low, high = int(max(bounds[0], -HUGE)), int(min(bounds[1], HUGE))
            near = self._rng.choice([low, low + 1, high, low + self._rng.randrange(1, 12)])
            return near if self._rng.random() < EDGE else min(high, low + self._rng.randrange(8))
        if kind is float:
            low, high = max(bounds[0], -1e9), min(bounds[1], 1e9)
            if self._rng.random() < EDGE:
                return self._rng.choice([low, high, (low + high) / 2])
            return low + min(high - low, 2.0) * self._rng.random()
        return self._rng.choice(WORDS)


def _bounds(metadata: list[Any]) -> tuple[float, float]:
    low, high = float("-inf"), float("inf")
    flat = [
        m for item in metadata for m in (item.metadata if isinstance(item, FieldInfo) else [item])
    ]
    for item in flat:
        if isinstance(item, annotated_types.Ge):
            low = max(low, float(item.ge))  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Gt):
            low = max(low, float(item.gt) + 1e-9)  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Le):
            high = min(high, float(item.le))  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Lt):
            high = min(high, float(item.lt) - 1e-9)  # type: ignore[arg-type]
    return low, high


def sweep_text(rng: random.Random, method: str, proposer: str) -> str:
    """Return a sweep as JSON, which is YAML too; its parts may contradict each other."""
    draw = Drawing(rng)
    m = rng.choice([2, 2, 2, 3, 4, 5])
    objectives: list[dict[str, Any]] = [
        {"name": f"o{i}", "type": "regex", "keywords": ["x"], "range": [0, 1]} for i in range(m - 1)
    ]
    objectives.append(
        {"name": "cost", "type": "system", "measure": "memory", "range": [0, 9]}
        if rng.random() < 0.2
        else {"name": "long", "type": "length", "range": [0, 50]}
    )
    spec: dict[str, Any] = {
        "name": "random",
        "objectives": objectives,
        "method": draw.model(METHODS[method], {"type": method} | GIVEN.get(method, {})),
        "proposer": draw.model(PROPOSERS[proposer], {"type": proposer}),
        "stop": draw.model(
            SweepSpec.model_fields["stop"].annotation, {"runs": rng.randint(2, MOST_RUNS)}
        ),  # type: ignore[arg-type]
    }
    if rng.random() < 0.3:
        spec["model"] = draw.model(EmbeddedModelSpec, {"type": "embedded"})
    if rng.random() < 0.3:
        spec["engine"] = draw.model(EngineSpec, {})
    if rng.random() < 0.3:
        names = [*axis_names(METHODS[method]), "rank", "temperature"]
        spec["search"] = {
            rng.choice(names): rng.choice(
                [{"low": 1, "high": 4}, {"choices": [1, 2, 4]}, {"low": 0.1, "high": 0.9}]
            )
            for _ in range(rng.randint(1, 3))
        }
    return json.dumps(spec, indent=1)


class Oracle:
    """Scores that depend on the weights a little, and noise."""

    def __init__(self, m: int) -> None:
        self._m = m

    def launch(self, proposal: Any, rng: Any) -> list[tuple[float, list[float]]]:
        """Return two checkpoints of a launch."""
        weights = [1 / self._m] * self._m if proposal.weights is None else proposal.weights.values
        return [(1.0, [s * w + 0.1 * rng.random() for w in weights]) for s in (0.5, 1.0)]

    def reevaluate(self, proposal: Any, step: int, rng: Any, noise: Any) -> list[float]:
        """Return scores of a known checkpoint."""
        return [w + 0.1 * noise.random() for w in proposal.weights.values]


def passing(rng: random.Random) -> Iterator[tuple[str, SweepSpec]]:
    """Yield random sweeps that the rules let pass, every method and proposer in turn; no end."""
    while True:
        methods, proposers = sorted(METHODS), sorted(PROPOSERS)
        rng.shuffle(methods)
        for method in methods:
            text = sweep_text(rng, method, rng.choice(proposers))
            with suppress(SpecError):
                yield text, load_spec_text(text, "random.yaml")


def faults(seed: int, count: int) -> Iterator[str]:
    """Simulate so many random sweeps; yield every failure to begin or to end, with its sweep.

    Args:
        seed: Of the sweeps: the same seed tries the same ones in the same order.
        count: How many.
    """
    for text, spec in islice(passing(random.Random(seed)), count):
        try:
            simulate(spec, Oracle(len(spec.objectives)))
        except Exception:  # noqa: BLE001 - anything that escapes is what is looked for
            yield f"{traceback.format_exc()}\n--- sweep\n{text}\n---"


def run(argv: list[str] | None = None) -> int:
    """Fuzz from the command line; the exit status is 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given, found = parser.parse_args(argv), 0
    for fault in faults(given.seed, given.sweeps):
        found += 1
        print(fault, flush=True)  # noqa: T201
    print(f"{given.sweeps} sweeps, {found} faults")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(run())
