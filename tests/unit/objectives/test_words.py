# ruff: noqa: RUF001
from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build
from paretoflow.objectives.words import words_of
from paretoflow.spec.objectives import (
    GroundingObjectiveSpec,
    LengthObjectiveSpec,
    RegexObjectiveSpec,
    RougeObjectiveSpec,
)
from tests.faults import raises

SCRIPTS = {
    "Chinese": "列表是一种可变序列",
    "Japanese": "リストは可変シーケンスです",
    "Russian": "Список это изменяемая последовательность",
    "German": "Größe Übermaß Äpfel",
    "Hindi": "सूची एक परिवर्तनीय अनुक्रम है",
    "Thai": "ลิสต์คือลำดับที่เปลี่ยนแปลงได้",
    "Arabic": "القائمة تسلسل قابل للتغيير",
    "Korean": "리스트는 변경 가능한 시퀀스입니다",
    "Greek": "Η λίστα είναι μεταβλητή ακολουθία",
    "Hebrew": "רשימה היא רצף שניתן לשינוי",
}


@given(st.text(st.characters(max_codepoint=127)))
def test_of_ascii_the_words_are_rouges_own(text: str) -> None:
    assert words_of(text) == re.findall("[a-z0-9]+", text.lower())


@given(st.text())
def test_any_text_has_words_and_they_hold_no_space(text: str) -> None:
    assert all(word and not word.isspace() for word in words_of(text))
    assert words_of(text) == words_of(f" {text}\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("序列是 list 类型", ["序", "列", "是", "list", "类", "型"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("GRÖSSE Größe", ["grösse", "grösse"]),
        ("１２ ab", ["12", "ab"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
    ],
)
def test_words_of_other_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.train
@pytest.mark.parametrize("variant", ["rouge1", "rouge2", "rougeL"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_answer_like_its_reference_scores_one_and_a_part_of_it_less(
    name: str, variant: str
) -> None:
    text = SCRIPTS[name]
    spec = RougeObjectiveSpec.model_validate({"type": "rouge", "name": "r", "variant": variant})
    prompt = Prompt("p", "q", text)
    part_of_it, other = text[:-3], SCRIPTS["Greek" if name == "Russian" else "Russian"]
    whole, part, none = build(spec).score([prompt] * 3, [text, part_of_it, other])
    assert whole == pytest.approx(1.0)
    assert 0 < part < 1
    assert none == 0


@pytest.mark.train
def test_letters_that_rouge_knows_alone_are_no_match() -> None:
    prompt = Prompt("p", "q", "Größe Übermaß Äpfel")
    spec = RougeObjectiveSpec(type="rouge", name="r", variant="rouge1")
    assert build(spec).score([prompt], ["gr e berma pfel"])[0] == 0
    with raises("data-reference", "word"):
        build(spec).score([Prompt("p", "q", "… !?")], ["x"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_copied_from_a_passage_is_grounded(name: str) -> None:
    text = SCRIPTS[name]
    prompt = Prompt("p", "q", passages=(f"({text}). Another.",))
    scorer = build(GroundingObjectiveSpec(type="grounding", name="g", n=2))
    np.testing.assert_array_equal(scorer.score([prompt] * 2, [text, "quite other words"]), [1, 0])


def test_length_counts_characters_where_there_are_no_spaces() -> None:
    scorer = build(LengthObjectiveSpec(type="length", name="n"))
    texts = ["don't stop, now!", "列表是一种可变序列", "用 list 吧", "한국어 문장", "", "สวัสดี"]
    assert scorer.score([Prompt("p", "q")] * 6, texts).tolist() == [3, 9, 3, 2, 0, 4]


@pytest.mark.parametrize(
    ("keyword", "text", "found"),
    [
        ("列表", "用列表是好的", 1),
        ("可変", "リストは可変シーケンスです", 1),
        ("cat", "concatenate", 0),
        ("кот", "который", 0),
        ("кот", "Кот спит", 1),
        ("list列表", "alist列表", 0),
    ],
)
def test_keywords_are_whole_words_where_a_script_shows_them(
    keyword: str, text: str, found: int
) -> None:
    spec = RegexObjectiveSpec(type="regex", name="k", keywords=(keyword,))
    assert build(spec).score([Prompt("p", "q")], [text]).tolist() == [found]
