from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from paretoflow.data.hub import read, rows_of
from paretoflow.spec.data import HubDataSpec
from paretoflow.spec.data_given import PairSourceSpec
from tests.faults import raises

datasets = pytest.importorskip("datasets")

ROWS = [{"prompt": f"q{i}", "k": i} for i in range(3)]


def texts(path: Path | str, **options: Any) -> list[str]:
    return [p.text for p in read(HubDataSpec(type="hub", path=str(path), **options), None).train]


def test_saved_split_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path)
    assert texts(tmp_path) == ["q0", "q1", "q2"]


def test_one_of_several_saved_splits_is_read(tmp_path: Path) -> None:
    train, test = datasets.Dataset.from_list(ROWS[:1]), datasets.Dataset.from_list(ROWS[1:])
    datasets.DatasetDict(train=train, test=test).save_to_disk(tmp_path)
    assert texts(tmp_path, split="test") == ["q1", "q2"]
    with raises("data-not-found", "'tset'"):
        texts(tmp_path, split="tset")


def test_arguments_reach_the_hub_client(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def load_dataset(path: str, **options: Any) -> Any:
        seen.append((path, options))
        return datasets.Dataset.from_list(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(texts("owner/set", config="c", split="s", revision="r")) == 3
    assert seen == [("owner/set", {"name": "c", "split": "s", "revision": "r"})]


def test_a_source_of_pairs_may_be_one_folder_of_a_hub_id(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def load_dataset(path: str, **options: Any) -> Any:
        seen.append(options)
        return datasets.Dataset.from_list(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = PairSourceSpec(path="owner/set", objective="a", data_dir="helpful-base")
    assert [row["k"] for _, row in rows_of(source)] == [0, 1, 2]
    plain = {"name": None, "split": "train", "revision": None}
    assert seen == [{**plain, "data_dir": "helpful-base"}]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionError("offline"), ("data-not-found", "offline", "save_to_disk")),
        (FileNotFoundError("none"), ("data-unreadable", "none", "data.path")),
        (ValueError("Unknown split"), ("data-unreadable", "Unknown split", "data.split")),
    ],
)
def test_failures_of_the_hub_are_the_users_to_mend(
    monkeypatch: pytest.MonkeyPatch, error: Exception, fault: tuple[str, ...]
) -> None:
    def load_dataset(path: str, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    code, *values = fault
    with raises(code, "owner/set: ", *values):
        texts("owner/set")


def test_faulty_row_is_named_by_split_and_number(tmp_path: Path) -> None:
    datasets.Dataset.from_list([*ROWS, {"prompt": "", "k": 3}]).save_to_disk(tmp_path)
    with raises("data-empty", "row 4", "prompt"):
        texts(tmp_path)


def test_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with raises("missing-extra", "paretoflow[train]"):
        texts("owner/set")


def test_a_set_that_was_saved_to_give_arrays_is_read_as_values(tmp_path: Path) -> None:
    turns = [[{"role": "user", "content": f"q{i}"}] for i in range(3)]
    made = datasets.Dataset.from_dict({"m": turns, "k": [float("nan"), 1.0, 2.0]})
    made.set_format("numpy")
    made.save_to_disk(tmp_path)
    columns = {"messages": "m", "reference": "k"}
    spec = HubDataSpec.model_validate({"type": "hub", "path": str(tmp_path), "columns": columns})
    prompts = read(spec, lambda turns: str(turns[0]["content"])).train
    assert [(p.text, p.reference) for p in prompts] == [("q0", ""), ("q1", "1.0"), ("q2", "2.0")]
