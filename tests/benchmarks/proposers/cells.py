"""The grid of sweeps: two processes, a line of JSON for each; continues after an interruption."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ParetoflowError
from paretoflow.engine.oracles import AnyOracle
from tests.benchmarks.proposers.field import Setting, entrants
from tests.benchmarks.proposers.oracles import (
    ExactOracle,
    Remembered,
    ReplayOracle,
    TruncatedOracle,
)
from tests.benchmarks.proposers.problems import Known, Target, problems_named, target_of
from tests.benchmarks.proposers.virtual_sweep import VirtualSweep
from tests.benchmarks.proposers.weather import Weather

PROCESSES = 2
TOLD_EVERY = 200
EXACT, TRUNCATED, REPLAY, PROMPTS = "exact", "truncated", "replay", "prompts"


@dataclass(frozen=True)
class Cell:
    """One sweep to run.

    Args:
        problem: Name of a problem.
        level: Of its oracle: exact, truncated or replay.
        entrant: Name of who proposes.
        seed: Of the weather and the sweep.
        runs: Budget.
        workers: Runs in training at a time; 0 for as many as the weather says.
    """

    problem: str
    level: str
    entrant: str
    seed: int
    runs: int
    workers: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """Return what makes it different from every other."""
        return self.problem, self.level, self.entrant, self.seed, self.runs, self.workers


@dataclass(frozen=True)
class Result:
    """Result of a sweep; see `virtual_sweep.Curve`.

    Args:
        cell: The sweep.
        noise: Of its weather.
        sigma: Of its weather.
        workers: Of its weather.
        shares: After each ended run.
        hours: Likewise.
        think_s: Of all decisions.
        decisions: Launches chosen.
        kinds: Launches by kind.
        left_out: Why it was not run; empty if it was.
    """

    cell: Cell
    noise: float
    sigma: float
    workers: int
    shares: tuple[float, ...] = ()
    hours: tuple[float, ...] = ()
    think_s: float = 0.0
    decisions: int = 0
    kinds: dict[str, int] | None = None
    left_out: str = ""

    def at(self, runs: int) -> float | None:
        """Return the share after so many ended runs; None if the budget was smaller."""
        if not self.shares or runs > self.cell.runs:
            return None
        return self.shares[min(runs, len(self.shares)) - 1]

    def runs_to(self, share: float) -> float:
        """Return the number of ended runs after which a share was first there; inf if never."""
        return next((i + 1.0 for i, s in enumerate(self.shares) if s >= share), float("inf"))

    def hours_to(self, share: float) -> float:
        """Return the virtual time at which a share was first there; inf if never."""
        return next(
            (h for h, s in zip(self.hours, self.shares, strict=True) if s >= share), float("inf")
        )


def levels_of(problem: Known) -> tuple[str, ...]:
    """Return the oracles that a problem has."""
    if problem.family == "recorded":
        return (REPLAY,)
    if problem.prompted is not None:
        return (PROMPTS,)
    return (EXACT,) if problem.trainable is None else (EXACT, TRUNCATED)


@lru_cache(maxsize=256)
def remembered(problem: Known, level: str, seed: int) -> AnyOracle:
    """Return the oracle of a sweep, one for all who propose for it."""
    return Remembered(oracle_of(problem, target_of(problem), level, seed))


def oracle_of(problem: Known, target: Target, level: str, seed: int) -> AnyOracle:
    """Return a problem's oracle for the sweep of a seed."""
    if level == PROMPTS:
        assert problem.prompted is not None
        return problem.prompted(target.low, target.high, seed)
    if level == TRUNCATED:
        assert problem.trainable is not None
        return TruncatedOracle(problem.trainable(), target)
    if level == REPLAY:
        assert problem.recorded is not None
        return ReplayOracle(problem.recorded, target)
    return ExactOracle(target.gains)


def run_cell(cell: Cell) -> Result:
    """Run one sweep."""
    problem = problems_named([cell.problem])[0]
    target, weather = target_of(problem), Weather.of(cell.seed, cell.problem)
    if cell.workers:
        weather = replace(weather, workers=cell.workers)
    told = {"noise": weather.noise, "sigma": weather.sigma, "workers": weather.workers}
    setting = Setting(target, cell.runs, weather.workers)
    try:
        proposer = entrants()[cell.entrant].build(setting)
    except ParetoflowError as e:
        return Result(cell, **told, left_out=str(e))
    oracle = remembered(problem, cell.level, cell.seed)
    sweep = VirtualSweep(target, oracle, weather, cell.runs)
    curve = sweep.swept(proposer, cell.seed)
    return Result(
        cell,
        **told,
        shares=tuple(round(s, 5) for s in curve.shares),
        hours=tuple(round(h, 3) for h in curve.hours),
        think_s=round(curve.think_s, 3),
        decisions=curve.decisions,
        kinds=curve.kinds,
        left_out=curve.gave_up,
    )


MapOver = Callable[[Sequence[Cell]], Iterable[Result]]


def run_cells(cells: Sequence[Cell], file: Path, map_over: MapOver | None = None) -> list[Result]:
    """Run the cells that the file has no line of; return the results of all of them.

    A line is written as soon as its sweep has ended. Results depend on the code: take another file
    when a proposer has changed.

    Args:
        cells: What to run.
        file: Lines of JSON; need not exist.
        map_over: Runs cells, in any order; two processes if None.
    """
    done = {r.cell.key: r for r in read(file)}
    missing = list({c.key: c for c in cells if c.key not in done}.values())
    mend(file)
    print(f"{len(missing)} of {len(cells)} sweeps to run", flush=True)
    with file.open("a", encoding="utf-8") as out:
        for number, result in enumerate((map_over or on_processes)(missing), 1):
            done[result.cell.key] = result
            out.write(json.dumps(asdict(result)) + "\n")
            out.flush()
            if number % TOLD_EVERY == 0:
                print(f"{number} of {len(missing)} sweeps", flush=True)
    return [done[c.key] for c in cells]


def on_processes(cells: Sequence[Cell]) -> Iterator[Result]:
    """Yield the cells' results as they come, from two processes with one thread each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if cells:
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            yield from pool.imap_unordered(run_cell, cells)


def mend(file: Path) -> None:
    """Cut off a last line that was not written whole."""
    if file.exists():
        whole, _, rest = file.read_text(encoding="utf-8").rpartition("\n")
        if rest:
            file.write_text(whole + "\n" if whole else "", encoding="utf-8")


def read(file: Path) -> Iterable[Result]:
    """Yield the results in a file; a last line that was cut off is left out."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    for line in lines:
        if line.endswith("\n"):
            yield result_from(json.loads(line))


def result_from(plain: dict[str, Any]) -> Result:
    """Return a result from its line."""
    lists = {k: tuple(plain[k]) for k in ("shares", "hours")}
    return Result(**{**plain, **lists, "cell": Cell(**plain["cell"])})
