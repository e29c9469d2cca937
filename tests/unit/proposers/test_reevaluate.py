from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.status import RunStatus
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers import build, resolve_tag
from paretoflow.spec.proposers import ReevaluateProposerSpec
from paretoflow.spec.search import Axis
from tests.histories import Front, history_of, opening, problem_of, swept, weighted, zdt1

ROWS = [(0, [0.9, 0.1]), (1, [0.1, 0.9]), (2, [0.52, 0.5]), (3, [0.5, 0.51]), (4, [0.1, 0.1])]
"""The third and the fourth are close to each other; the last is beyond doubt."""
DONE = [*opening(2), weighted((0.3, 0.7)), weighted((0.7, 0.3))]
THIRD, FOURTH = "r0002-a0-s0002", "r0003-a0-s0003"


def spec_of(**knobs: object) -> ReevaluateProposerSpec:
    return ReevaluateProposerSpec.model_validate({"type": "reevaluate", "of": "lattice"} | knobs)


def next_of(
    history: History, pending: tuple[Proposal, ...] = (), count: int = 1, **knobs: object
) -> list[Proposal]:
    return build(spec_of(**knobs), m=2, runs=50).propose(history, pending, count, 0)


def look(parent: str) -> Proposal:
    return replace(weighted((0.5, 0.5)), kind=LaunchKind.REEVALUATE, parent=parent)


def close(
    looks: tuple[str, ...] = (), failed: tuple[int, ...] = (), stderr: float = 0.02
) -> History:
    done = [*DONE, *map(look, looks)]
    return history_of(problem_of(2), done, ROWS, stderr=stderr, failed=failed)


def test_the_doubtful_pair_is_looked_at_with_its_own_weights() -> None:
    (proposal,) = next_of(close())
    assert proposal.kind is LaunchKind.REEVALUATE
    assert proposal.parent in (THIRD, FOURTH)
    assert proposal.proposer == "reevaluate"
    run = int(proposal.parent[1:5])
    assert proposal.weights == DONE[run].weights
    assert "coverage 0.5" in proposal.reason
    assert "is on the front is wrong with a chance of" in proposal.reason


def test_the_share_counts_all_launches_and_is_saved_up() -> None:
    """By hand: of five ended and the next, a fifth is one; the second look is the tenth launch."""
    first = next_of(close(), count=6)
    kinds = [p.kind is LaunchKind.REEVALUATE for p in first]
    assert kinds == [True, False, False, False, True, False]
    # a fifth of 19 ended and the next is four: both are looked at at once, and no third is in doubt
    saved = history_of(
        problem_of(2), [*DONE, *(weighted((i, 40 - i)) for i in range(1, 15))], ROWS, stderr=0.02
    )
    kinds = [p.kind is LaunchKind.REEVALUATE for p in next_of(saved, count=4)]
    assert kinds == [True, True, False, False]


def test_never_without_errors_while_pending_after_a_failure_or_too_often() -> None:
    assert next_of(close(stderr=0.0))[0].kind is LaunchKind.WEIGHTED
    both = {p.parent for p in next_of(close(), count=2, share=0.9)}
    assert both == {THIRD, FOURTH}
    waiting = tuple(map(look, both))
    further = next_of(close(), pending=waiting, count=4, share=0.9)
    assert not {p.parent for p in further} & both
    assert THIRD not in {p.parent for p in next_of(close((THIRD,), (5,)), count=4, share=0.9)}
    often = close((THIRD,) * 3 + (FOURTH,) * 2)
    assert THIRD not in {p.parent for p in next_of(often, count=4, share=0.9)}
    assert FOURTH in {p.parent for p in next_of(often, count=4, share=0.9)}
    assert FOURTH not in {p.parent for p in next_of(often, count=4, share=0.9, times=2)}


def test_neither_the_base_nor_a_run_in_training_is_looked_at() -> None:
    rows = [(-1, ROWS[2][1]), (-2, ROWS[3][1]), *ROWS[:2]]
    history = history_of(problem_of(2), DONE[:2], rows, stderr=0.02)
    assert {p.parent for p in next_of(history, count=4, share=0.9)} <= {None, "r0000-a0-s0002"}


