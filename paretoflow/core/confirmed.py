"""A front that was scored again on fresh prompts, as frozen values."""

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
    """Facts about the fresh prompts that a front was confirmed on.

    Args:
        source: Source of the prompts: a file's name, or words for the unused rows of the sweep's
            data.
        n: Number of prompts.
        data: SHA-256 of all prompts.
        seed: Seed of the answers; with a prompt's id it decides the noise of that prompt's answer.
        time_s: Start of the confirmation, seconds since the epoch.
        repeated: Prompts of the source that were left out because the sweep has them.
        near: Fresh prompts that nearly repeat a prompt of the sweep.
        pairs: The first of the near prompts, each with the prompt that it repeats, shortened.
        changes: Accepted changes since the sweep of inputs that scores depend on.
        base: Raw means of the base on the eval prompts, length m; empty where they were not noted.
        base_stderr: Standard errors of `base`.
        judged: Money that judges have cost for the scores on these prompts.
        compared: Whether the prompts were compared with the sweep's own prompts; an export whose
            data is private does not hold those.
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
    judged: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> FreshFacts:
        """Read `to_dict`'s form; fields of a newer version are left out."""
        found = {f.name: plain[f.name] for f in fields(cls) if f.name in plain}
        found["pairs"] = tuple((str(a), str(b)) for a, b in plain.get("pairs", ()))
        for name in ("base", "base_stderr"):
            found[name] = tuple(map(float, plain.get(name, ())))
        found["changes"] = tuple(map(str, plain.get("changes", ())))
        return cls(**found)

    def lines(self) -> list[str]:
        """Return notes about the prompts for a person, one sentence each, without full stops."""
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
        scores: Evaluation of each checkpoint, by name, with the base's. Their digests are those of
            the adapters.
        left_out: Points of the front without scores on fresh prompts.
    """

    facts: FreshFacts
    scores: Mapping[str, Evaluation]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfirmedPoint:
    """One point of a front with its scores on the eval prompts and on fresh prompts.

    Args:
        reported: The point as the front reports it.
        fresh: Evaluation on the fresh prompts.
        changes: 95 % interval of confirmed less reported score, for each objective; unpaired, since
            the prompts differ.
        over_base: 95 % interval of the point's score less the base's, for each objective; paired
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
        """Return the standard errors of `scores`, length m."""
        return tuple(self.fresh.stderr.tolist())

    @property
    def moved(self) -> tuple[bool, ...]:
        """Return for each objective whether its interval of change excludes zero."""
        return tuple(low > 0 or high < 0 for low, high in self.changes)


@dataclass(frozen=True)
class BaseChange:
    """The base's scores in one objective on both sets of prompts.

    Nothing selected the base, so its change shows how the sets of prompts differ.

    Args:
        reported: Raw mean on the eval prompts.
        confirmed: Raw mean on the fresh prompts.
        change: 95 % interval of confirmed less reported mean; unpaired.
    """

    reported: float
    confirmed: float
    change: Interval

    @property
    def moved(self) -> bool:
        """Check whether the interval of change excludes zero."""
        return self.change[0] > 0 or self.change[1] < 0


@dataclass(frozen=True)
class ConfirmedFront:
    """A front with the scores of its points on fresh prompts.

    Args:
        points: Confirmed points, in the order of the front.
        left_out: Points of the front that were not confirmed.
        reported: Hypervolume of the confirmed points on the eval prompts.
        hypervolume: Hypervolume on the fresh prompts.
        interval: 95 % interval of the points' true hypervolume, from the fresh prompts.
        base: The base on both sets of prompts, by objective; empty where it was not noted.
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
            **({"judged": self.facts.judged} if self.facts.judged else {}),
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
