from __future__ import annotations

from paretoflow.proposers.lattice import LatticeProposer, ordered_lattice
from paretoflow.spec.proposers import LatticeProposerSpec
from tests.histories import history_of, problem_of, weighted


def test_a_lattice_is_tried_from_coarse_to_fine_and_then_done():
    proposer = LatticeProposer(LatticeProposerSpec(type="lattice", divisions=4), m=2, runs=30)
    history = history_of(problem_of(2), [weighted([0, 1])])
    chosen = proposer.propose(history, [weighted([0.5, 0.5])], 30, 0)
    assert [p.weights.values[0] for p in chosen] == [1.0, 0.25, 0.75]
    assert chosen[0].reason == "Place 1 of 5 on the lattice: coverage 1.00."
    done = history_of(problem_of(2), [weighted([0, 1]), weighted([0.5, 0.5]), *chosen])
    assert proposer.propose(done, (), 3, 0) == []


def test_unset_divisions_give_the_number_of_runs():
    assert len(ordered_lattice(2, None, 12)) == 12
    assert len(ordered_lattice(3, None, 12)) == 15
