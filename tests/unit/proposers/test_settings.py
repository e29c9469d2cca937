"""Settings for proposers that look at weights alone."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.merge import Merge
from paretoflow.core.settings import settings_text
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.proposers import build
from paretoflow.proposers.settings import DrawnSettings, even_place, reaches
from paretoflow.spec.proposers import DirichletProposerSpec, EmptyBoxProposerSpec
from paretoflow.spec.search import Axis
from tests.histories import bent, history_of, opening, problem_of

RATE = Axis("learning_rate", "method", 1e-4, 1e-2, log=True)
RANK = Axis("rank", "lora", whole=True, choices=(4, 8, 16))
HEAT = Axis("temperature", "generation", 0.2, 1.0)
AXES = (RATE, RANK, HEAT)


def launched(kind: LaunchKind, parent: str | None = None) -> Proposal:
    return Proposal(kind, WeightVector((0.5, 0.5)), 0, "Because.", "by hand", parent)


class Scripted:
    """Proposes the same launch over and over."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal

    def propose(self, history: object, pending: object, count: int, seed: int) -> list[Proposal]:
        return [self._proposal] * count


def test_the_sequence_is_that_of_the_docstring() -> None:
    places = [even_place(1, n, 5)[0] for n in range(4)]
    golden = (5**0.5 - 1) / 2
    assert np.diff(places) % 1 == pytest.approx([golden] * 3)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_sequence_fills_the_cube_more_evenly_than_draws(dimensions: int) -> None:
    def gap(points: np.ndarray) -> float:
        grid = np.random.default_rng(1).random((400, dimensions))
        return float(np.linalg.norm(grid[:, None] - points, axis=2).min(axis=1).mean())

    even = np.array([even_place(dimensions, n, 3) for n in range(64)])
    drawn = np.random.default_rng(3).random((64, dimensions))
    assert ((even >= 0) & (even < 1)).all()
    assert gap(even) < 0.97 * gap(drawn)


def test_every_launch_gets_its_own_settings_and_says_so() -> None:
    proposer = build(DirichletProposerSpec(type="dirichlet"), m=2, runs=9, axes=AXES)
    batch = proposer.propose(history_of(problem_of(2)), (), 4, 7)
    assert len({p.settings for p in batch}) == 4
    assert [name for name, _ in batch[0].settings] == ["learning_rate", "rank", "temperature"]
    assert batch[0].reason.endswith(f"; drawn evenly: {settings_text(batch[0].settings)}.")
    singles: list[Proposal] = []
    for _ in range(4):
        singles += proposer.propose(history_of(problem_of(2)), singles, 1, 7)
    assert singles == batch
    history = history_of(problem_of(2), batch[:2], [(0, (0.5, 0.5))])
    assert proposer.propose(history, batch[2:3], 1, 7) == batch[3:]
    other = proposer.propose(history_of(problem_of(2)), (), 1, 8)
    assert other[0].settings != batch[0].settings


def test_without_axes_nothing_is_wrapped() -> None:
    spec = DirichletProposerSpec(type="dirichlet")
    assert not isinstance(build(spec, m=2, runs=9), DrawnSettings)


def test_what_starts_from_a_parent_keeps_its_ranks() -> None:
    proposer = build(EmptyBoxProposerSpec(type="empty_box"), m=2, runs=9, axes=AXES)
    history = history_of(problem_of(2), opening(2), bent(2))
    extended = proposer.propose(history, (), 1, 0)[0]
    assert extended.kind is LaunchKind.CONSTRAINED
    assert [name for name, _ in extended.settings] == ["learning_rate", "temperature"]


def test_a_mixture_is_only_asked_otherwise_and_a_reevaluation_as_before() -> None:
    assert [reaches(a, launched(LaunchKind.MERGE)) for a in AXES] == [False, False, True]
    assert not any(reaches(a, launched(LaunchKind.REEVALUATE, "r0-a0-s1")) for a in AXES)


def test_a_launch_that_no_axis_reaches_stays_as_it_is() -> None:
    mixed = Proposal(
        LaunchKind.MERGE,
        WeightVector((0.5, 0.5)),
        0,
        "Because.",
        "by hand",
        merge=Merge("cat", ("a", "b"), (0.5, 0.5)),
    )
    chosen = DrawnSettings(Scripted(mixed), (RATE, RANK)).propose(
        history_of(problem_of(2)), (), 1, 0
    )
    assert chosen == [mixed]
