"""Realistic small budgets, each with its own sweeps: `-m tests.benchmarks.proposers.small`.

`--folder` keeps raw results, so that an interrupted benchmark continues; `--unseen` runs the sealed
family alone. Unlike the main benchmark, which reads a sweep of 64 runs at 16 and 32, proposers here
know the budget, and there are as many workers as such a sweep usually has.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.proposers.cells import (
    Cell,
    MapOver,
    Result,
    levels_of,
    read,
    run_cell,
    run_cells,
)
from tests.benchmarks.proposers.held_out import held_out
from tests.benchmarks.proposers.problems import Known, problems_named, target_of
from tests.benchmarks.proposers.scores import of_entrant, signed_rank
from tests.benchmarks.proposers.tables import NOTHING, Table
from tests.benchmarks.proposers.unseen import SWEEPS

BUDGETS = {5: 2, 8: 2, 12: 2, 16: 4, 32: 8, 64: 8}
"""Runs to workers."""
AUTO, ALL = "auto", "all"
ARMS = ("gp_hvi", "empty_box", "cmorl_hv", "pg_predict")
"""Those that the default lets take turns."""
OTHERS = ("auto_before", "cmorl", "lattice", "dirichlet")
PEERS = ("optuna_tpe", "optuna_nsga2", "botorch_nehvi")
SLOW = {"botorch_nehvi": 16}
"""Largest budget of those whose decisions take long."""
PROBLEMS = (
    *("zdt1", "zdt2", "zdt3", "circle_convex", "circle_concave", "sphere_convex"),
    *("sphere_concave", "treasure_convex", "treasure_concave", "llm"),
    *("dtlz2", "convex_dtlz2", "dtlz7", "mw2", "mw8", "mw12"),
    *("vehicle_safety", "disc_brake", "welded_beam", "minecart", "recorded"),
)
UNSEEN = ("unseen_convex", "unseen_concave", "unseen_pieces", "unseen_llm")
SEEDS = 4


def grid(
    problems: Sequence[Known], who: Sequence[str], seeds: Sequence[int], budgets: Sequence[int]
) -> list[Cell]:
    """Return every sweep to run, seed by seed, so that what is cut off is still balanced."""
    return [
        Cell(problem.name, level, name, seed, runs, BUDGETS[runs])
        for seed in seeds
        for runs in budgets
        for problem in problems
        for level in levels_of(problem)
        for name in who
        if runs <= SLOW.get(name, runs)
    ]


def group_of(problem: Known, level: str) -> str:
    """Return the cell of the tables that a problem belongs to: its kind and its objectives."""
    target = target_of(problem)
    if level == "prompts":
        return f"LLM-like, {target.m}"
    if problem.family == "recorded":
        return f"recorded, {target.m}"
    if problem.family in UNSEEN:
        return f"{problem.family.removeprefix('unseen_')}, {target.m}"
    pieces = problem.name in ("zdt3", "dtlz7") or "pieces" in problem.name
    return f"{'pieces' if pieces else target.shape}, {target.m}"


def paired(
    results: Iterable[Result], names: Sequence[str], runs: int
) -> dict[str, dict[tuple[object, ...], float]]:
    """Return the share after so many runs, by entrant, then by problem, oracle and seed."""
    found: dict[str, dict[tuple[object, ...], float]] = {}
    for r in results:
        cell, share = r.cell, r.at(runs)
        if cell.runs == runs and share is not None and cell.entrant in names:
            found.setdefault(cell.entrant, {})[cell.problem, cell.level, cell.seed] = share
    return found


def shares_table(results: Sequence[Result], names: Sequence[str], title: str) -> Table:
    """Return each entrant's mean share by budget, over the sweeps that all but the slow have."""
    rows = []
    for name in names:
        row = [name]
        for runs in BUDGETS:
            shares = list(paired(results, (name,), runs).get(name, {}).values())
            row.append(f"{np.mean(shares):.3f}" if shares else NOTHING)
        rows.append(row)
    marked = _best_in_bold(rows)
    return Table(title, ["proposer", *[f"{b} runs" for b in BUDGETS]], marked, SHARES_NOTE)


SHARES_NOTE = (
    "Mean share of the known front's hypervolume, true values of what is claimed, at the end of "
    "sweeps of so many runs; the best in bold."
)


def groups_table(
    results: Sequence[Result], problems: Sequence[Known], names: Sequence[str]
) -> Table:
    """Return, by kind of front and budget, the default against the best of its own arms."""
    group = {(p.name, level): group_of(p, level) for p in problems for level in levels_of(p)}
    rows = []
    for kind in (*dict.fromkeys(group.values()), ALL):
        own = [r for r in results if kind in (ALL, group[r.cell.problem, r.cell.level])]
        row = [kind]
        for runs in BUDGETS:
            row.append(_against_best(paired(own, (AUTO, *names), runs)))
        rows.append(row)
    return Table("By kind of front", ["front", *[f"{b} runs" for b in BUDGETS]], rows, GROUPS_NOTE)


