from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet

from paretoflow.core.protocols import Prompt
from paretoflow.data.parquet import read
from paretoflow.spec.data import ColumnsSpec, ParquetDataSpec
from tests.faults import raises


def prompts(path: Path, columns: ColumnsSpec | None = None) -> tuple[Prompt, ...]:
    spec = ParquetDataSpec(type="parquet", path=str(path), columns=columns or ColumnsSpec())
    return read(spec, None).train


def test_nested_columns_become_passages(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "docs": [["T", "one.", "two."], ["T", "three."]], "x": 1.5}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (prompt,) = prompts(tmp_path / "a.parquet", ColumnsSpec(passages="docs"))
    assert prompt.passages == ("one.", "two.", "three.")
    assert prompt.extra == {"x": 1.5}


def test_faulty_row_is_named_by_its_number(tmp_path: Path) -> None:
    table = pyarrow.table({"prompt": ["a", "b", ""]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    with raises("data-empty", "a.parquet", "row 3"):
        prompts(tmp_path / "a.parquet")


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("{}")
    with raises("data-unreadable", "a.parquet"):
        prompts(tmp_path / "a.parquet")
