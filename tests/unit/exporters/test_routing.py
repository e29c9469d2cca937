from __future__ import annotations

import numpy as np
import pytest

from paretoflow.exporters.routing import MAX_ROWS, divisions_of, routing_of, routing_table
from paretoflow.front.selection import pick
from tests.views import three_objectives, two_objectives


def test_the_grid_gets_coarser_with_objectives_and_stays_small() -> None:
    assert [divisions_of(m) for m in (2, 3, 4, 5)] == [100, 20, 10, 5]
    assert divisions_of(60) == 1


@pytest.mark.parametrize("made", [two_objectives, three_objectives])
def test_every_row_answers_as_pick_does(made) -> None:  # type: ignore[no-untyped-def]
    front = made().front
    routing = routing_of(front, "base-model")
    assert len(routing["table"]) <= MAX_ROWS
    names = front.problem.names
    for row in routing["table"][::7]:
        assert sum(row["prefer"]) == pytest.approx(1)
        best = pick(front, prefer=dict(zip(names, row["prefer"], strict=True)))
        assert row["model"] == best.snapshot_id


def test_the_corners_go_to_the_best_of_each_objective() -> None:
    front = three_objectives().front
    table = {tuple(r["prefer"]): r["model"] for r in routing_of(front, "b")["table"]}
    scores = np.array([p.scores for p in front.points])
    assert table[1.0, 0.0, 0.0] == front.points[int(scores[:, 0].argmax())].snapshot_id
    assert table[0.0, 1.0, 0.0] == front.points[int(scores[:, 1].argmin())].snapshot_id
    assert table[0.0, 0.0, 1.0] == front.points[int(scores[:, 2].argmax())].snapshot_id


def test_the_table_holds_preference_model_and_its_scores() -> None:
    routing = routing_of(two_objectives().front, "b")
    row = routing_table(routing).to_pylist()[50]
    assert (row["prefer_coverage"], row["prefer_length"]) == (0.5, 0.5)
    assert row["score_length"] == routing["models"][row["model"]]["length"]
