"""Several sweeps as the rows of one table, with the same words for terminal and page."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.core.views import SweepView
from paretoflow.front.compared import Comparison, Interval, Standing
from paretoflow.report.labels import seconds_text


@dataclass(frozen=True)
class Entrant:
    """Method, proposer and cost of the sweeps of an arm.

    Args:
        letter: Name in tables and pictures: A, B, …, Z, AA, …
        method: Tag of its method, with the tags of the method's parts.
        proposer: Tags of the proposers of its runs.
        cost: Cost of all its runs, failed attempts and evaluations included, the base's too;
            wall-clock seconds are summed over runs.
    """

    letter: str
    method: str
    proposer: str
    finished: int
    failed: int
    cost: Cost


def entrants_of(arms: Sequence[Sequence[SweepView]]) -> tuple[Entrant, ...]:
    """Return an entrant for each arm, with letters in order."""
    return tuple(
        Entrant(
            letter=letter_of(number),
            method=_joined(_method(view.spec["method"]) for view in views),
            proposer=_joined(_proposer(view) for view in views),
            finished=sum(view.front.finished for view in views),
            failed=sum(view.front.failed for view in views),
            cost=reduce(add, (_cost(view) for view in views)),
        )
        for number, views in enumerate(arms)
    )


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def letter_of(number: int) -> str:
    """Return the letter of a sweep by its number, counted from 0: A to Z, then AA."""
    more, last = divmod(number, 26)
    return (letter_of(more - 1) if more else "") + string.ascii_uppercase[last]


def headings(found: Comparison, entrants: Sequence[Entrant]) -> tuple[str, ...]:
    """Return the titles of the columns of `cells`."""
    base = entrants[found.baseline].letter
    volumes = ("hypervolume\ncorrected\n95 %", f"less {base}\ncorrected\n95 %, paired")
    return ("sweep\nmethod\nproposer", "front", *volumes, "cost")


def cells(found: Comparison, entrants: Sequence[Entrant]) -> list[tuple[str, ...]]:
    """Return a row of texts for each sweep; a text may have several lines."""
    rows = zip(found.standings, entrants, strict=True)
    return [_row(standing, entrant, found) for standing, entrant in rows]


def _row(standing: Standing, entrant: Entrant, found: Comparison) -> tuple[str, ...]:
    failed = f", {entrant.failed} failed" if entrant.failed else ""
    points, seeds = len(standing.points), len(standing.sides)
    itself = standing is found.standings[found.baseline]
    change = (
        f"{standing.change:+.4g}\n{standing.corrected_change:+.4g}\n"
        f"{_interval(standing.change_interval, '+')}"
    )
    several = f"\n{seeds} seeds" if seeds > 1 else ""
    cost = entrant.cost
    return (
        f"{entrant.letter}  {standing.label}\n{entrant.method}\n{entrant.proposer}{several}",
        f"{points} point{'s' * (points != 1)}\n{standing.joint:.0%} of joint\n"
        f"{entrant.finished} runs{failed}",
        f"{standing.hypervolume:.4g}\n{standing.corrected:.4g}\n{_interval(standing.interval)}",
        "" if itself else change,
        f"{seconds_text(cost.wall_s)} in runs\n{seconds_text(cost.device_s)} devices\n"
        f"{cost.tokens:,} tokens",
    )


def _interval(ends: Interval, sign: str = "") -> str:
    return f"{ends[0]:{sign}.4g} to {ends[1]:{sign}.4g}"


def _method(spec: dict[str, Any]) -> str:
    parts = [v["type"] for v in spec.values() if isinstance(v, dict) and "type" in v]
    return " + ".join([spec["type"], *parts])


def _proposer(view: SweepView) -> str:
    used = dict.fromkeys(run.proposal.proposer for run in view.runs)
    return ", ".join(used) or str(view.spec["proposer"]["type"])


def _cost(view: SweepView) -> Cost:
    base = [row.cost for row in view.evaluations if row.run_id == BASE_RUN_ID]
    return reduce(add, [*base, *(run.cost for run in view.runs)], Cost())
