"""Pairs and ratings from files: the layouts that people have, and what is wrong with a row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter

from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
from paretoflow.data import load_prompts
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import PromptSets
from paretoflow.spec.data import DataSpec
from tests.faults import raises

NAMES = ("harmless", "helpful")
SIZES = {"train": 4, "eval": 2, "validation": 2}
HH = Path(__file__).parents[4] / "shared" / "data" / "hh_harmless" / "train.jsonl.gz"


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def load(
    type: str, *sources: Mapping[str, Any], render: Any = None, names=NAMES, **options: Any
) -> PromptSets:
    plain = {"type": type, "sources": sources, **SIZES, **options}
    spec = TypeAdapter(DataSpec).validate_python(plain)
    return load_prompts(spec, seed=0, render_chat=render, needs=Needs(objectives=names))


def said_of(sets: PromptSets, text: str) -> tuple[Feedback, ...]:
    (found,) = [said for p, said in zip(sets.train, sets.given, strict=True) if p.text == text]
    return found


def pairs(count: int = 8, **columns: Any) -> list[dict[str, Any]]:
    rows = [
        {"prompt": f"Q{i}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(count)
    ]
    return [row | columns for row in rows]


def told(**changes: Any) -> list[dict[str, Any]]:
    """Return eight good rows, the third of which is changed."""
    rows = pairs()
    rows[2] |= changes
    return [{k: v for k, v in row.items() if v is not ...} for row in rows]


def test_sources_of_one_objective_each_meet_at_a_prompt_however_it_is_spelt(tmp_path):
    spelt = [row | {"prompt": row["prompt"].lower() + " "} for row in pairs()]
    other = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in spelt]
    one = {"path": write(tmp_path / "a.jsonl", pairs()), "objective": "helpful"}
    two = {"path": write(tmp_path / "b.jsonl", other), "objective": "harmless"}
    sets = load("preferences", one, two)
    assert len(sets.train) == 4
    assert {len(said) for said in sets.given} == {1}
    for said in sets.given:
        better = {name: said[0].answers[i][:3] for name, i in said[0].better.items()}
        assert better == {"helpful": "goo", "harmless": "bad"}
    facts = sets.facts
    assert (facts.given, facts.shared, facts.opposed) == (4, 4, 4)
    assert facts.spoken == (("harmless", 4), ("helpful", 4))
    assert facts.repeated == 0
    (line,) = [line for line in facts.lines() if "learn" in line]
    assert line.startswith("runs learn from 4 pairs: harmless 4, helpful 4; 4 have labels of ")
    assert line.endswith("disagree on 4")


def test_a_column_names_the_objective_and_neither_files_nor_rows_have_an_order(tmp_path):
    rows = [r for name in NAMES for r in pairs(objective=name)]
    rows[3]["chosen"] = "better still"
    path = write(tmp_path / "a.jsonl", rows)
    turned = write(tmp_path / "b.jsonl", rows[::-1])
    halves = [write(tmp_path / f"{i}.jsonl", rows[i::2]) for i in (0, 1)]
    sets = [
        load("preferences", *({"path": p} for p in given)) for given in ([path], [turned], halves)
    ]
    assert sets[0].given == sets[1].given == sets[2].given
    assert sets[0].digest == sets[1].digest == sets[2].digest


def test_the_digest_covers_what_was_said(tmp_path):
    path = tmp_path / "a.jsonl"
    found = []
    for answer in ("good 0", "better 0"):
        rows = [row | {"chosen": answer} for row in pairs()]
        source = {"path": write(path, rows), "objective": "helpful"}
        found.append(load("preferences", source, names=("helpful",)))
    assert found[0].train == found[1].train
    assert found[0].digest != found[1].digest


def test_two_answers_and_a_label_for_each_objective(tmp_path):
    """As PKU-SafeRLHF has it."""
    rows = [
        {
            "prompt": f"Q{i}",
            "response_0": "a",
            "response_1": "b",
            "helps": i % 2,
            "safe": "response_0",
        }
        for i in range(8)
    ]
    rows[0]["helps"] = None
    source = {
        "path": write(tmp_path / "a.jsonl", rows),
        "columns": {"answers": ["response_0", "response_1"]},
        "better": {"helpful": "helps", "harmless": "safe"},
    }
    sets = load("preferences", source)
    for prompt, (said,) in zip(sets.train, sets.given, strict=True):
        number = int(prompt.text[1:])
        helps = {} if number == 0 else {"helpful": number % 2}
        assert said.better == {**helps, "harmless": 0}


def test_turns_and_text_are_the_same_prompt_and_answer(tmp_path):
    """TRL's conversational form, with the answer as a turn and as text."""

    def turns(i: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"Q{i}"}]

    rows = [
        {
            "prompt": turns(i),
            "chosen": [{"role": "assistant", "content": " good "}],
            "rejected": "bad",
        }
        for i in range(8)
    ]
    source = {
        "path": write(tmp_path / "a.jsonl", rows),
        "objective": "helpful",
        "columns": {"messages": "prompt"},
    }
    sets = load("preferences", source, render=lambda t: f"<{t[0]['content']}>", names=("helpful",))
    assert {p.text[:2] for p in sets.train} == {"<Q"}
    assert {said[0].answers for said in sets.given} == {("bad", "good")}
    assert {said[0].better["helpful"] for said in sets.given} == {1}


