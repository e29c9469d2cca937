"""Tables of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.benchmarks.coverage.trial import KINDS

Trials = Sequence[dict[str, Any]]
_BINS = ((0.0, 0.05), (0.05, 0.15), (0.15, 0.25), (0.25, 0.4), (0.4, 1.01))


def tables(cells: Mapping[str, Trials]) -> str:
    """Return Markdown: for each kind of interval its coverage by setting, then the doubts."""
    parts = []
    for kind in KINDS:
        head = "| world, runs, objectives | trials | before | now | misses now, truth below / above"
        head += " | width now / before | reported less true | corrected less true |"
        head += "" if kind == "front" else " excludes 0: before | now |"
        parted = {name: [t[kind] for t in trials if kind in t] for name, trials in cells.items()}
        rows = [_row(name, trials, kind) for name, trials in parted.items() if trials]
        lines = [f"### {kind}", "", head, "|" + " --- |" * (head.count("|") - 1), *rows, ""]
        parts.append("\n".join(lines))
    parts.append("\n".join(_doubts(cells)))
    return "\n".join(parts)


def _row(name: str, trials: Trials, kind: str) -> str:
    truth = np.array([t["truth"] for t in trials])
    ends = {k: np.array([t[k] for t in trials]) for k in ("before", "now")}
    below, above = truth < ends["now"][:, 0], truth > ends["now"][:, 1]
    unit = np.abs(truth).mean() if kind == "front" else _unit(trials)
    off = [np.mean(np.array([t[k] for t in trials]) - truth) for k in ("reported", "corrected")]
    widths = [float(np.mean(e[:, 1] - e[:, 0])) for e in (ends["now"], ends["before"])]
    cells = [
        name.replace("-", ", "),
        str(len(trials)),
        *(f"{_covers(ends[k], truth):.1%}" for k in ("before", "now")),
        f"{below.mean():.1%} / {above.mean():.1%}",
        f"{widths[0] / widths[1]:.2f}",
        *(f"{value / unit:+.1%}" for value in off),
    ]
    if kind != "front":
        cells += [f"{np.mean((e[:, 0] > 0) | (e[:, 1] < 0)):.1%}" for e in ends.values()]
    return "| " + " | ".join(cells) + " |"


def _unit(trials: Trials) -> float:
    """Return the mean width of the intervals before: the unit of reported differences."""
    return float(np.mean([t["before"][1] - t["before"][0] for t in trials]))


def _covers(ends: Any, truth: Any) -> float:
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def _doubts(cells: Mapping[str, Trials]) -> Iterator[str]:
    yield "### doubts"
    yield ""
    yield "| world, runs, objectives | claimed points truly beaten by another |" + "".join(
        f" told {low:.0%} to {min(high, 1):.0%}: share, truly beaten |" for low, high in _BINS
    )
    yield "|" + " --- |" * (2 + len(_BINS))
    for name, trials in cells.items():
        told, true = (np.array([d[i] for t in trials for d in t["doubts"]], float) for i in (0, 1))
        cells_of = []
        for low, high in _BINS:
            here = (told >= low) & (told < high)
            beaten = f"{true[here].mean():.0%}" if here.any() else "-"
            cells_of.append(f"{here.mean():.0%}, {beaten}")
        yield f"| {name.replace('-', ', ')} | {true.mean():.1%} | " + " | ".join(cells_of) + " |"
