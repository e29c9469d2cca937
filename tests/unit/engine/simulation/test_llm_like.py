"""The oracle that behaves like fine-tuning: what it promises, measured on its known truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from paretoflow.core.merge import Merge
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.engine.oracles import OracleCheckpoint, Snapshot, TrainingTask
from paretoflow.engine.session.simulate import load_oracle, simulate
from paretoflow.engine.simulation.llm_like import LlmLikeOracle, Prompts
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.simplex import symmetric_simplex
from tests.histories import problem_of, weighted
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import PROBLEM

TWO = problem_of(2)


def trained(
    oracle: LlmLikeOracle, launch: Proposal | Sequence[float], seed: int = 0, **task: object
) -> Sequence[OracleCheckpoint]:
    proposal = launch if isinstance(launch, Proposal) else weighted(launch)
    rng = np.random.default_rng(seed)
    asked = TrainingTask(task.pop("problem", TWO), "r", 0, proposal, **task)  # type: ignore[arg-type]
    return oracle.train(asked, rng)


def ends(oracle: LlmLikeOracle, count: int) -> FloatArray:
    """Return the truths of runs at weights spread evenly, shape (k, 2)."""
    runs = [trained(oracle, w, i) for i, w in enumerate(symmetric_simplex(2, count))]
    return np.array([oracle.truth(run[-1].state) for run in runs])


@pytest.mark.parametrize("seed", range(3))
def test_most_weights_end_at_one_point_and_training_on_goes_further(seed: int) -> None:
    oracle = LlmLikeOracle(seed)
    front = oracle.front(TWO)
    found = (ends(oracle, 40) - front.min(axis=0)) / np.ptp(front, axis=0)
    near = np.abs(found[:, None] - found[None]).max(axis=2) < 0.1
    assert near.mean(axis=1).max() > 0.5
    corner = trained(oracle, [1, 0])
    on = trained(oracle, [1, 0], 1, start=corner[-1].state)
    gains = [oracle.truth(run[-1].state)[0] for run in (corner, on)]
    assert gains[1] > gains[0]


def test_training_on_equals_one_longer_run_without_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretoflow.engine.simulation.llm_like.NOISE", 0.0)
    first = trained(LlmLikeOracle(steps=10), [0.3, 0.7])
    on = trained(LlmLikeOracle(steps=10), [0.3, 0.7], start=first[-1].state)
    whole = trained(LlmLikeOracle(steps=20), [0.3, 0.7])
    np.testing.assert_allclose(on[-1].state[0], whole[-1].state[0])


def test_no_policy_passes_the_known_front_by_much() -> None:
    oracle = LlmLikeOracle(1, steps=150)
    front, found = oracle.front(TWO), ends(oracle, 30)
    ref = np.zeros(2)
    both = hypervolume(np.vstack([front, found]), ref)
    assert both <= 1.01 * hypervolume(front, ref)


def test_a_constrained_run_raises_its_target_above_its_threshold() -> None:
    oracle = LlmLikeOracle()
    start = trained(oracle, [0.5, 0.5])[-1].state
    slow = int(oracle.truth(start).argmin())
    bounds = oracle.truth(start) - 0.1
    bounds[slow] = -np.inf
    launch = Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector.of([1, 1]),
        0,
        "Because.",
        "by hand",
        parent="x",
        target=slow,
        thresholds=tuple(bounds.tolist()),
    )
    end = oracle.truth(trained(oracle, launch, start=start)[-1].state)
    assert end[slow] > oracle.truth(start)[slow]
    assert end[1 - slow] > bounds[1 - slow] - 0.04


def test_scores_are_means_over_prompts_that_are_hard_for_all_policies() -> None:
    oracle = LlmLikeOracle(prompts=Prompts(count=4000, answers=1))
    run = trained(oracle, [0.5, 0.5])
    for point in run:
        seen = np.asarray(point.prompt_scores)
        assert set(np.unique(seen)) == {0.0, 1.0}
        assert seen.mean(axis=1) == pytest.approx(oracle.truth(point.state), abs=0.03)
    first, last = (np.asarray(point.prompt_scores)[0] for point in run)
    again = np.asarray(
        oracle.evaluate(Snapshot("x", run[-1].state), np.random.default_rng(5)).prompt_scores
    )
    assert np.corrcoef(first, last)[0, 1] > 0.1  # shared prompts
    assert np.corrcoef(again[0], again[1])[0, 1] > 0.05  # hard for both objectives
    assert not np.array_equal(again[0], last)


def test_other_prompts_are_another_draw_of_the_same_world() -> None:
    state = trained(LlmLikeOracle(), [0.5, 0.5])[-1].state
    drawn = [LlmLikeOracle(prompts=Prompts(seed=s)) for s in (1, 2)]
    assert len({tuple(o.truth(state)) for o in (*drawn, LlmLikeOracle())}) == 1
    assert not np.array_equal(drawn[0].world(2).hard, drawn[1].world(2).hard)


def test_a_mixture_is_the_mean_of_policies_and_ranges_are_the_users_own() -> None:
    oracle = LlmLikeOracle()
    states = tuple(trained(oracle, w, problem=PROBLEM)[-1].state for w in ([1, 0], [0, 1]))
    merge = Merge(parents=("a", "b"), coefficients=(0.5, 0.5), how="cat")
    mix = Proposal(LaunchKind.MERGE, WeightVector.of([1, 1]), 1, "Because.", "soups", merge=merge)
    (point,) = trained(oracle, mix, problem=PROBLEM, mixed=states)
    np.testing.assert_allclose(point.state[0], (states[0][0] + states[1][0]) / 2)
    coverage, words = oracle.truth(point.state)  # words: 10 is worst, fewer are better
    shares = oracle.world(2).means(point.state[0])
    assert (coverage, words) == pytest.approx((shares[0], 10 * (1 - shares[1])))


def test_a_sweep_can_name_it() -> None:
    first, second = (simulate(circle_spec(), load_oracle("llm_like")) for _ in range(2))
    assert first.front == second.front
    assert len(first.front.points) > 1
    assert all(min(point.stderr) > 0 for point in first.front.points)
