"""Rows of the table of a comparison."""

from __future__ import annotations

import dataclasses

from paretoflow.report.comparison_table import entrants_of, letter_of
from tests.views import two_objectives


def test_letters_go_on_after_z() -> None:
    assert [letter_of(k) for k in (0, 25, 26, 51, 52, 701, 702)] == [
        "A", "Z", "AA", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_a_method_is_named_with_its_parts_and_a_sweep_without_runs_by_its_spec() -> None:
    view = two_objectives()
    parts = {"type": "grpo", "steps": 3, "aggregation": {"type": "pama"}, "dual": {"every": 5}}
    idle = dataclasses.replace(view, runs=(), spec={**view.spec, "method": parts})
    first, second = entrants_of([[view], [idle]])
    assert (first.letter, first.method, first.proposer) == ("A", "dpo", "empty_box")
    assert (second.letter, second.method, second.proposer) == ("B", "grpo + pama", "empty_box")
    assert second.cost == next(e.cost for e in view.evaluations if e.run_id == "base")
