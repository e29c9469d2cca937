"""What a launch chooses beside its weights: the axes of the sweep's `search`, and where they go.

An axis is named after what it sets: a number of the method's spec, the adapter's `rank` (or
`rank.<module>`, of the modules whose names end so), or how answers are drawn (`temperature`,
`top_p`). A name that the method's spec has is always the method's.
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
"""Set how answers are drawn in evaluations; training never sees them."""
HELD = ("batch_size", "gradient_accumulation", "checkpoint_every", "timeout_s", "grace_s")
"""Numbers of methods that say how a run is executed, which is the same for all runs of a sweep."""
S = TypeVar("S", bound=Spec)


class AxisSpec(Spec):
    """The values that an axis may take: a range with both ends, or a list of choices."""

    low: float | None = None
    """Lower end of the range."""
    high: float | None = None
    """Upper end of the range."""
    scale: Literal["linear", "log"] = "linear"
    """log spreads values evenly over their orders of magnitude."""
    choices: tuple[int | float, ...] | None = Field(None, min_length=2)
    """The values themselves, instead of a range."""


@dataclass(frozen=True)
class Axis:
    """One axis, as proposers see it: its values lie along [0, 1].

    By hand: 1e-4 to 1e-2 on a log scale has 1e-3 at 1/2; whole numbers from 1 to 4 have a quarter
    each, so 2 is at 3/8; of the choices 4, 8 and 16, in this order, 8 is at 1/2.

    Args:
        home: What it sets: method, lora or generation.
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
        # six digits tell settings apart, and a ledger's reader too
        return min(max(float(f"{found:.6g}"), self.low), self.high)

    def place(self, value: float) -> float:
        """Return where a value lies, in [0, 1]; the nearest end for one outside."""
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
        """Return the range; half a step wider for whole numbers, so that all get the same share."""
        half = 0.5 if self.whole else 0.0
        return self.low - half, self.high + half


def axes_of(search: Mapping[str, AxisSpec], method: MethodSpec) -> tuple[Axis, ...]:
    """Return the axes of a valid sweep, by name: in a stored spec the order is no longer known."""
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
    """Return whether an axis takes whole numbers only."""
    if name in axis_names(method):
        return float not in _kinds(method, name)
    return name.startswith(RANK)


def axis_names(method: type[MethodBase]) -> tuple[str, ...]:
    """Return the numbers of a method's spec that may be axes."""
    return tuple(n for n in method.model_fields if n not in HELD and _kinds(method, n))


def home_of(name: str, method: type[MethodBase]) -> str:
    """Return what an axis sets, method, lora or generation; empty for a name that sets nothing."""
    if name in axis_names(method):
        return "method"
    if name == RANK or (len(name) > len(MODULE_RANK) and name.startswith(MODULE_RANK)):
        return "lora"
    return "generation" if name in DECODING else ""


@dataclass(frozen=True)
class Fitted:
    """The parts of a spec that settings reach, with the settings in them."""

    method: MethodSpec
    lora: LoraSpec
    generation: GenerationSpec


def fitted(method: MethodSpec, model: ModelSpec, settings: Settings) -> Fitted:
    """Return a method, an adapter and a way to draw answers with a launch's settings in them.

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
    """Return the kinds of number that a field takes; none for a field that holds other things."""
    annotation = method.model_fields[name].annotation
    kinds = set(get_args(annotation) or (annotation,)) - {type(None)}
    return kinds if kinds <= {int, float} else set()