def test_all_else_is_the_inner_proposer_s() -> None:
    inner = build(spec_of().of, m=2, runs=50)
    history = close(stderr=0.0)
    assert next_of(history, count=5) == inner.propose(history, (), 5, 0)
    for share in (0.2, 0.5):
        other = build(spec_of(of="empty_box", share=share), m=2, runs=50)
        launches = other.propose(close(), (), 8, 0)
        assert {p.proposer for p in launches} == {"empty_box", "reevaluate"}
    assert next_of(close(stderr=0.0), of={"type": "lattice", "divisions": 2}) == []


def test_auto_is_resolved_within_too() -> None:
    spec = spec_of(of="auto")
    assert resolve_tag(spec, 2, 12) == "reevaluate"
    empty = history_of(problem_of(2))
    tags = [
        build(spec, m=2, runs=9, launches=launches).propose(empty, (), 1, 0)[0].proposer
        for launches in (("weighted", "constrained"), ("weighted",))
    ]
    assert tags == ["portfolio", "dirichlet"]


def test_looks_are_spread_and_go_where_points_are_close() -> None:
    """On a front that noise blurs, a third of the launches goes to points worth a look."""
    oracle = Front(zdt1(60), noise=0.05)
    proposer = build(spec_of(share=0.3, times=2), m=2, runs=40)
    _, launches = swept(proposer, oracle, 40, workers=3, seed=1)
    looks = [p.parent for p in launches if p.kind is LaunchKind.REEVALUATE]
    assert len(looks) == 12
    assert max(Counter(looks).values()) <= 2


def _misjudged(seed: int, *, aimed: bool) -> tuple[float, int]:
    """Re-evaluate forty noisy points of a front twenty times, and judge the claimed front.

    Returns:
        Claimed less true hypervolume of the claimed front, and the number of misjudged points.
    """
    rng = np.random.default_rng(seed)
    truth = zdt1(40) - 0.6 * rng.random((40, 1))
    draws = [truth[i] + 0.05 * rng.standard_normal((10, 2)) for i in range(40)]
    done, seen = [weighted((i + 1, 60)) for i in range(40)], np.ones(40, dtype=np.int64)
    for number in range(21):
        means = np.array([d[:k].mean(axis=0) for d, k in zip(draws, seen, strict=True)])
        errors = 0.05 / np.sqrt(seen[:, None])
        history = history_of(problem_of(2), done, [*enumerate(means.tolist())], stderr=errors)
        row = 2 * number % 40
        if aimed and number < 20:
            (choice,) = next_of(history, share=0.99, times=9, of="dirichlet")
            assert choice.kind is LaunchKind.REEVALUATE
            row = int((choice.parent or "")[1:5])
            done.append(choice)
        seen[row] += 1
    on, ref = nondominated(means), np.full(2, -0.1)
    promised = hypervolume(means[on], ref) - hypervolume(truth[on], ref)
    return abs(promised), int((on != nondominated(truth)).sum())


@pytest.mark.full
def test_looks_where_it_is_doubtful_beat_looks_in_turn() -> None:
    aimed, even = (
        np.mean([_misjudged(seed, aimed=aimed) for seed in range(5)], axis=0)
        for aimed in (True, False)
    )
    assert (aimed < 0.8 * even).all()


def test_a_look_that_failed_is_known_by_its_status() -> None:
    history = close((THIRD, FOURTH), failed=(5, 6))
    assert [r.status for r in history.runs[5:]] == [RunStatus.FAILED] * 2
    assert not {THIRD, FOURTH} & {p.parent for p in next_of(history, count=4, share=0.9)}


def test_the_inner_proposer_sets_axes_and_a_look_sets_none() -> None:
    axes = (Axis("temperature", "generation", 0.2, 1.0),)
    launches = build(spec_of(share=0.5), m=2, runs=50, axes=axes).propose(close(), (), 4, 0)
    assert [bool(p.settings) for p in launches] == [
        p.kind is not LaunchKind.REEVALUATE for p in launches
    ]
    assert {p.kind for p in launches} == {LaunchKind.REEVALUATE, LaunchKind.WEIGHTED}
