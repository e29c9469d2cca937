"""A front scored once more on fresh prompts, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from paretoflow.core.data_facts import near_line
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import Problem

Interval = tuple[float, float]


@dataclass(frozen=True)
class FreshFacts:
    """Which prompts a front was confirmed on.

    Args:
        source: Where they come from: a file's name, or words for what the sweep's data left over.
        n: How many there are.
        data: SHA-256 of all of them.
        seed: With a prompt's id it decided the noise of that prompt's answer.
        time_s: When it was begun, seconds since the epoch.
        repeated: Prompts of the source that were left out, since the sweep has them.
        near: Fresh prompts that nearly repeat a prompt of the sweep.
        pairs: The first of these and what they repeat, shortened.
        changes: What had changed of what scores depend on since the sweep, and was accepted.
        base: Raw means of the base on the eval prompts, length m; empty where they were not noted.
        base_stderr: Their standard errors.
        compared: Whether they were compared with the sweep's own prompts; an export whose data is
            private does not hold those.
    """

    source: str
    n: int
    data: str
    seed: int
    time_s: float
    repeated: int = 0
    near: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()
    compared: bool = True
    base: tuple[float, ...] = ()
    base_stderr: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> FreshFacts:
        """Read what `to_dict` gave; what a newer version added is left out."""
        found = {f.name: plain[f.name] for f in fields(cls) if f.name in plain}
        found["pairs"] = tuple((str(a), str(b)) for a, b in plain.get("pairs", ()))
        for name in ("base", "base_stderr"):
            found[name] = tuple(map(float, plain.get(name, ())))
        found["changes"] = tuple(map(str, plain.get("changes", ())))
        return cls(**found)

    def lines(self) -> list[str]:
        """Return what a person should know of the prompts, a sentence each, without full stops."""
        told = []
        if self.repeated:
            rows = "1 prompt was" if self.repeated == 1 else f"{self.repeated} prompts were"
            told.append(f"{rows} left out: the sweep has the same")
        if self.near:
            what = f"{self.near} of {self.n} fresh prompts"
            told.append(near_line(self.near, what, "a prompt of the sweep", self.pairs))
        if not self.compared:
            told.append("not asked: whether they repeat prompts of the sweep, which are private")
        if self.changes:
            told.append(f"changed since the sweep, and accepted: {'; '.join(self.changes)}")
        return told


@dataclass(frozen=True)
class Confirmation:
    """Scores of a front's points on fresh prompts.

    Args:
        scores: By checkpoint; the base's among them. Their digests are those of the adapters.
        left_out: Points of the front without such scores.
    """

    facts: FreshFacts
    scores: Mapping[str, Evaluation]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfirmedPoint:
    """One point on the eval prompts, and on fresh ones.

    Args:
        reported: As it stands on the front.
        fresh: On the fresh prompts.
        changes: 95 % interval of confirmed less reported, of each objective; unpaired, since the
            prompts are others.
        over_base: 95 % interval of the point's scores less the base's, of each objective; paired
            over the fresh prompts. Empty for the base itself.
        beaten_by: A confirmed point that is better or equal in every objective on the fresh
            prompts, and better in one; empty for none.
    """

    reported: FrontPoint
    fresh: Evaluation
    changes: tuple[Interval, ...]
    over_base: tuple[Interval, ...]
    beaten_by: str

    @property
    def scores(self) -> tuple[float, ...]:
        """Return the raw means on the fresh prompts, length m."""
        return tuple(self.fresh.scores.tolist())

    @property
    def stderr(self) -> tuple[float, ...]:
        """Return their standard errors, length m."""
        return tuple(self.fresh.stderr.tolist())

    @property
    def moved(self) -> tuple[bool, ...]:
        """Return of each objective whether it surely is not what was reported."""
        return tuple(low > 0 or high < 0 for low, high in self.changes)


@dataclass(frozen=True)
class BaseChange:
    """The base in one objective; nothing selected it, so it tells how the sets of prompts differ.

    Args:
        reported: Raw mean on the eval prompts.
        confirmed: On the fresh ones.
        change: 95 % interval of confirmed less reported; unpaired.
    """

    reported: float
    confirmed: float
    change: Interval

    @property
    def moved(self) -> bool:
        """Return whether the two sets surely differ."""
        return self.change[0] > 0 or self.change[1] < 0


@dataclass(frozen=True)
class ConfirmedFront:
    """Points of a front on fresh prompts.

    Args:
        points: In the order of the front.
        left_out: Points of the front that were not confirmed.
        reported: Hypervolume of these points on the eval prompts.
        hypervolume: On the fresh prompts.
        interval: 95 % interval of what the points are truly worth, by the fresh prompts.
        base: The base on both sets of prompts, by objective; empty where that was not noted.
    """

    problem: Problem
    facts: FreshFacts
    points: tuple[ConfirmedPoint, ...]
    left_out: tuple[str, ...]
    reported: float
    hypervolume: float
    interval: Interval
    base: tuple[BaseChange, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = self.problem.names
        return {
            "source": self.facts.source,
            "prompts": self.facts.n,
            "data": self.facts.data,
            "notes": self.facts.lines(),
            "hypervolume_reported": self.reported,
            "hypervolume": self.hypervolume,
            "hypervolume_ci": list(self.interval),
            "base": {n: asdict(b) for n, b in zip(names, self.base, strict=False)} or None,
            "points": [_plain(point, names) for point in self.points],
            "left_out": list(self.left_out),
        }


def _plain(point: ConfirmedPoint, names: Sequence[str]) -> dict[str, Any]:
    over = {n: list(ends) for n, ends in zip(names, point.over_base, strict=False)}
    return {
        "snapshot_id": point.reported.snapshot_id,
        "reported": dict(zip(names, point.reported.scores, strict=True)),
        "scores": dict(zip(names, point.scores, strict=True)),
        "stderr": dict(zip(names, point.stderr, strict=True)),
        "change_ci": {n: list(ends) for n, ends in zip(names, point.changes, strict=True)},
        "over_base_ci": over or None,
        "beaten_by": point.beaten_by or None,
    }
