"""The axes of `search`: settings that launches choose beside their weights.

An axis has the name of its setting: a number of the method's spec, the adapter's `rank` (or
`rank.<module>`, for modules with this end of their name), or decoding (`temperature`, `top_p`). A
name in the method's spec always means the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, floor, log
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field

from paretoflow.core.settings import Settings
from paretoflow.spec.base import Spec
from paretoflow.spec.methods import MethodBase, MethodSpec
from paretoflow.spec.models import GenerationSpec, LoraSpec, ModelSpec

RANK, MODULE_RANK = "rank", "rank."
DECODING = ("temperature", "top_p")
"""Settings of decoding in evaluations; they do not affect training."""
HELD = ("batch_size", "gradient_accumulation", "checkpoint_every", "timeout_s", "grace_s")
"""Numbers of methods that affect execution only, and are equal for all runs of a sweep."""
S = TypeVar("S", bound=Spec)


class AxisSpec(Spec):
    """The values that an axis may take: a range with both ends, or a list of choices."""

    low: float | None = None
    """Lower end of the range."""
    high: float | None = None
    """Upper end of the range."""
    scale: Literal["linear", "log"] = "linear"
    """log spreads values evenly over orders of magnitude."""
    choices: tuple[int | float, ...] | None = Field(None, min_length=2)
    """List of values, in place of a range."""


@dataclass(frozen=True)
class Axis:
    """One axis as seen by proposers: its values are mapped to [0, 1].

    By hand: 1e-4 to 1e-2 on a log scale has 1e-3 at 1/2; whole numbers from 1 to 4 have a quarter
    each, so 2 is at 3/8; of the choices 4, 8 and 16, in this order, 8 is at 1/2.

    Args:
        home: Part of the spec that it sets: method, lora or generation.
        choices: In ascending order; empty for a range.
    """

    name: str
    home: str = "method"
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    choices: tuple[float | int, ...] = ()

    def value(self, place: float) -> float | int:
        """Return the value at a place in [0, 1]."""
        if self.choices:
            return self.choices[min(floor(place * len(self.choices)), len(self.choices) - 1)]
        low, high = self._ends
        if self.log:
            found = exp(log(low) + place * (log(high) - log(low)))
        else:
            found = low + place * (high - low)
        if self.whole:
            return int(min(max(floor(found + 0.5), self.low), self.high))
        # six digits distinguish settings, and are readable
        return min(max(float(f"{found:.6g}"), self.low), self.high)

    def place(self, value: float) -> float:
        """Return the place of a value, in [0, 1]; the nearest end for one outside."""
        if self.choices:
            nearest = min(range(len(self.choices)), key=lambda i: abs(self.choices[i] - value))
            return (nearest + 0.5) / len(self.choices)
        low, high = self._ends
        kept = min(max(value, low), high)
        if self.log:
            return (log(kept) - log(low)) / (log(high) - log(low))
        return (kept - low) / (high - low)

    @property
    def _ends(self) -> tuple[float, float]:
        """Return the range, half a step wider for integers, so that all get the same share."""
        half = 0.5 if self.whole else 0.0
        return self.low - half, self.high + half


def axes_of(search: Mapping[str, AxisSpec], method: MethodSpec) -> tuple[Axis, ...]:
    """Return the axes of a valid sweep, sorted by name: a stored spec has lost their order."""
    return tuple(
        Axis(
            name,
            home_of(name, type(method)),
            0.0 if axis.low is None else axis.low,
            1.0 if axis.high is None else axis.high,
            axis.scale == "log",
            is_whole(name, type(method)),
            tuple(sorted(axis.choices or ())),
        )
        for name, axis in sorted(search.items())
    )


def is_whole(name: str, method: type[MethodBase]) -> bool:
    """Return whether an axis takes integers only."""
    if name in axis_names(method):
        return float not in _kinds(method, name)
    return name.startswith(RANK)


def axis_names(method: type[MethodBase]) -> tuple[str, ...]:
    """Return the numbers of a method's spec that may be axes."""
    return tuple(n for n in method.model_fields if n not in HELD and _kinds(method, n))


def home_of(name: str, method: type[MethodBase]) -> str:
    """Return the part that an axis sets: method, lora or generation; empty for unknown names."""
    if name in axis_names(method):
        return "method"
    if name == RANK or (len(name) > len(MODULE_RANK) and name.startswith(MODULE_RANK)):
        return "lora"
    return "generation" if name in DECODING else ""


@dataclass(frozen=True)
class Fitted:
    """The parts of a spec that settings can change, with the settings applied."""

    method: MethodSpec
    lora: LoraSpec
    generation: GenerationSpec


def fitted(method: MethodSpec, model: ModelSpec, settings: Settings) -> Fitted:
    """Return method, adapter and decoding with a launch's settings applied.

    Raises:
        pydantic.ValidationError: If a value is out of its field's bounds.
    """
    homes: dict[str, dict[str, Any]] = {"method": {}, "lora": {}, "generation": {}, "": {}}
    ranks = dict(model.lora.ranks)
    for name, value in settings:
        home = home_of(name, type(method))
        if home == "lora" and name != RANK:
            ranks[name.removeprefix(MODULE_RANK)] = int(value)
        else:
            homes[home][name] = value
    if ranks != model.lora.ranks:
        homes["lora"]["ranks"] = ranks
    return Fitted(
        _with(method, homes["method"]),
        _with(model.lora, homes["lora"]),
        _with(model.generation, homes["generation"]),
    )


def _with(spec: S, values: Mapping[str, Any]) -> S:
    if not values:
        return spec
    return type(spec).model_validate({**spec.model_dump(), **values})


def _kinds(method: type[MethodBase], name: str) -> set[type]:
    """Return the number types of a field; empty for a field of another type."""
    annotation = method.model_fields[name].annotation
    kinds = set(get_args(annotation) or (annotation,)) - {type(None)}
    return kinds if kinds <= {int, float} else set()
