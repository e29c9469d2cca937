from __future__ import annotations

from pathlib import Path

from paretoflow.report.samples import answers_in, shown_points, side_by_side
from tests.faults import raises
from tests.views import two_objectives


def test_base_extremes_and_middle_are_shown_in_the_order_of_the_front() -> None:
    headings = [heading for heading, _ in shown_points(two_objectives())]
    assert headings == [
        "base model",
        "point 1, best coverage",
        "point 3, the middle",
        "point 5, best length",
    ]


def test_answers_are_read_from_the_sweeps_folder(tmp_path: Path) -> None:
    view = two_objectives(tmp_path)
    rows = answers_in(tmp_path)(view.front.points[0].snapshot_id)
    assert [row["prompt_id"] for row in rows] == ["p0", "p1", "p2", "p3"]
    assert set(view.front.problem.names) < set(rows[0])


def test_missing_answers_and_unsafe_names_give_nothing(tmp_path: Path) -> None:
    two_objectives(tmp_path / "sweep")
    (tmp_path / "sweep" / "answers" / "base.arrow").rename(tmp_path / "outside.arrow")
    read = answers_in(tmp_path / "sweep")
    assert read("base") == []
    assert read("../outside") == []
    assert read("../../outside") == []


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "answers" / "base.arrow"
    path.parent.mkdir()
    path.write_bytes(b"not arrow at all, but long enough to be looked at")
    with raises("damaged", "base.arrow"):
        answers_in(tmp_path)("base")


def test_prompts_in_common_are_spread_and_aligned() -> None:
    def rows(*ids: int) -> list[dict[str, object]]:
        return [{"prompt_id": f"p{i}", "completion": f"c{i}"} for i in ids]

    columns = {"a": rows(*range(9)), "b": rows(*range(8, 0, -1)), "c": []}
    matched = side_by_side(columns, 3)
    assert [first["prompt_id"] for first, _ in matched] == ["p1", "p3", "p6"]
    assert all(row[0] == row[1] and row[2] is None for _, row in matched)
    assert side_by_side({"a": [], "b": []}, 3) == []
