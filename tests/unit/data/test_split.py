"""The split into sets depends on the questions, not on the format of the rows."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from paretoflow.data import load_prompts
from paretoflow.data.identity import normal_form
from paretoflow.data.prompts import PromptSets
from paretoflow.spec.data import DataSpec

SIZES = {"train": 8, "eval": 5, "validation": 4}
QUESTIONS = [f"Où est le café numéro {i} ?" for i in range(24)]
WAYS = {
    "as it is": lambda t: t,
    "accents apart": lambda t: unicodedata.normalize("NFD", t),
    "white space": lambda t: f" {t.replace(' ', '  ')}\n",
    "capitals": str.upper,
    "no-break spaces": lambda t: t.replace(" ", "\u00a0"),
    "full width": lambda t: t.replace("?", "\uff1f").replace("1", "\uff11"),
    "invisible marks": lambda t: "\ufeff" + t.replace("é", "é\u200b"),
}


def loaded(spec: dict[str, Any], seed: int = 0, **options: Any) -> PromptSets:
    plain = {"columns": {"prompt": "q", "reference": "a"}, **SIZES, **spec}
    render = options.get("render")
    return load_prompts(TypeAdapter(DataSpec).validate_python(plain), seed=seed, render_chat=render)


def of_rows(folder: Path, rows: list[dict[str, Any]], **options: Any) -> PromptSets:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return loaded({"type": "jsonl", "path": str(path), **options.pop("spec", {})}, **options)


def asked(sets: PromptSets) -> dict[str, list[str]]:
    """Return what each set asks, in order."""
    names = ("train", "eval", "validation")
    return {name: [normal_form(p.text) for p in getattr(sets, name)] for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split")


@pytest.fixture(scope="module")
def plain(folder: Path) -> PromptSets:
    return of_rows(folder, [{"q": q, "a": f"r{i}"} for i, q in enumerate(QUESTIONS)])


@given(
    extra=st.lists(
        st.tuples(
            st.integers(0, 23), st.sampled_from(sorted(WAYS)), st.sampled_from(["", "x", "y"])
        ),
        max_size=30,
    ),
    shuffled=st.integers(0, 1000),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_neither_order_nor_repetition_nor_spelling_moves_a_prompt(
    folder: Path, plain: PromptSets, extra: list[tuple[int, str, str]], shuffled: int
) -> None:
    rows = [{"q": q, "a": f"r{i}"} for i, q in enumerate(QUESTIONS)]
    rows += [{"q": WAYS[way](QUESTIONS[i]), "a": reference} for i, way, reference in extra]
    sets = of_rows(folder, rows)
    random.Random(shuffled).shuffle(rows)
    again = of_rows(folder, rows)
    assert asked(sets) == asked(again) == asked(plain)
    assert again.digest == sets.digest
    assert sets.facts.repeated == len(extra)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_is_one_prompt(way: str) -> None:
    assert {normal_form(WAYS[way](q)) for q in QUESTIONS} == {normal_form(q) for q in QUESTIONS}


@pytest.mark.parametrize(
    ("one", "other"), [("Is it a?", "Is it a!"), ("2 - 3", "2 + 3"), ("ab c", "a bc"), ("é", "e")]
)
def test_what_asks_something_else_is_another_prompt(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_one_of_several_references_is_kept_whatever_the_order(tmp_path: Path) -> None:
    rows = [{"q": f"q{i // 3}", "a": ["", f"r{i}", f"s{i}"][i % 3]} for i in range(60)]
    sets = of_rows(tmp_path, rows)
    assert all(p.reference for p in (*sets.train, *sets.eval, *sets.validation))
    assert of_rows(tmp_path, rows[::-1]) == sets


def test_the_format_of_the_file_moves_no_prompt(plain: PromptSets, tmp_path: Path) -> None:
    rows = [{"q": q, "a": f"r{i}"} for i, q in enumerate(QUESTIONS)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    parquet = loaded({"type": "parquet", "path": str(tmp_path / "rows.parquet")})
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    hub = loaded({"type": "hub", "path": str(tmp_path / "saved")})
    assert parquet.digest == hub.digest == plain.digest


@pytest.mark.parametrize(
    "written",
    [
        lambda q: [{"role": "user", "content": q}],
        lambda q: [{"role": "user", "content": [{"type": "text", "text": q}]}],
        lambda q: [{"from": "human", "value": q}, {"from": "gpt", "value": "old answer"}],
    ],
    ids=["messages", "parts", "sharegpt"],
)
def test_chat_turns_fall_where_their_plain_text_does(
    plain: PromptSets, tmp_path: Path, written: Any
) -> None:
    rows = [{"m": written(q), "a": "r"} for q in QUESTIONS]
    spec = {"columns": {"messages": "m", "reference": "a"}}
    sets = of_rows(
        tmp_path, rows, spec=spec, render=lambda turns: f"<user>{turns[0]['content']}<answer>"
    )
    texts = [p.text.removeprefix("<user>").removesuffix("<answer>") for p in sets.eval]
    assert [normal_form(t) for t in texts] == asked(plain)["eval"]


def test_dialogues_fall_where_their_turns_do(plain: PromptSets, tmp_path: Path) -> None:
    rows = [{"d": f"\n\nHuman: {q}\n\nAssistant: x", "a": ""} for q in QUESTIONS]
    sets = of_rows(tmp_path, rows, spec={"columns": {"dialogue": "d"}})
    assert [normal_form(p.messages[0]["content"]) for p in sets.eval] == asked(plain)["eval"]


def test_other_turns_before_the_question_are_another_prompt(tmp_path: Path) -> None:
    question = {"role": "user", "content": "Why?"}
    systems = [{"role": "system", "content": f"Be {i}."} for i in range(20)]
    rows = [{"m": [system, question]} for system in systems]
    spec = {"columns": {"messages": "m"}}
    sets = of_rows(tmp_path, rows, spec=spec, render=lambda turns: "one text")
    assert sets.facts.repeated == 0


def test_an_earlier_versions_draw_is_still_there(tmp_path: Path) -> None:
    """The digests are those of version 0.1.0 for these rows, with and without repeated prompts."""
    rows = [{"q": f"Question {i}?", "a": f"r{i}"} for i in range(20)]
    old = of_rows(tmp_path, rows, spec={"drawn_by": "row"})
    assert old.digest.startswith("022ed4f792572d5b")
    again = of_rows(tmp_path, [*rows, *({**r, "a": "x"} for r in rows)], spec={"drawn_by": "row"})
    assert again.digest == old.digest


def test_parquets_nulls_are_no_part_of_a_tool_call(tmp_path: Path) -> None:
    def turns(question: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
        calls = {"role": "assistant", "content": None, "tool_calls": [call]}
        user = {"role": "user", "content": question, "tool_calls": None}
        return [user, calls, {"role": "tool", "content": "r", "tool_calls": None}]

    rows = [{"m": turns(q, {f"a{i % 2}": i})} for i, q in enumerate(QUESTIONS)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "m.parquet")
    options = {"columns": {"messages": "m"}}
    read = loaded(
        {"type": "parquet", "path": str(tmp_path / "m.parquet"), **options}, render=json.dumps
    )
    assert read.digest == of_rows(tmp_path, rows, spec=options, render=json.dumps).digest
