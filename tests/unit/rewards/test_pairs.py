from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paretoflow.core.errors import DataError
from paretoflow.data.identity import identity_of
from paretoflow.rewards.pairs import PreferencePair, read_pairs, regrouped, split_pairs
from paretoflow.spec.rewards import RewardSpec
from tests.faults import raises
from tests.unit.rewards.conftest import rows

GOOD = {"prompt": "Why?", "chosen": "So.", "rejected": "No.", "objective": "calm"}


def spec_of(path: str, **changes: Any) -> RewardSpec:
    return RewardSpec.model_validate({"pairs": [{"path": path}], **changes})


def test_json_lines_gzip_and_parquet_hold_the_same_pairs(tmp_path: Path, write: Any) -> None:
    plain = write("a.jsonl", [GOOD])
    zipped, table = tmp_path / "a.jsonl.gz", tmp_path / "a.parquet"
    zipped.write_bytes(gzip.compress(Path(plain).read_bytes()))
    pq.write_table(pa.Table.from_pylist([GOOD]), table)
    first, second, third = (read_pairs(spec_of(str(p))) for p in (plain, zipped, table))
    assert first == second == third
    assert (first[0].prompt.text, first[0].objective) == ("Why?", "calm")


def test_chat_turns_and_annotators(write: Any) -> None:
    turns = [{"role": "user", "content": "Why?"}]
    path = write("a.jsonl", [{**GOOD, "prompt": turns, "annotator": 7}])
    (pair,) = read_pairs(spec_of(path, groups={"count": 2}))
    assert pair.prompt.messages == tuple(turns)
    assert (pair.objective, pair.annotator) == ("", "7")
    assert regrouped([pair], {"7": 1})[0].objective == "group_1"


@pytest.mark.parametrize(
    ("more", "answer"), [("", "Hello."), ("\n\nHuman: More?\n\nAssistant: Bye.", None)]
)
def test_whole_dialogues(write: Any, more: str, answer: str | None) -> None:
    start = "\n\nHuman: Hi\n\nAssistant:"
    pair = {"chosen": f"{start} Hello.{more}", "rejected": f"{start} Go."}
    path = write("a.jsonl", [{**pair, "objective": "kind"}])
    (found,) = read_pairs(spec_of(path, columns={"prompt": None}))
    assert found.prompt.text == start
    assert found.prompt.messages == ({"role": "user", "content": "Hi"},)
    assert found.chosen == (answer or f"Hello.{more}")
    assert found.rejected == "Go."


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "a"}, "no column 'chosen'; there are 'prompt'"),
        ({**GOOD, "chosen": 3}, "column 'chosen' must hold text, got 3"),
        ({**GOOD, "prompt": " "}, "the prompt is empty"),
        ({**GOOD, "prompt": True}, "column 'prompt' must hold text or chat turns, got True"),
        ({**GOOD, "chosen": "No."}, "chosen and rejected are the same"),
        ({**GOOD, "objective": "a b"}, "got 'a b' for an objective; allowed: letters"),
        ({**GOOD, "prompt": [{"role": "user"}]}, "messages must be a list of {role, content}"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_bad_row_is_named_with_its_line(write: Any, row: Any, told: str) -> None:
    path = write("a.jsonl", [GOOD, row])
    with pytest.raises(DataError) as caught:
        read_pairs(spec_of(path))
    assert told in caught.value.what
    assert caught.value.where == f"{path}:2"
    assert caught.value.hint


def test_files_without_pairs_or_json(tmp_path: Path, write: Any) -> None:
    with raises("data-empty", "holds"):
        read_pairs(spec_of(write("a.jsonl", [])))
    (tmp_path / "b.jsonl").write_text('{"prompt": \n', encoding="utf-8")
    with raises("data-unreadable", "JSON"):
        read_pairs(spec_of(str(tmp_path / "b.jsonl")))
    (tmp_path / "c.parquet").write_text("no table", encoding="utf-8")
    with raises("data-unreadable", "Parquet"):
        read_pairs(spec_of(str(tmp_path / "c.parquet")))


def test_dialogues_that_share_no_prompt_are_refused(write: Any) -> None:
    start = "\n\nHuman: Hi\n\nAssistant:"
    row = {"chosen": f"{start} a", "rejected": "\n\nHuman: Ho\n\nAssistant: b", "objective": "x"}
    with raises("data-pair", "differ"):
        read_pairs(spec_of(write("a.jsonl", [row]), columns={"prompt": None}))


def test_the_split_shares_no_prompt_and_does_not_mind_the_order(write: Any) -> None:
    # every prompt has two pairs
    path = write("a.jsonl", [{**row, "objective": "o"} for row in rows(10, True) + rows(10, False)])
    spec = spec_of(path, held_out=0.25)
    pairs = read_pairs(spec)
    sets = split_pairs(pairs, spec)

    def ids(found: tuple[PreferencePair, ...]) -> set[str]:
        return {p.prompt.prompt_id for p in found}

    assert sets.names == ("o",)
    assert (len(sets.train[0]), len(sets.held_out[0])) == (14, 6)
    assert not ids(sets.train[0]) & ids(sets.held_out[0])
    assert ids(split_pairs(pairs[::-1], spec).held_out[0]) == ids(sets.held_out[0])
    other = split_pairs(pairs, spec.model_copy(update={"seed": 1}))
    assert ids(other.held_out[0]) != ids(sets.held_out[0])


def test_one_prompt_is_on_one_side_however_it_is_spelt(write: Any) -> None:
    ways = (str, str.upper, lambda t: f" {t}\n", lambda t: t.replace("é", "e\u0301"))
    made = [
        {**GOOD, "prompt": way(f"Pourquoi le café {i} ?"), "chosen": f"So {way is str}."}
        for way in ways
        for i in range(12)
    ]
    turns = [{**row, "prompt": [{"role": "user", "content": row["prompt"]}]} for row in made]
    spec = spec_of(write("a.jsonl", made + turns), held_out=0.3)
    sets = split_pairs(read_pairs(spec), spec)

    def asked(found: tuple[PreferencePair, ...]) -> set[str]:
        return {identity_of(pair.prompt) for pair in found}

    assert not asked(sets.train[0]) & asked(sets.held_out[0])
    assert (len(sets.train[0]), len(sets.held_out[0])) == (8 * 8, 4 * 8)


def test_an_objective_with_one_prompt_is_refused(write: Any) -> None:
    spec = spec_of(write("a.jsonl", [GOOD]))
    with raises("data-too-few", "1 prompt"):
        split_pairs(read_pairs(spec), spec)


@pytest.mark.parametrize("field", ["prompt", "chosen", "rejected", "annotator"])
@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_missing_value_is_no_text(write: Any, field: str, value: Any) -> None:
    row = {**GOOD, "annotator": "ann", field: value}
    spec = spec_of(write("a.jsonl", [row]), groups={})
    with pytest.raises(DataError, match=rf"a\.jsonl:1: column '{field}' must hold"):
        read_pairs(spec)


def test_a_blank_annotator_is_nobody(write: Any) -> None:
    spec = spec_of(write("a.jsonl", [{**GOOD, "annotator": " "}]), groups={})
    with raises("data-value", "a.jsonl:1"):
        read_pairs(spec)
