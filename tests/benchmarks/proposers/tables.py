"""Tables of results/proposers.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.proposers.cells import Result
from tests.benchmarks.proposers.field import BOUND, GENERATIONAL, RUNS
from tests.benchmarks.proposers.problems import Known, target_of
from tests.benchmarks.proposers.scores import DEFAULT, duel, names_in, of_entrant, quartiles

BUDGETS = (8, 16, 32, 64)
GOALS = (0.9, 0.95)
NOTHING = "-"


@dataclass(frozen=True)
class Table:
    """One table with what to read it by.

    Args:
        title: Heading.
        columns: Heads.
        rows: Cells.
        notes: Text below.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: str = ""

    def text(self) -> str:
        """Return it as Markdown."""
        lines = [f"## {self.title}", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + " --- |" * len(self.columns))
        lines += ["| " + " | ".join(str(v) for v in row) + " |" for row in self.rows]
        return "\n".join([*lines, "", self.notes, ""] if self.notes else [*lines, ""])


def shares_table(title: str, results: Sequence[Result]) -> Table:
    """Return each entrant's shares after 8, 16, 32 and 64 runs, and its runs to 90 and 95 %."""
    heads = ["proposer", "sweeps", *[f"{b} runs" for b in BUDGETS], "to 90 %", "to 95 %", "ms"]
    rows = [_shares_row(name, of_entrant(results, name)) for name in names_in(results)]
    return Table(title, heads, [r for r in rows if r], SHARES_NOTE)


SHARES_NOTE = (
    "Median share of the known front's hypervolume, (lower quartile to upper quartile); runs to a "
    "share: median over all sweeps, with those that never reach it as more than any. ms: real time "
    "for a launch chosen, on average."
)


def _shares_row(name: str, results: Sequence[Result]) -> list[str]:
    if not results:
        return []
    row = [name, str(len(results))]
    for budget in BUDGETS:
        shares = [s for s in (r.at(budget) for r in results) if s is not None]
        if shares:
            low, middle, high = quartiles(shares)
            row.append(f"**{middle:.3f}** ({low:.3f} to {high:.3f})")
        else:
            row.append(NOTHING)
    for goal in GOALS:
        row.append(runs_text(results, goal))
    thought = sum(r.think_s for r in results) / max(1, sum(r.decisions for r in results))
    return [*row, f"{1000 * thought:.1f}"]