@pytest.mark.parametrize("prompt_in", ["chosen", "prompt"])
def test_whole_turns_are_cut_at_the_prompt(tmp_path, prompt_in):
    def whole(i: int, answer: str) -> list[dict[str, str]]:
        asked = [{"role": "system", "content": "Be."}, {"role": "user", "content": f"Q{i}"}]
        return [*asked, *([{"role": "assistant", "content": answer}] if answer else [])]

    rows = [
        {"prompt": whole(i, ""), "chosen": whole(i, "yes"), "rejected": whole(i, "no")}
        for i in range(8)
    ]
    rows[4]["rejected"][1] = {"role": "user", "content": "other"}
    source = {
        "path": write(tmp_path / "a.jsonl", rows),
        "objective": "helpful",
        "columns": {"messages": prompt_in},
        "whole": True,
    }
    options = {"render": lambda t: t[-1]["content"], "names": ("helpful",)}
    with raises("data-pair", "'rejected'") as caught:
        load("preferences", source, **options)
    assert caught.value.where.endswith("a.jsonl:5")
    sets = load("preferences", source, on_bad_row="skip", train=3, **options)
    assert {said[0].answers for said in sets.given} == {("no", "yes")}
    assert sets.facts.left_out == 1


def test_whole_dialogues_are_cut_at_their_last_answer(tmp_path):
    """As HH-RLHF has it; a base without a chat template is shown the text as it stands."""
    start = "\n\nHuman: Q{}?\n\nAssistant: Hm.\n\nHuman: Well?\n\nAssistant:"
    rows = [
        {"chosen": start.format(i) + " Yes. ", "rejected": start.format(i) + " No."}
        for i in range(8)
    ]
    source = {
        "path": write(tmp_path / "a.jsonl", rows),
        "objective": "harmless",
        "columns": {"dialogue": "chosen"},
    }
    sets = load("preferences", source, names=("harmless",))
    assert {said[0].answers for said in sets.given} == {(" No.", " Yes.")}
    assert all(p.text == start.format(p.text[10]) for p in sets.train)


def test_plain_texts_may_be_whole(tmp_path):
    rows = [row | {k: row["prompt"] + row[k] for k in ("chosen", "rejected")} for row in pairs()]
    source = {"path": write(tmp_path / "a.jsonl", rows), "objective": "helpful", "whole": True}
    sets = load("preferences", source, names=("helpful",))
    assert all(said[0].answers[0].startswith("bad") for said in sets.given)


@pytest.mark.parametrize("kind", ["jsonl.gz", "parquet", "saved"])
def test_every_kind_of_file_gives_the_same(tmp_path, kind):
    path = tmp_path / ("saved" if kind == "saved" else f"a.{kind}")
    if kind == "jsonl.gz":
        path.write_bytes(gzip.compress(b"\n".join(json.dumps(r).encode() for r in pairs())))
    elif kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(pairs()), path)
    else:
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(pairs()).save_to_disk(str(path))
    plain = write(tmp_path / "plain.jsonl", pairs())
    found = [
        load("preferences", {"path": str(p), "objective": "helpful"}, names=("helpful",)).given
        for p in (path, plain)
    ]
    assert found[0] == found[1]


ULTRA = {
    "columns": {"prompt": "instruction", "completions": "completions"},
    "ratings": {"helpful": "annotations.helpfulness.Rating", "harmless": "honest"},
}
LISTED = {"columns": {"completions": "texts"}, "ratings": {"helpful": "h", "harmless": "s.safe"}}
STEER = {"columns": {"completion": "response"}, "ratings": {"helpful": "h", "harmless": "s"}}


def ultra() -> list[dict[str, Any]]:
    """Return rows as UltraFeedback has them: mappings with nested ratings, as texts."""
    answers = [
        {"response": text, "annotations": {"helpfulness": {"Rating": str(n)}}, "honest": 5 - n}
        for n, text in enumerate(("x", "y", "z"), 1)
    ]
    return [{"instruction": f"Q{i}", "completions": answers} for i in range(8)]


