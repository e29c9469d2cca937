"""The benchmark of proposers: its oracles, its weather and its sweeps, on cases worked by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.engine.oracles import OracleCheckpoint, Training, TrainingTask
from paretoflow.front.hypervolume import hypervolume
from tests.benchmarks.proposers.cells import Cell, Result, read, run_cell, run_cells
from tests.benchmarks.proposers.field import Setting, default_of, entrants
from tests.benchmarks.proposers.held_out import held_out, interval
from tests.benchmarks.proposers.oracles import ExactOracle, ReplayOracle, TruncatedOracle
from tests.benchmarks.proposers.problems import (
    PROBLEMS,
    TUNING,
    Target,
    problems_named,
    recorded_problems,
    target_of,
)
from tests.benchmarks.proposers.scores import duel, with_default
from tests.benchmarks.proposers.small import holm
from tests.benchmarks.proposers.virtual_sweep import Row, VirtualSweep, claimed
from tests.benchmarks.proposers.weather import SEEDS, Weather
from tests.histories import problem_of, weighted

THREE = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])


def constrained(target: int, thresholds: tuple[float, ...], parent: str = "p") -> Proposal:
    return replace(
        weighted([1.0] * len(thresholds)),
        kind=LaunchKind.CONSTRAINED,
        target=target,
        thresholds=thresholds,
        parent=parent,
    )


def checkpoints(
    oracle: Training, proposal: Proposal, start: object = None
) -> Sequence[OracleCheckpoint]:
    task = TrainingTask(problem_of(2), "r0000", 0, proposal, start)
    return oracle.train(task, np.random.default_rng(0))


def target(name: str) -> Target:
    return target_of(problems_named([name])[0])


def test_an_exact_oracle_finds_the_best_that_keeps_the_thresholds_or_misses_least() -> None:
    oracle = ExactOracle(THREE)
    assert oracle.row_of(weighted([1, 3])) == 0
    assert oracle.row_of(constrained(0, (9.0, 0.4))) == 1
    assert oracle.row_of(constrained(1, (-1.0, 9.0))) == 0
    assert oracle.row_of(constrained(0, (-np.inf, 1.2))) == 0


def test_every_front_starts_at_nought_ends_at_one_and_has_its_shape() -> None:
    shapes = {"zdt1": "convex", "circle_concave": "concave", "dtlz2": "concave"}
    for name, shape in shapes.items():
        found = target(name)
        assert found.shape == shape
        np.testing.assert_allclose(found.gains.min(axis=0), 0.0)
        np.testing.assert_allclose(found.gains.max(axis=0), 1.0)
        assert found.share(found.gains) == 1.0


def test_families_are_for_tuning_or_for_the_verdict_and_names_are_unique() -> None:
    assert set(TUNING) < {p.family for p in PROBLEMS}
    assert len({p.name for p in PROBLEMS}) == len(PROBLEMS)
    with pytest.raises(ValueError, match="unknown problems \\['zdt9'\\]"):
        problems_named(["zdt9"])


@pytest.mark.parametrize(
    ("name", "ref", "volume"),
    [
        ("vehicle_safety", (1864.72022, 11.81993945, 0.2903999384), 246.81607081187002),
        ("car_side_impact", (45.4872, 4.5114, 13.3394, 10.3942), 484.72654347642793),
        ("penicillin", (25.935, 57.612, 935.5), 2183455.909507436),
    ],
)
def test_fronts_that_were_searched_for_are_nearly_as_good_as_botorch_says_they_can_be(
    name: str, ref: tuple[float, ...], volume: float
) -> None:
    found = target(name)
    raw = found.low + found.gains * (found.high - found.low)
    assert hypervolume(raw, -np.array(ref)) == pytest.approx(volume, rel=0.04)


def test_a_truncated_run_ends_early_and_goes_further_from_a_parent() -> None:
    problem = problems_named(["zdt1"])[0]
    front = target("zdt1")
    assert problem.trainable is not None
    oracle = TruncatedOracle(problem.trainable(), front)
    base = oracle.base(problem_of(2), np.random.default_rng(0))
    assert -0.2 < np.min(base.scores) < 0.1
    half, end = checkpoints(oracle, weighted([1, 1]))
    (_, further) = checkpoints(oracle, weighted([1, 1]), end.state)
    sums = [np.sum(f.scores) for f in (base, half, end, further)]
    assert sums == sorted(sums)
    assert front.gains.sum(axis=1).max() + 1e-9 >= sums[-1]


def test_a_truncated_constrained_run_heeds_its_threshold() -> None:
    problem = problems_named(["zdt1"])[0]
    assert problem.trainable is not None
    oracle = TruncatedOracle(problem.trainable(), target("zdt1"), steps=120)
    for threshold in (0.3, 0.6):
        end = checkpoints(oracle, constrained(0, (0.0, threshold)))[-1]
        assert end.scores[1] == pytest.approx(threshold, abs=0.1)


def test_a_replay_answers_with_the_nearest_weights_and_all_checkpoints(tmp_path: Path) -> None:
    runs = [
        {"weights": [1.0, 0.0], "gains": [[0.5, 0.0], [10.0, 0.0]]},
        {"weights": [0.0, 1.0], "gains": [[0.0, 4.0]]},
    ]
    (tmp_path / "toy.json").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    (problem,) = recorded_problems(tmp_path)
    front = target_of(problem)
    oracle = ReplayOracle(tmp_path / "toy.json", front)
    found = checkpoints(oracle, weighted([0.8, 0.2]))
    assert [f.scores.tolist() for f in found] == [[0.05, 0.0], [1.0, 0.0]]
    assert [f.cost for f in found] == [0.5, 0.5]
    raised = checkpoints(oracle, constrained(0, (0.0, 0.9)))
    assert raised[-1].scores.tolist() == [0.0, 1.0]


def test_as_many_seeds_as_there_are_kinds_of_weather_meet_each_once() -> None:
    met = [Weather.of(seed, "zdt1") for seed in range(SEEDS)]
    assert len({(w.noise, w.sigma, w.workers) for w in met}) == SEEDS == 24


def test_luck_follows_the_run_and_is_as_told() -> None:
    weather = Weather(3, "zdt1", noise=0.05, sigma=0.5)
    luck = [weather.luck(run, 2) for run in range(2000)]
    again = weather.luck(7, 2)
    assert again.loss.tolist() == luck[7].loss.tolist()
    assert 0.01 < np.mean([x.fails for x in luck]) < 0.03
    assert np.mean([x.hours for x in luck]) == pytest.approx(1.0, abs=0.05)
    assert min(x.loss.min() for x in luck) >= 0
    errors = np.array([weather.measured(np.zeros(2), x) for x in luck])
    np.testing.assert_allclose(errors.std(axis=0), 0.05, rtol=0.1)
    assert np.corrcoef(errors.T)[0, 1] == pytest.approx(0.5, abs=0.1)


def test_what_is_claimed_goes_by_what_was_seen() -> None:
    error = np.full(2, 0.1)
    lucky = Row(0, "a", np.array([1.0, 1.0]), np.array([0.2, 0.2]), error)
    honest = Row(1, "b", np.array([0.6, 0.6]), np.array([0.6, 0.6]), error)
    assert claimed([lucky, honest]) == [lucky]
    assert claimed([]) == []


class Looking:
    """Trains once, then looks at the same snapshot again and again, and trains once more."""

    def __init__(self) -> None:
        self.errors: list[float] = []

    def propose(self, history: History, pending: object, count: int, seed: int) -> list[Proposal]:
        self.errors += history.stderr[:1, 0].tolist()
        if 0 < len(history.runs) < 4:
            look = replace(weighted([1, 1]), kind=LaunchKind.REEVALUATE)
            return [replace(look, parent=history.snapshot_ids[0], seed=len(history.runs))]
        return [weighted([1, 1 + len(history.runs)], seed=len(history.runs))]


def test_a_further_look_sharpens_a_row_and_is_no_run() -> None:
    front = target("zdt1")
    weather = Weather(1, "zdt1", noise=0.04, sigma=0.0, workers=1, failures=0.0, straggler=1.0)
    looking = Looking()
    curve = VirtualSweep(front, ExactOracle(front.gains), weather, 2).swept(looking, 1)
    assert curve.kinds == {"weighted": 2, "reevaluate": 3}
    assert curve.hours == pytest.approx([1.0, 1.0 + 3 * 0.05 + 1.0])
    np.testing.assert_allclose(looking.errors, 0.04 / np.sqrt([1, 2, 3, 4]))


class Watching:
    """Asks for one weight vector after another, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[History, int, int]] = []

    def propose(self, history: History, pending: object, count: int, seed: int) -> list[Proposal]:
        assert isinstance(pending, list)
        self.seen.append((history, len(pending), count))
        first = len(history.runs) + len(pending)
        return [weighted([1.0, float(first + i)], seed=first + i) for i in range(count)]


