from __future__ import annotations

import csv
import math
from pathlib import Path

import pyarrow as pa
import pytest

from paretoflow.core.errors import ExportError
from paretoflow.exporters.table_files import TEXT_COLUMNS, read_rows, write_table
from paretoflow.exporters.tables import evaluations_table, front_table
from tests.views import three_objectives

KINDS = [".parquet", ".arrow", ".json", ".csv"]


def table() -> pa.Table:
    return pa.table(
        {
            "snapshot_id": ["=1+1", "plain", "'quoted"],
            "reason": ['a "b", c\nd', "", None],
            "n": [1, None, 3],
            "score_a": [0.1 + 0.2, 1e-300, -1.5],
            "on_front": [True, False, True],
            "prompt_scores_a": [[0.1, 2.0], None, []],
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_back_exactly(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{kind}"
    write_table(table(), path)
    expected = table().to_pylist()
    if kind == ".csv":
        expected[1]["reason"] = None  # an empty cell is one thing only
    assert read_rows(path) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_a_sweep_come_back(kind: str, tmp_path: Path) -> None:
    view = three_objectives(tmp_path / "sweep")
    for made in (front_table(view.front), evaluations_table(view)):
        write_table(made, tmp_path / f"t{kind}")
        assert read_rows(tmp_path / f"t{kind}") == made.to_pylist()


def test_the_text_columns_are_those_of_the_tables() -> None:
    view = three_objectives()
    made = (front_table(view.front), evaluations_table(view))
    texts = {f.name for t in made for f in t.schema if f.type == pa.string()}
    assert texts == TEXT_COLUMNS


def test_no_cell_of_text_is_a_formula(tmp_path: Path) -> None:
    formulas = ["=1", "+1", "-1", "@a", "\t=1", "\r=1"]
    write_table(pa.table({"reason": formulas, "score_a": [-1.0] * 6}), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as source:
        rows = list(csv.reader(source))[1:]
    assert [r[0] for r in rows] == ["'" + f for f in formulas]
    assert {r[1] for r in rows} == {"-1.0"}
    assert [r["reason"] for r in read_rows(tmp_path / "t.csv")] == formulas


@pytest.mark.parametrize("kind", [".json", ".csv"])
def test_what_is_no_number_is_left_empty(kind: str, tmp_path: Path) -> None:
    write_table(pa.table({"stderr_a": [math.nan, math.inf, 1.0]}), tmp_path / f"t{kind}")
    assert [r["stderr_a"] for r in read_rows(tmp_path / f"t{kind}")] == [None, None, 1.0]


def test_the_scores_of_very_many_prompts_fit_into_a_cell(tmp_path: Path) -> None:
    many = pa.table({"prompt_scores_a": [[k / 7 for k in range(20_000)]]})
    write_table(many, tmp_path / "t.csv")
    assert read_rows(tmp_path / "t.csv") == many.to_pylist()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", b"[1, 2]", "a row is not an object"),
        ("t.json", b"[" * 100_000, "cannot be read as json"),
        ("t.csv", b"a,b\n1,2,3\n", "cannot be read as csv"),
        ("t.csv", b"\xff\xfe", "cannot be read as csv"),
        ("t.parquet", b"PAR1", "cannot be read as parquet"),
        ("t.arrow", b"ARROW1", "cannot be read as arrow"),
        ("t.xlsx", b"", "tables are files that end in .parquet, .arrow, .json, .csv"),
    ],
)
def test_damage_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=name) as caught:
        read_rows(tmp_path / name)
    assert said in caught.value.what