def steer() -> list[dict[str, Any]]:
    """Return rows as HelpSteer has them: an answer a row."""
    said = (("x", 1, 4), ("y", 2, 3), ("z", 3, 2))
    return [
        {"prompt": f"Q{i}", "response": text, "h": h, "s": s}
        for i in range(8)
        for text, h, s in said
    ]


def listed() -> list[dict[str, Any]]:
    rows = {"texts": ["x", "y", "z"], "h": [1, 2, 3], "s": {"safe": [4, 3, 2]}}
    return [{"prompt": f"Q{i}", **rows} for i in range(8)]


@pytest.mark.parametrize(
    ("source", "rows"), [(ULTRA, ultra()), (STEER, steer()), (LISTED, listed())]
)
def test_rated_answers_of_every_layout_are_the_same(tmp_path, source, rows):
    sets = load("ratings", {**source, "path": write(tmp_path / "a.jsonl", rows)})
    expected = Feedback(("x", "y", "z"), ratings={"harmless": (4, 3, 2), "helpful": (1, 2, 3)})
    assert sets.given == ((expected,),) * 4
    assert list(sets.facts.lines()) == ["runs learn from 12 rated answers: harmless 12, helpful 12"]


def test_an_answer_that_was_rated_again_has_the_mean(tmp_path):
    rows = steer()
    again = [row | {"h": row["h"] + 2} for row in rows if row["response"] == "x"]
    sets = load("ratings", {**STEER, "path": write(tmp_path / "a.jsonl", rows + again)})
    assert {said[0].ratings["helpful"] for said in sets.given} == {(2, 2, 3)}