def test_a_sweep_keeps_its_workers_busy_and_shows_what_a_real_one_would() -> None:
    watching = Watching()
    weather = Weather(1, "zdt1", noise=0.03, workers=4, failures=0.2)
    front = target("zdt1")
    curve = VirtualSweep(front, ExactOracle(front.gains), weather, 20).swept(watching, 1)
    assert [count for _, _, count in watching.seen] == [4] + [1] * 16
    assert [pending for _, pending, _ in watching.seen] == [0] + [3] * 16
    assert len(curve.shares) == curve.decisions == 20
    assert curve.hours == sorted(curve.hours)
    last = watching.seen[-1][0]
    failed = [r for r in last.runs if r.status.value == "failed"]
    assert len(last.gains) == len(last.runs) - len(failed) < len(last.runs)
    assert (last.stderr == 0.03).all()
    assert (last.run_index >= 0).all()


def test_the_straggler_takes_five_times_as_long() -> None:
    front = target("zdt1")
    hours = [
        VirtualSweep(
            front,
            ExactOracle(front.gains),
            Weather(1, "zdt1", sigma=0.0, workers=1, failures=0.0, straggler=slow),
            3,
        )
        .swept(Watching(), 1)
        .hours
        for slow in (1.0, 5.0)
    ]
    assert hours == [[1.0, 2.0, 3.0], [5.0, 10.0, 15.0]]


