"""Random sweeps that `check` lets through; `python -m tests.fuzz.specs` tries more."""

from __future__ import annotations

from itertools import islice
from random import Random

from tests.fuzz.specs import METHODS, faults, passing


def test_what_check_lets_through_begins_and_is_decided_to_its_end():
    assert not "\n".join(faults(seed=20261130, count=15))


def test_random_sweeps_are_of_many_kinds():
    specs = [spec for _, spec in islice(passing(Random(1)), 30)]
    assert len({spec.method.type for spec in specs}) > len(METHODS) / 2
    assert len({spec.proposer.type for spec in specs}) > 8
    assert {len(spec.objectives) for spec in specs} == {2, 3, 4, 5}
    assert any(spec.search for spec in specs)


def test_a_sweep_that_cannot_begin_would_be_found(monkeypatch):
    import tests.fuzz.specs as fuzzer

    def broken(*_):
        raise ValueError("cannot begin")

    monkeypatch.setattr(fuzzer, "simulate", broken)
    assert all("cannot begin" in fault for fault in faults(seed=0, count=2))
    assert len(list(faults(seed=0, count=2))) == 2
