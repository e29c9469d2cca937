"""Missing values stay missing; a row that cannot be used is reported or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from paretoflow.core.data_facts import DataFacts
from paretoflow.core.errors import ModelError
from paretoflow.data import load_prompts
from paretoflow.data.missing import is_missing
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import PromptSets
from paretoflow.spec.data import DataSpec
from tests.faults import raises

GOOD = [{"q": f"Question {i}?", "a": f"r{i}"} for i in range(12)]
NEEDS = Needs(references=("rouge",))


def loaded(
    folder: Path, rows: list[Any], needs: Needs | None = None, render: Any = None, **spec: Any
) -> PromptSets:
    path = folder / "rows.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    columns = {"prompt": "q", "reference": "a"}
    sizes = {"train": 4, "eval": 2, "validation": 2}
    plain = {"type": "jsonl", "path": str(path), "columns": columns, **sizes, **spec}
    validated = TypeAdapter(DataSpec).validate_python(plain)
    return load_prompts(validated, seed=0, render_chat=render, needs=needs or Needs())


def texts(sets: PromptSets) -> list[str]:
    return [t for p in (*sets.train, *sets.eval, *sets.validation) for t in (p.text, p.reference)]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf"), "", " \n"])
def test_values_that_are_none(value: Any) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", ["nan", "None", "null", 0, 0.0, False, [], [None]])
def test_values_that_are_some(value: Any) -> None:
    assert not is_missing(value)


def test_pandas_own_marks_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    assert is_missing(pandas.NaT)
    assert is_missing(pandas.NA)


@pytest.mark.parametrize("word", ["NaN", "null", "Infinity", "-Infinity", '""', '"  "'])
def test_a_missing_reference_is_no_text_and_a_missing_prompt_is_no_prompt(
    tmp_path: Path, word: str
) -> None:
    rows = [f'{{"q": "Question {i}?", "a": {word}}}' for i in range(9)]
    said = [text.strip() for text in texts(loaded(tmp_path, rows))]
    assert set(said[1::2]) == {""}
    with raises("data-empty", "rows.jsonl:10"):
        loaded(tmp_path, [*rows, f'{{"q": {word}, "a": "x"}}'])


def test_a_cell_that_pandas_left_empty_is_missing_in_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([*GOOD, {"q": "No reference?"}, {"a": "no question"}])
    frame.to_parquet(tmp_path / "f.parquet")
    spec = {"type": "parquet", "path": str(tmp_path / "f.parquet"), "on_bad_row": "skip"}
    sizes = {"train": 7, "eval": 4, "validation": 2, "columns": {"prompt": "q", "reference": "a"}}
    validated = TypeAdapter(DataSpec).validate_python({**spec, **sizes})
    sets = load_prompts(validated, seed=0, render_chat=None)
    assert not {"nan", "None"} & set(texts(sets))
    assert sets.facts.why == ("f.parquet row 14: the prompt is empty",)


@pytest.mark.parametrize("value", [None, float("nan"), [None, "Fact."], [["Title", None, "Fact."]]])
def test_missing_passages_are_left_out(tmp_path: Path, value: Any) -> None:
    rows = [{**row, "p": value} for row in GOOD]
    sets = loaded(tmp_path, rows, columns={"prompt": "q", "passages": "p"})
    assert {p.passages for p in sets.eval} <= {("",), ("Fact.",)}


def test_a_missing_value_in_a_template_is_empty_and_all_missing_is_a_bad_row(
    tmp_path: Path,
) -> None:
    template = "{q}\n{context}\nAnswer:"
    rows = [{**row, "context": float("nan") if i % 2 else "C."} for i, row in enumerate(GOOD)]
    sets = loaded(tmp_path, rows, columns={}, template=template)
    assert {p.text.split("\n")[1] for p in sets.train} <= {"", "C."}
    with raises("data-empty", ":13", "template"):
        loaded(tmp_path, [*rows, {"q": None, "context": ""}], columns={}, template=template)


@pytest.mark.parametrize("value", [3, 2.5, True, ["Why?"], {"text": "Why?"}])
def test_a_prompt_that_is_no_text_is_told(tmp_path: Path, value: Any) -> None:
    with raises("data-value", "rows.jsonl:13", "'q'"):
        loaded(tmp_path, [*GOOD, {"q": value, "a": "x"}])


@pytest.mark.parametrize(("value", "text"), [(42, "42"), (0, "0"), (2.5, "2.5")])
def test_a_number_may_be_a_reference(tmp_path: Path, value: Any, text: str) -> None:
    sets = loaded(tmp_path, [{**row, "a": value} for row in GOOD])
    assert {p.reference for p in sets.eval} == {text}


@pytest.mark.parametrize("value", [True, ["one", "two"], {"text": "x"}])
def test_other_references_are_told(tmp_path: Path, value: Any) -> None:
    with raises("data-value", ":1", "'a'"):
        loaded(tmp_path, [{**row, "a": value} for row in GOOD])


def test_a_reference_may_be_left_out_of_a_row_but_not_of_all(tmp_path: Path) -> None:
    some = [{"q": row["q"]} if i % 2 else row for i, row in enumerate(GOOD)]
    assert loaded(tmp_path, some).facts.left_out == 0
    with raises("data-column", ":1", "'a'", "'q'"):
        loaded(tmp_path, [{"q": row["q"]} for row in GOOD])


def test_a_missing_reference_is_a_bad_row_where_one_is_needed(tmp_path: Path) -> None:
    rows = [*GOOD, {"q": "What else?", "a": float("nan")}]
    sizes = {"train": 8, "eval": 2, "validation": 2}
    assert loaded(tmp_path, rows, **{**sizes, "train": 9}).facts.left_out == 0
    with raises("data-reference", ":13", "reference"):
        loaded(tmp_path, rows, NEEDS, **{**sizes, "train": 9})
    sets = loaded(tmp_path, rows, NEEDS, on_bad_row="skip", **sizes)
    assert all(texts(sets))


BAD_LINES = {
    '{"q": "x",': ("data-unreadable", "column"),
    "[1]": ("data-unreadable", "a list"),
    '{"q": null}': ("data-empty", ""),
    '{"question": "x"}': ("data-column", "'q'"),
    '{"q": "\\ud83d"}': ("data-value", "Unicode"),
    '{"q": ' + "9" * 5000 + "}": ("data-unreadable", "5000"),
    '{"q": ' + "[" * 100_000: ("data-unreadable", "JSON"),
}


@pytest.mark.parametrize(
    ("line", "fault"), BAD_LINES.items(), ids=[line[:12] for line in BAD_LINES]
)
def test_a_bad_row_is_told_with_its_line_or_left_out_and_counted(
    tmp_path: Path, line: str, fault: tuple[str, str]
) -> None:
    rows = [*GOOD[:3], line, *GOOD[3:]]
    code, value = fault
    with raises(code, "rows.jsonl:4: ", value):
        loaded(tmp_path, rows)
    sets = loaded(tmp_path, rows, on_bad_row="skip")
    assert sets.digest == loaded(tmp_path, GOOD).digest
    assert (sets.facts.rows, sets.facts.left_out) == (13, 1)
    assert sets.facts.why[0].startswith("rows.jsonl:4: ")
    assert value in sets.facts.why[0]


def test_a_byte_that_is_no_utf8_costs_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(row).encode() for row in GOOD]
    path.write_bytes(b"\n".join([lines[0], b'{"q": "caf\xe9"}', *lines[1:]]))
    plain = {"type": "jsonl", "path": str(path), "train": 4, "eval": 2, "validation": 2}
    spec = {**plain, "columns": {"prompt": "q", "reference": "a"}, "on_bad_row": "skip"}
    sets = load_prompts(TypeAdapter(DataSpec).validate_python(spec), seed=0, render_chat=None)
    assert sets.facts.why == ("rows.jsonl:2: not UTF-8 text: an odd byte at character 11",)


def test_more_bad_rows_than_good_ones_are_an_error(tmp_path: Path) -> None:
    bad = [{"q": ""}] * 13
    assert loaded(tmp_path, [*GOOD, *bad[1:]], on_bad_row="skip").facts.left_out == 12
    with raises("data-bad-rows", "25 rows", ":13"):
        loaded(tmp_path, [*GOOD, *bad], on_bad_row="skip")


def test_a_misspelt_column_is_an_error_under_skip_too(tmp_path: Path) -> None:
    with raises("data-bad-rows", "12 rows", ":1", "'question'"):
        loaded(tmp_path, GOOD, on_bad_row="skip", columns={"prompt": "question"})


def test_long_prompts_are_passed_over_in_the_order_of_drawing(tmp_path: Path) -> None:
    long = [{"q": f"Question {i}? " + "word " * 30, "a": "x"} for i in range(3)]
    words = Needs(tokens=lambda text: len(text.split()), longest=20, limit="of which test")
    sets = loaded(tmp_path, [*long, *GOOD], words, on_bad_row="skip", train=8)
    assert {len(p.text.split()) for p in (*sets.train, *sets.eval, *sets.validation)} == {2}
    assert sets.digest == loaded(tmp_path, GOOD, train=8).digest
    with raises("data-too-long", "rows.jsonl", "32 tokens", "20"):
        loaded(tmp_path, [*long, *GOOD], words, train=11)


def test_a_long_prompt_that_is_not_drawn_is_no_fault(tmp_path: Path) -> None:
    rows = [{"q": f"Question {i}? " + "word " * i, "a": "x"} for i in range(200)]
    some = loaded(tmp_path, rows)
    longest = max(len(p.text.split()) for p in (*some.train, *some.eval, *some.validation))
    words = Needs(tokens=lambda text: len(text.split()), longest=longest)
    assert longest < 201
    assert loaded(tmp_path, rows, words).digest == some.digest


def test_too_few_after_some_were_left_out_says_how_many(tmp_path: Path) -> None:
    rows = [*GOOD, {"q": "What?", "a": ""}, {"q": "Who?", "a": ""}]
    with raises("data-too-few", "12 distinct", "(2"):
        loaded(tmp_path, rows, NEEDS, on_bad_row="skip", train=10)


def test_turns_that_a_chat_template_refuses_are_a_bad_row(tmp_path: Path) -> None:
    def render(turns: list[dict[str, Any]]) -> str:
        if turns[0]["role"] != "user":
            raise ModelError("the chat template refuses the turns", hint="check role names")
        return str(turns[0]["content"])

    rows = [{"m": [{"role": "user", "content": row["q"]}]} for row in GOOD]
    rows.insert(1, {"m": [{"role": "system", "content": "x"}, *rows[0]["m"]]})
    columns = {"messages": "m"}
    with raises("data-chat-template", ":2", "template"):
        loaded(tmp_path, rows, render=render, columns=columns)
    assert (
        loaded(tmp_path, rows, render=render, columns=columns, on_bad_row="skip").facts.left_out
        == 1
    )


def test_facts_survive_the_ledger_and_read_as_sentences() -> None:
    facts = DataFacts(20, 2, ("f:3: x", "f:9: y"), 1, 1, 48, (("a", "b"),))
    assert DataFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    assert list(facts.lines()) == [
        "2 of 20 rows were left out: f:3: x; f:9: y",
        "1 row asks what another row asks: each prompt is used once",
        "1 of 48 eval prompts nearly repeats a train or validation prompt: 'a' and 'b'",
    ]
    assert list(DataFacts.from_dict(None).lines()) == []