def test_checkpoints_of_runs_in_training_are_shown_and_can_be_parents() -> None:
    problem = problems_named(["zdt1"])[0]
    assert problem.trainable is not None
    front = target("zdt1")
    watching = Watching()
    oracle = TruncatedOracle(problem.trainable(), front)
    sweep = VirtualSweep(front, oracle, Weather(1, "zdt1", workers=4), 8)
    sweep.swept(watching, 1)
    assert watching.seen[0][0].run_index.tolist() == [-1]
    assert any((history.run_index == -2).any() for history, _, _ in watching.seen)


@pytest.mark.parametrize("name", ["llm_2_0", "sealed_llm_2"])
def test_scores_by_prompt_are_seen_and_the_truth_is_scored(name: str) -> None:
    (problem,) = problems_named([name])
    front, watching = target(name), Watching()
    assert problem.prompted is not None
    oracle = problem.prompted(front.low, front.high, 3)
    sweep = VirtualSweep(front, oracle, Weather(3, name, noise=0.5, workers=2, failures=0.0), 8)
    curve = sweep.swept(watching, 3)
    history = sweep.history()
    assert len(history.gains) == 1 + 2 * 8
    assert (history.stderr > 0).all()
    assert history.stderr.max() < 0.3  # prompts decide it, not the weather
    assert 0.1 < curve.shares[0] < curve.shares[-1] < 1.05
    again = VirtualSweep(front, oracle, Weather(3, name, workers=2, failures=0.0), 8)
    looked = again.swept(Looking(), 3)
    assert looked.kinds["reevaluate"] == 3


def test_the_sealed_family_has_its_shapes_and_is_asked_for_by_name_alone() -> None:
    shapes = [target(p.name).shape for p in problems_named(["sealed_convex", "sealed_concave"])]
    assert shapes == ["convex", "convex", "concave", "concave"]
    assert not any(p.name.startswith("sealed") for p in problems_named())


def test_all_of_ours_take_part_and_the_default_is_one_of_them() -> None:
    ours = {name for name, entrant in entrants().items() if entrant.ours}
    assert {"cmorl", "dirichlet", "empty_box", "lattice"} <= ours
    assert not {"map", "soups"} & ours
    assert {default_of(m) for m in (2, 3, 4, 6)} <= ours
    front = target("zdt1")
    lattice = entrants()["lattice"].build(Setting(front, 4, 2))
    weather = Weather(1, "zdt1", failures=0.0)
    curve = VirtualSweep(front, ExactOracle(front.gains), weather, 4).swept(lattice, 1)
    assert curve.shares[-1] > 0.5