BAD_PAIRS = {
    "alike": ({"chosen": "bad 2 "}, "chosen and rejected are the same answer"),
    "empty": ({"rejected": " "}, "'rejected' holds an empty answer"),
    "null": ({"chosen": None}, "'chosen' must hold text or chat turns, got None"),
    "number": ({"chosen": 7}, "'chosen' must hold text or chat turns, got 7"),
    "absent": ({"rejected": ...}, "no column 'rejected'"),
    "prompt": ({"prompt": ""}, "the prompt is empty"),
    "turns": ({"chosen": [{"role": "user", "content": "a"}]}, "one answer of the assistant"),
    "unicode": ({"chosen": "\ud83d"}, "half a character"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_a_bad_pair_is_named_by_file_and_line_or_left_out(tmp_path, case):
    changes, words = BAD_PAIRS[case]
    path = write(tmp_path / "a.jsonl", told(**changes))
    source = {"path": path, "objective": "helpful"}
    with pytest.raises(DataError, match=words) as caught:
        load("preferences", source, names=("helpful",))
    assert caught.value.where == f"{path}:3"
    sets = load("preferences", source, names=("helpful",), on_bad_row="skip", train=3)
    assert (sets.facts.left_out, sets.facts.why[0][:9]) == (1, "a.jsonl:3")


BAD_RATINGS = {
    "missing": ({"h": ...}, "answer 1 has no rating of `helpful`"),
    "null": ({"h": None}, "answer 1 has no rating of `helpful` that is a finite number: none"),
    "infinite": ({"s": float("inf")}, "answer 1 has no rating of `harmless`.*inf"),
    "word": ({"h": "N/A"}, "`helpful`.*'N/A'"),
    "boolean": ({"h": True}, "`helpful`.*True"),
    "empty": ({"response": ""}, "empty answer"),
}


@pytest.mark.parametrize("case", BAD_RATINGS)
def test_a_bad_rating_is_named_by_file_and_line(tmp_path, case):
    changes, words = BAD_RATINGS[case]
    rows = steer()
    rows[4] = {k: v for k, v in (rows[4] | changes).items() if v is not ...}
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=words) as caught:
        load("ratings", {**STEER, "path": path})
    assert caught.value.where == f"{path}:5"


def test_a_single_rated_answer_cannot_be_compared(tmp_path):
    rows = [row for row in steer() if row["prompt"] != "Q3" or row["response"] == "y"]
    path = write(tmp_path / "a.jsonl", rows)
    with raises("data-rating", "10", "answer") as caught:
        load("ratings", {**STEER, "path": path})
    assert caught.value.where == f"{path}:10"
    sets = load("ratings", {**STEER, "path": path}, on_bad_row="skip", train=3)
    assert sets.facts.left_out == 1


def test_ratings_that_fit_no_answer_are_refused(tmp_path):
    rows = listed()
    rows[1]["h"] = [1, 2]
    with raises("data-rating", "'h'", "hold 3"):
        load("ratings", {**LISTED, "path": write(tmp_path / "a.jsonl", rows)})


def test_an_unknown_objective_in_the_column_is_refused_with_the_nearest(tmp_path):
    rows = pairs(objective="helpful")
    rows[5]["objective"] = "helpfull"
    path = write(tmp_path / "a.jsonl", rows)
    with raises("data-objective", "'helpfull'") as caught:
        load("preferences", {"path": path})
    assert (caught.value.where, caught.value.hint[:23]) == (f"{path}:6", "did you mean 'helpful'?")


def test_a_label_that_names_no_answer_is_refused(tmp_path):
    rows = [{"prompt": f"Q{i}", "a": "x", "b": "y", "best": 2} for i in range(8)]
    source = {"columns": {"answers": ["a", "b"]}, "better": {"helpful": "best"}}
    path = write(tmp_path / "a.jsonl", rows)
    with raises("data-value", "holds 2", "0", "1", "'a'", "'b'"):
        load("preferences", {**source, "path": path})
    for row in rows:
        row["best"] = None
    write(tmp_path / "a.jsonl", rows)
    with raises("data-pair", "objective"):
        load("preferences", {**source, "path": path})


def test_an_objective_without_a_pair_among_the_train_prompts_is_refused(tmp_path):
    path = write(tmp_path / "a.jsonl", pairs(objective="helpful"))
    with raises("data-objective", "the 4", "`harmless`"):
        load("preferences", {"path": path})


def test_ratings_that_tell_no_two_answers_apart_are_refused(tmp_path):
    rows = [row | {"s": len(row["prompt"])} for row in steer()]
    with pytest.raises(DataError, match="`harmless` rates all answers to a prompt alike") as caught:
        load("ratings", {**STEER, "path": write(tmp_path / "a.jsonl", rows)})
    assert caught.value.code == "data-objective"


def test_a_source_with_other_columns_is_refused_even_where_bad_rows_are_left_out(tmp_path):
    good = {"path": write(tmp_path / "a.jsonl", pairs(30)), "objective": "helpful"}
    odd = [{"question": "Q", "yes": "a", "no": "b"}] * 3
    other = {"path": write(tmp_path / "b.jsonl", odd), "objective": "harmless"}
    with raises("data-column", "'prompt'", "'question'", "'yes'", "'no'"):
        load("preferences", good, other)
    with raises("data-bad-rows", "3 rows") as caught:
        load("preferences", good, other, on_bad_row="skip")
    assert caught.value.where.endswith("b.jsonl")


def test_an_answer_that_does_not_fit_is_told_with_its_row(tmp_path):
    path = write(tmp_path / "a.jsonl", told(chosen="good " * 30))
    source = {"path": path, "objective": "helpful"}
    spec = TypeAdapter(DataSpec).validate_python(
        {"type": "preferences", "sources": [source], **SIZES, "max_answer_tokens": 20}
    )
    needs = Needs(objectives=("helpful",), tokens=lambda text: len(text.split()))
    with raises("data-too-long", "30 tokens", "20") as caught:
        load_prompts(spec, seed=0, render_chat=None, needs=needs)
    assert caught.value.where == f"{path}:3"
    wide = spec.model_copy(update={"max_answer_tokens": None})
    narrow = Needs(objectives=("helpful",), tokens=needs.tokens, window=31)
    with raises("data-too-long", "have 32", "31"):
        load_prompts(wide, seed=0, render_chat=None, needs=narrow)


def test_eval_prompts_are_no_train_prompts_whatever_file_they_are_in(tmp_path):
    rows = pairs(30)
    one = {"path": write(tmp_path / "a.jsonl", rows[:20]), "objective": "helpful"}
    two = {"path": write(tmp_path / "b.jsonl", rows[10:]), "objective": "harmless"}
    sets = load("preferences", one, two, train=12, eval=10, validation=8)
    texts = [p.text for part in (sets.train, sets.eval, sets.validation) for p in part]
    assert len(set(texts)) == 30
    assert len(sets.given) == 12


@pytest.mark.skipif(not HH.is_file(), reason="the shared human-feedback data is not here")
def test_real_dialogues_are_read_but_for_a_few_odd_ones():
    source = {"path": str(HH), "objective": "harmless", "columns": {"dialogue": "chosen"}}
    sets = load("preferences", source, names=("harmless",), on_bad_row="skip", train=64)
    assert (sets.facts.rows, sets.facts.left_out) == (1800, 7)
    assert sets.facts.spoken[0][1] >= 64
