from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector

pytest.importorskip("mo_gymnasium", reason="needs the extra `bench`")
pytest.importorskip("torch", reason="needs the extra `train`")

from tests.benchmarks.morl.barrier import Barrier, log_barrier, thresholds_of
from tests.benchmarks.morl.ppo import Runner, advantages
from tests.benchmarks.morl.spec import JOBS, load_job
from tests.benchmarks.morl.training import episode_returns, fresh_policy, scale_of, train, world_of
from tests.benchmarks.morl.worlds import WORLDS

pytestmark = pytest.mark.train


def proposal(weights: list[float], seed: int = 0, **fields) -> Proposal:
    kind = LaunchKind.CONSTRAINED if "thresholds" in fields else LaunchKind.WEIGHTED
    return Proposal(kind, WeightVector.of(weights), seed, "", "test", **fields)


def test_the_advantages_done_by_hand() -> None:
    rewards, values = np.array([[[0.0]], [[4.0]]]), np.array([[[1.0]], [[2.0]]])
    over = np.array([[False], [True]])
    found = advantages(rewards, values, over, np.array([[9.0]]), np.array([0.5]), 1.0)
    assert found[:, 0, 0].tolist() == [1.0, 2.0]


def test_channels_do_not_see_each_other() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 5, 3, 4))
    over, last = rng.random((5, 3)) < 0.3, rng.normal(size=(3, 4))
    discounts = np.array([0.9, 0.8, 1.0, 0.5])
    together = advantages(rewards, values, over, last, discounts, 0.7)
    for i in range(4):
        one = (rewards[..., [i]], values[..., [i]], over, last[:, [i]], discounts[[i]], 0.7)
        assert together[..., [i]] == pytest.approx(advantages(*one))


def test_with_a_trace_of_one_advantages_are_returns_less_values() -> None:
    rng = np.random.default_rng(1)
    rewards, values = rng.normal(size=(2, 6, 2, 1))
    over, last = np.zeros((6, 2), dtype=bool), rng.normal(size=(2, 1))
    found = advantages(rewards, values, over, last, np.array([0.9]), 1.0)
    returns = sum(0.9**t * rewards[t] for t in range(6)) + 0.9**6 * last
    assert found[0] == pytest.approx(returns - values[0])


def test_the_barrier_done_by_hand() -> None:
    slack = np.array([np.e, 1.0, -1.0])
    assert log_barrier(slack, 2.0, 1.0) == pytest.approx([0.5, 0.0, -1.0])


def test_the_barrier_has_no_step_at_its_edge_and_always_rises() -> None:
    slack = np.linspace(-1, 1, 2001)
    worth = log_barrier(slack, 20.0, 0.01)
    assert (np.diff(worth) > 0).all()
    near = log_barrier(np.array([0.01 - 1e-7, 0.01 + 1e-7]), 20.0, 0.01)
    assert near[0] == pytest.approx(near[1], abs=1e-5)


def test_a_barrier_looks_at_bounded_objectives_alone() -> None:
    barrier = Barrier(np.array([0.5, -np.inf]), 1.0, 0.1)
    worth = barrier.worth(np.array([[1.5, 0.0], [1.5, -7.0]]))
    assert worth == pytest.approx([0.0, 0.0])


def test_the_target_has_no_threshold() -> None:
    launch = proposal([0.5, 0.5], parent="p", target=1, thresholds=(2.0, 3.0))
    assert thresholds_of(launch, np.array([4.0, 1.0])).tolist() == [0.5, -np.inf]
    assert thresholds_of(proposal([0.5, 0.5]), np.ones(2)) is None


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_job_loads_and_names_every_reward(path) -> None:
    spec = load_job(path.stem)
    assert len(spec.objectives) == WORLDS[spec.environment.id].objectives


def test_the_returns_of_a_rollout_are_those_of_its_episodes() -> None:
    spec = load_job("deep_sea_treasure")
    world, policy = world_of(spec, 0), fresh_policy(spec, 0)
    knobs = spec.method.model_copy(update={"episodes": 1, "rollout": 200, "horizon": None})
    rollout = Runner(world, policy, knobs, np.ones(2), 0.99, None).play()
    end = int(rollout.over[:, 0].argmax()) + 1
    discounted = (rollout.rewards[:end, 0, :2] * 0.99 ** np.arange(end)[:, None]).sum(axis=0)
    assert rollout.returns[0] == pytest.approx(discounted)


def test_the_barrier_is_paid_out_as_returns_come_in() -> None:
    """Over an episode it comes to what its returns are worth, less what none are worth."""
    spec = load_job("deep_sea_treasure")
    world, policy = world_of(spec, 0), fresh_policy(spec, 0)
    knobs = spec.method.model_copy(update={"episodes": 1, "rollout": 200, "horizon": None})
    barrier = Barrier(np.array([0.2, -0.5]), 20.0, 0.01)
    rollout = Runner(world, policy, knobs, np.array([124.0, 20.0]), 0.99, barrier).play()
    end = int(rollout.over[:, 0].argmax()) + 1
    none, whole = barrier.worth(np.stack([np.zeros(2), rollout.returns[0]]))
    assert rollout.rewards[:end, 0, 2].sum() == pytest.approx(whole - none)


def trained_on(spec, launch: Proposal, parent=None):
    policy = fresh_policy(spec, launch.seed, parent)
    for _ in train(spec, launch, policy):
        pass
    return policy


def test_a_run_for_one_nutrient_finds_its_best_fruit() -> None:
    from mo_gymnasium.envs.fruit_tree.fruit_tree import FRUITS

    spec = load_job("fruit_tree")
    policy = trained_on(spec, proposal([0, 0, 1, 0, 0, 0]))
    returns, played = episode_returns(spec, policy, 1, 0)
    assert returns[0, 2] == pytest.approx(np.array(FRUITS["6"])[:, 2].max() * 0.99**5, rel=1e-6)
    assert played == 6


def test_a_constrained_run_ends_on_a_concave_front(tmp_path) -> None:
    """No weights lead between the treasures of 1 and 124: a weighted run takes one of them."""
    spec = load_job("deep_sea_treasure")
    trained_on(spec, proposal([1, 0])).save(tmp_path)
    kept = proposal([0.25, 0.75], 1, parent="p", target=1, thresholds=(42.0, -17.38))
    policy = trained_on(spec, kept, tmp_path)
    returns, _ = episode_returns(spec, policy, 1, 0)
    between = [(50, 14), (74, 17)]
    reached = [(t * 0.99 ** (n - 1), -(1 - 0.99**n) / 0.01) for t, n in between]
    assert any(returns[0] == pytest.approx(point) for point in reached)


def test_a_run_is_the_same_twice() -> None:
    spec = load_job("fruit_tree")
    spec = spec.model_copy(update={"method": spec.method.model_copy(update={"steps": 2})})
    one, two = (trained_on(spec, proposal([1, 1, 0, 0, 0, 0])) for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert a.equal(b)


def test_a_softened_policy_prefers_what_it_did(tmp_path) -> None:
    spec = load_job("fruit_tree")
    policy = trained_on(spec, proposal([1, 0, 0, 0, 0, 0]))
    before = episode_returns(spec, policy, 1, 0)[0]
    policy.save(tmp_path)
    assert scale_of(spec).tolist() == [10.0] * 6
    assert (episode_returns(spec, fresh_policy(spec, 5, tmp_path), 1, 0)[0] == before).all()