def test_a_grid_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    cells = [Cell("zdt1", "exact", "lattice", seed, 4) for seed in range(2)]
    file = tmp_path / "cells.jsonl"
    first = run_cell(cells[0])
    file.write_text(json.dumps(asdict(first)) + '\n{"cell": {"prob', encoding="utf-8")
    assert list(read(file)) == [first]
    ran: list[Cell] = []

    def run(cell: Cell) -> Result:
        ran.append(cell)
        return replace(first, cell=cell)

    assert [r.cell for r in run_cells(cells, file, map_over=partial(map, run))] == cells
    assert ran == cells[1:]
    assert [r.cell for r in read(file)] == cells


def result(entrant: str, seed: int, shares: tuple[float, ...], problem: str = "zdt1") -> Result:
    cell = Cell(problem, "exact", entrant, seed, len(shares))
    return Result(cell, 0.0, 0.5, 8, shares, tuple(range(1, len(shares) + 1)))


def test_figures_of_a_result_by_hand() -> None:
    one = result("lattice", 0, (0.5, 0.9, 0.96))
    assert [one.at(k) for k in (1, 2, 3, 4)] == [0.5, 0.9, 0.96, None]
    assert (one.runs_to(0.9), one.hours_to(0.95)) == (2, 3)
    assert one.runs_to(0.99) == float("inf")


def test_a_duel_counts_pairs_and_the_default_is_whom_auto_stands_for() -> None:
    ours = [result("empty_box", s, (0.5 + 0.1 * s,)) for s in range(4)]
    theirs = [result("lattice", s, (0.6,)) for s in range(3)]
    found = duel(ours, theirs, 1)
    assert found is not None
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    assert found.gap == pytest.approx(0.0)
    assert duel(ours, [], 1) is None
    everyone = with_default([*ours, *theirs], problems_named(["zdt1"]))
    assert [r.cell.entrant for r in everyone].count("default") == (
        4 if default_of(2) == "empty_box" else 0
    )


def test_p_values_are_corrected_by_holm_by_hand() -> None:
    # the smallest times 3, the next times 2, the last times 1, and never below one before
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, float("nan")]) == [1.0, 1.0]


def test_halves_of_the_seeds_choose_the_arm_that_the_others_are_compared_with() -> None:
    sweeps = [("p", "exact", seed) for seed in range(4)]
    ours = dict.fromkeys(sweeps, 0.5)
    # seeds 0 and 3 choose `one`, 1 and 2 choose `two`: each meets the sweeps on which it is poor
    one = dict(zip(sweeps, [0.9, 0.2, 0.4, 0.9], strict=True))
    two = dict(zip(sweeps, [0.3, 0.8, 0.8, 0.5], strict=True))
    gap = held_out(ours, {"one": one, "two": two})
    assert gap is not None
    assert gap.arms == ("one", "two")
    assert gap.mean == pytest.approx(np.mean([0.3, 0.1, 0.2, 0.0]))
    assert sorted(gap.gaps) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert gap.low < gap.mean < gap.high
    assert held_out(dict.fromkeys(sweeps[:1], 0.5), {"one": one}) is None


def test_the_interval_of_gaps_by_hand() -> None:
    mean, low, high = interval(np.array([-0.1, 0.1, 0.3]))
    assert (mean, low, high) == pytest.approx((0.1, -0.397, 0.597), abs=1e-3)


def test_copies_of_the_default_are_level_with_it_though_the_best_in_hindsight_is_ahead() -> None:
    rng = np.random.default_rng(0)
    sweeps = [(name, "exact", seed) for name in "abc" for seed in range(8)]
    drawn = [dict(zip(sweeps, rng.normal(0.5, 0.1, 24).tolist(), strict=True)) for _ in range(5)]
    ours, arms = drawn[0], dict(zip("vwxy", drawn[1:], strict=True))
    best = max(np.mean([ours[k] - arm[k] for k in sweeps]) for arm in arms.values())
    gap = held_out(ours, arms)
    assert gap is not None
    assert gap.low < 0 < gap.high
    assert min(np.mean([ours[k] - arm[k] for k in sweeps]) for arm in arms.values()) <= best


def test_the_second_sealed_family_has_its_shapes_too() -> None:
    fronts = [target(p.name) for p in problems_named(["unseen_convex", "unseen_concave"])]
    assert [f.m for f in fronts] == [2, 2, 3, 3] * 2
    assert "concave" not in {f.shape for f in fronts[:4]}
    assert {f.shape for f in fronts[4:]} == {"concave"}
    assert not any(p.name.startswith("unseen") for p in problems_named())
