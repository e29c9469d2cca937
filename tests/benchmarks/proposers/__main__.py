"""Proposers and peers: `python -m tests.benchmarks.proposers [--quick] [--folder sweeps/bench]`.

Raw results are lines of `cells.jsonl` in the folder, so that an interrupted benchmark can be
continued. A slice, for work on a proposer:

    python -m tests.benchmarks.proposers --problems zdt,dtlz2 --proposers empty_box,cmorl --seeds 4

prints its tables and writes none.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from tests.benchmarks.proposers.cells import EXACT, Cell, Result, levels_of, run_cells
from tests.benchmarks.proposers.decision_time import decisions_table
from tests.benchmarks.proposers.field import (
    BOUND,
    GENERATIONAL,
    RUNS,
    Entrant,
    default_of,
    entrants,
)
from tests.benchmarks.proposers.problems import Known, problems_named, target_of
from tests.benchmarks.proposers.scores import DEFAULT, of_entrant, with_default
from tests.benchmarks.proposers.tables import (
    Table,
    duels_table,
    noises_table,
    problems_table,
    race_table,
    reach_table,
    shares_table,
)
from tests.benchmarks.proposers.weather import Weather
from tests.benchmarks.results_file import RESULTS, machine, versions

SLOW_RUNS = 32
"""Budget of those whose decisions take long."""
SLOW_PROBLEMS = ("mw12", "disc_brake", "vehicle_safety")
"""Those that they meet: all for the verdict, none of them out of reach for weights."""
QUICK = ("zdt1", "circle_concave", "convex_dtlz2", "dtlz2", "mw12", "vehicle_safety", "minecart")
SEEDS, TUNING_SEEDS = 20, 4
"""Paired sweeps of each problem; no verdict rests on those for tuning."""
QUICK_SEEDS = 4
RACE_SIGMA, RACE_WORKERS, RACE_SEEDS = 0.5, 8, 12


def grid(problems: list[Known], who: list[Entrant], seeds: int) -> list[Cell]:
    """Return every sweep to run, seed by seed, so that what is cut off is still balanced."""
    return [
        Cell(problem.name, level, entrant.name, seed, SLOW_RUNS if entrant.slow else RUNS)
        for seed in range(seeds)
        for problem in problems
        for level in levels_of(problem)
        for entrant in who
        if meets(entrant, problem, level) and not (problem.for_tuning and seed >= TUNING_SEEDS)
    ]


def meets(entrant: Entrant, problem: Known, level: str) -> bool:
    """Return whether one takes part on a problem: the slow ones and the upper bound not on all."""
    if entrant.name == BOUND:
        return level == EXACT
    return not entrant.slow or (problem.name in SLOW_PROBLEMS and level == EXACT)


def race(problems: list[Known], seeds: int) -> list[Cell]:
    """Return the sweeps for the comparison of wall clocks: sigma 0.5, 8 workers, any noise."""
    weather = (seed for seed in count() if is_race(Weather.of(seed, "")))
    return [
        Cell(problem.name, level, name, seed, RUNS)
        for seed in islice(weather, seeds)
        for problem in problems
        if not problem.for_tuning
        for level in levels_of(problem)
        for name in (default_of(target_of(problem).m), GENERATIONAL)
    ]


def is_race(weather: Weather) -> bool:
    """Return whether wall clocks are compared in this weather."""
    return weather.sigma == RACE_SIGMA and weather.workers == RACE_WORKERS


def tables_of(results: list[Result], problems: list[Known]) -> list[Table]:
    """Return every table of the grid."""
    everything = with_default(results, problems)
    tables = []
    for title, chosen in (
        ("verdict", [p for p in problems if not p.for_tuning]),
        ("tuning", [p for p in problems if p.for_tuning]),
    ):
        names = {p.name for p in chosen}
        own = [r for r in everything if r.cell.problem in names]
        if own:
            tables.append(shares_table(f"Families for the {title}", own))
            if of_entrant(own, DEFAULT):
                tables += [duels_table(own, chosen, runs) for runs in (16, 32)]
                tables.append(reach_table(own, chosen))
            tables.append(noises_table(own, 32))
    tables += [problems_table(everything, problems, runs) for runs in (16, 32)]
    return tables


def main(
    quick: bool = False,
    *,
    folder: Path | None = None,
    names: list[str] | None = None,
    proposers: list[str] | None = None,
    seeds: int | None = None,
) -> None:
    """Run what has no result yet; write the tables, or only print those of a slice."""
    sliced = quick or names is not None or proposers is not None or seeds is not None
    problems = problems_named(list(QUICK) if quick and not names else names)
    known = entrants()
    field = [e for e in known.values() if not e.race]
    who = [known[name] for name in proposers] if proposers else field
    cells = grid(problems, who, seeds or (QUICK_SEEDS if quick else SEEDS))
    racing = [] if proposers else race(problems, seeds or (QUICK_SEEDS if quick else RACE_SEEDS))
    with tempfile.TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        results = run_cells([*cells, *racing], place / "cells.jsonl")
    tables = tables_of(results[: len(cells)], problems)
    if racing:
        tables.append(race_table(results[len(cells) :], problems))
        tables.append(decisions_table([name for name, e in known.items() if e.ours]))
    text = page(tables)
    print(text)
    if not sliced:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "proposers.md").write_text(text, encoding="utf-8")


LEAD_NOTE = (
    "The default here is `portfolio` whose arms compete from the first launch after the opening; "
    "`auto` takes the launch that promises most first: see `proposers_small.md`."
)


def page(tables: list[Table]) -> str:
    """Return the page that holds the tables."""
    head = [
        "# Which run next: proposers and peers",
        "",
        f"`python -m tests.benchmarks.proposers`, {datetime.now(UTC):%Y-%m-%d}",
        "",
        machine(),
        "",
        versions(),
        "",
        LEAD_NOTE,
        "",
    ]
    return "\n".join([*head, *(table.text() for table in tables)])


def listed(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a few problems, four seeds")
    parser.add_argument("--folder", type=Path, help="where raw results are kept")
    parser.add_argument("--problems", type=listed, help="problems or families, with commas")
    parser.add_argument("--proposers", type=listed, help="who takes part, with commas")
    parser.add_argument("--seeds", type=int, help=f"seeds of each problem; {SEEDS} if not given")
    given = parser.parse_args()
    main(
        given.quick,
        folder=given.folder,
        names=given.problems,
        proposers=given.proposers,
        seeds=given.seeds,
    )