GROUPS_NOTE = (
    "The default's mean share; the best of its own arms there and its mean share; the mean paired "
    "gap to it with its 95 % interval. Bold where the interval lies below 0. Each half of the "
    "seeds chooses the best arm that the other half is compared with (two names where they "
    "differ): on the same sweeps the best in hindsight would be a maximum over noise."
)


def _against_best(shares: dict[str, dict[tuple[object, ...], float]]) -> str:
    ours = shares.pop(AUTO, {})
    gap = held_out(ours, shares) if ours and shares else None
    if gap is None:
        return NOTHING
    told = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    told = f"**{told}**" if gap.high < 0 else told
    return f"{gap.share:.3f}; {' / '.join(gap.arms)} {gap.other:.3f}; {told}"


def duels_table(results: Sequence[Result], names: Sequence[str]) -> Table:
    """Return the default's mean gap to each other, and Holm's p-value over the whole table."""
    tests: list[tuple[str, int, float, float]] = []
    for name in names:
        for runs in BUDGETS:
            shares = paired(results, (AUTO, name), runs)
            keys = sorted(set(shares.get(AUTO, {})) & set(shares.get(name, {})), key=str)
            if keys:
                gaps = np.array([shares[AUTO][k] - shares[name][k] for k in keys])
                tests.append((name, runs, float(gaps.mean()), signed_rank(gaps)))
    adjusted = holm([p for *_, p in tests])
    told = {
        (name, runs): f"{gap:+.3f} ({p:.1g})"
        for (name, runs, gap, _), p in zip(tests, adjusted, strict=True)
    }
    rows = [[n, *[told.get((n, b), NOTHING) for b in BUDGETS]] for n in names]
    heads = ["against", *[f"{b} runs" for b in BUDGETS]]
    return Table("The default against each", heads, rows, DUELS_NOTE)


DUELS_NOTE = (
    "Mean paired gap; in brackets the p-value of Wilcoxon's signed-rank test over the sweeps, "
    "corrected by Holm over the table."
)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, by Holm (1979).

    By hand: .01, .04, .03 become .03, .06, .06.
    """
    order = np.argsort(values)
    adjusted, before = [0.0] * len(values), 0.0
    for place, index in enumerate(order.tolist()):
        p = values[index] if np.isfinite(values[index]) else 1.0
        before = min(1.0, max(before, (len(values) - place) * p))
        adjusted[index] = before
    return adjusted


def _best_in_bold(rows: list[list[str]]) -> list[list[str]]:
    for column in range(1, len(rows[0]) if rows else 0):
        best = max((row[column] for row in rows if row[column] != NOTHING), default="")
        for row in rows:
            row[column] = f"**{best}**" if row[column] == best else row[column]
    return rows


def main(given: argparse.Namespace) -> None:
    """Run what has no result yet; print the tables."""
    problems = problems_named(given.problems or list(UNSEEN if given.unseen else PROBLEMS))
    who = given.proposers or [AUTO, *ARMS, *OTHERS, *PEERS]
    given.folder.mkdir(parents=True, exist_ok=True)
    file = given.folder / ("unseen.jsonl" if given.unseen else "small.jsonl")
    seeds = SWEEPS if given.unseen else range(given.seeds)
    cells = grid(problems, who, seeds[: given.seeds], given.budgets or list(BUDGETS))
    results = list(read(file)) if given.tables else run_cells(cells, file, one_by_one(given))
    others = [n for n in who if n != AUTO and of_entrant(results, n)]
    arms = [n for n in others if n in ARMS]
    title = "Sealed family" if given.unseen else "All but the sealed family"
    print(shares_table(results, who, title).text())
    print(groups_table(results, problems, arms).text())
    print(duels_table(results, others).text())


def listed(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name for name in text.split(",") if name]


def numbers(text: str) -> list[int]:
    """Return the numbers in a list with commas."""
    return [int(number) for number in listed(text)]


def one_by_one(given: argparse.Namespace) -> MapOver | None:
    """Return what runs cells in this process, if that is asked for."""
    return (lambda cells: map(run_cell, cells)) if given.one else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, required=True, help="where raw results are kept")
    parser.add_argument("--unseen", action="store_true", help="the sealed family alone")
    parser.add_argument("--problems", type=listed, help="problems or families, with commas")
    parser.add_argument("--proposers", type=listed, help="who takes part, with commas")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of each problem")
    parser.add_argument("--budgets", type=numbers, help="runs of a sweep, with commas")
    parser.add_argument("--one", action="store_true", help="one process instead of two")
    parser.add_argument("--tables", action="store_true", help="only print what is in the folder")
    main(parser.parse_args())