def runs_text(results: Sequence[Result], goal: float) -> str:
    """Return the median number of runs to a share; of two in the middle the larger."""
    middle = sorted(r.runs_to(goal) for r in results)[len(results) // 2]
    most = max(r.cell.runs for r in results)
    return f"{middle:.0f}" if np.isfinite(middle) else f"> {most}"


def duels_table(results: Sequence[Result], problems: Sequence[Known], runs: int) -> Table:
    """Return the default's wins, ties and losses against each other entrant, by family."""
    family = {p.name: p.family for p in problems}
    families = list(dict.fromkeys(family[r.cell.problem] for r in results))
    rows = []
    for name in names_in(results):
        if name == DEFAULT:
            continue
        row = [name]
        for group in [*families, None]:
            ours, theirs = (
                [r for r in of_entrant(results, n) if group in (None, family[r.cell.problem])]
                for n in (DEFAULT, name)
            )
            found = duel(ours, theirs, runs)
            row.append(f"{found.wins} / {found.ties} / {found.losses}" if found else NOTHING)
        whole = duel(of_entrant(results, DEFAULT), of_entrant(results, name), runs)
        row += [f"{whole.gap:+.3f}", f"{whole.p:.1g}"] if whole else [NOTHING, NOTHING]
        rows.append(row)
    heads = ["against", *families, "all", "median gap", "p"]
    return Table(f"The default after {runs} runs: wins / ties / losses", heads, rows, DUELS_NOTE)


DUELS_NOTE = (
    "Paired by problem, oracle and seed; within 0.002 is a tie. p: Wilcoxon's signed-rank test over"
    " all pairs."
)


def problems_table(results: Sequence[Result], problems: Sequence[Known], runs: int) -> Table:
    """Return median shares by problem and oracle."""
    names = [n for n in names_in(results) if n != DEFAULT]
    rows = []
    for problem in problems:
        own = [r for r in results if r.cell.problem == problem.name]
        target = target_of(problem)
        for level in dict.fromkeys(r.cell.level for r in own):
            row = [problem.name, level, str(target.m), target.shape]
            for name in names:
                at = [r.at(runs) for r in of_entrant(own, name) if r.cell.level == level]
                row.append(median_text([s for s in at if s is not None]))
            rows.append(_with_best(row, 4))
    heads = ["problem", "oracle", "m", "front", *names]
    return Table(f"By problem, after {runs} runs", heads, rows, "Medians; the best in bold.")


def race_table(results: Sequence[Result], problems: Sequence[Known]) -> Table:
    """Return the default's wall clock to what generational C-MORL ends with, as a share of its."""
    rows = []
    names = [p.name for p in problems]
    for name in [*names, None]:
        own = [r for r in results if name in (None, r.cell.problem)]
        ratios = hours_ratios(own)
        if ratios:
            low, middle, high = quartiles(ratios)
            never = sum(np.isinf(ratios))
            told = [f"{v:.2f}" for v in (middle, low, high)]
            rows.append([name or "all", str(len(ratios)), *told, str(never)])
    heads = ["problem", "pairs", "median", "lower quartile", "upper quartile", "never"]
    return Table("Wall clock of the default against generational C-MORL", heads, rows, RACE_NOTE)


RACE_NOTE = (
    "Eight workers, sigma 0.5: virtual hours until the default has the hypervolume with which "
    "C-MORL, one generation after another, ends its 64 runs, divided by the hours that this took "
    "C-MORL. never: pairs in which the default does not get there in 64 runs."
)


def hours_ratios(results: Sequence[Result]) -> list[float]:
    """Return default's hours by C-MORL's to what C-MORL ends with, for each pair of sweeps."""
    theirs = [r for r in results if r.cell.entrant == GENERATIONAL and r.shares]
    ours = {
        (r.cell.problem, r.cell.level, r.cell.seed): r
        for r in results
        if r.cell.entrant != GENERATIONAL
    }
    ratios = []
    for other in theirs:
        own = ours[other.cell.problem, other.cell.level, other.cell.seed]
        goal = other.shares[-1]
        ratios.append(own.hours_to(goal) / other.hours_to(goal))
    return ratios


def reach_table(results: Sequence[Result], problems: Sequence[Known]) -> Table:
    """Return the runs to 95 % of the best known, of a lattice, the default and the upper bound.

    Args:
        results: With the default's own.
        problems: Those that count.
    """
    shapes: dict[tuple[str, str], list[list[float]]] = {}
    for problem in problems:
        target = target_of(problem)
        for key, group in _by_sweep(r for r in results if r.cell.problem == problem.name).items():
            if DEFAULT not in group or LATTICE not in group:
                continue
            goal = GOALS[-1] * max(max(r.shares) for r in group.values())
            shape = f"{target.shape}, {target.m} objectives", key[0]
            reached = [group[n].runs_to(goal) if n in group else np.nan for n in REACHING]
            shapes.setdefault(shape, []).append(reached)
    rows = []
    for (shape, level), found in sorted(shapes.items()):
        lattice, default, _ = columns = np.array(found).T
        ratio = default / np.minimum(lattice, RUNS)
        shown = [_runs_shown(column) for column in columns]
        third = f"{np.mean(ratio <= 1 / 3):.0%}"
        rows.append([shape, level, str(len(found)), *shown, f"{np.median(ratio):.2f}", third])
    heads = ["fronts", "oracle", "sweeps", *REACHING, "default / lattice", "at most a third"]
    return Table("Runs to 95 % of the best known", heads, rows, REACH_NOTE)


LATTICE = "lattice"
REACHING = (LATTICE, DEFAULT, BOUND)
REACH_NOTE = (
    "Best known: the largest hypervolume of any entrant in the same weather, the upper bound, "
    "which knows the front, included. Medians. In the ratio a lattice that never gets there counts "
    "as 64 runs, which makes it an upper bound. At most a third: share of the sweeps."
)


def _runs_shown(reached: np.ndarray) -> str:
    known = reached[~np.isnan(reached)]
    if not len(known):
        return NOTHING
    middle = float(np.median(known))
    return f"{middle:.0f}" if np.isfinite(middle) else f"> {RUNS}"


def _by_sweep(results: Iterable[Result]) -> dict[tuple[str, int], dict[str, Result]]:
    """Return results by oracle and seed, then by entrant."""
    groups: dict[tuple[str, int], dict[str, Result]] = {}
    for r in results:
        if r.shares and not r.left_out:
            groups.setdefault((r.cell.level, r.cell.seed), {})[r.cell.entrant] = r
    return groups


def noises_table(results: Sequence[Result], runs: int) -> Table:
    """Return median shares by the noise of evaluations."""
    noises = sorted({r.noise for r in results})
    rows = []
    for name in names_in(results):
        own = of_entrant(results, name)
        by_noise = [[r.at(runs) for r in own if r.noise == noise] for noise in noises]
        if own:
            shares = [median_text([s for s in at if s is not None]) for at in by_noise]
            rows.append([name, *shares])
    heads = ["proposer", *[f"noise {100 * n:g} %" for n in noises]]
    return Table(f"By noise, after {runs} runs", heads, rows)


def median_text(shares: Sequence[float]) -> str:
    """Return a median with three digits, or a dash."""
    return f"{np.median(shares):.3f}" if shares else NOTHING


def _with_best(row: list[str], first: int) -> list[str]:
    best = max((v for v in row[first:] if v != NOTHING), default="")
    return [*row[:first], *(f"**{v}**" if v == best else v for v in row[first:])]
