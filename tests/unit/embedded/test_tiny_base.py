from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from paretoflow.core.ids import seed_of
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.embedded.pydoc import PydocItem, pydoc_items
from paretoflow.spec.models import EmbeddedModelSpec, GenerationSpec

MIB = 2**20


def test_the_weights_are_small_and_safe() -> None:
    files = [p for p in TINY_BASE_DIR.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 8 * MIB
    assert {p.suffix for p in files} <= {".safetensors", ".json", ".jinja", ".md"}
    config = json.loads((TINY_BASE_DIR / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert "auto_map" not in config


def test_it_says_how_it_was_made_and_how_long_that_took() -> None:
    card = (TINY_BASE_DIR / "README.md").read_text(encoding="utf-8")
    assert "train_base.py" in card
    assert re.search(r"\d+ min on \d cores?", card)


def _bigrams(text: str) -> set[tuple[str, str]]:
    words = text.lower().split()
    return set(pairwise(words))


@pytest.fixture(scope="module")
def held_out() -> list[PydocItem]:
    return [i for i in pydoc_items() if i.split == "eval"][::20][:12]


@pytest.mark.train
def test_it_answers_held_out_questions_from_the_document(held_out: list[PydocItem]) -> None:
    from paretoflow.lm.base import load_base
    from paretoflow.lm.generation import generate

    lm = load_base(EmbeddedModelSpec(), threads=1)
    assert sum(p.numel() for p in lm.model.parameters()) < 4e6
    answers = generate(
        lm.model,
        lm,
        [i.prompt for i in held_out],
        [seed_of(i.symbol) for i in held_out],
        GenerationSpec(temperature=0.0, max_new_tokens=80),
    )
    said = [_bigrams(a.text) for a in answers]
    assert sum(map(bool, said)) >= 11
    copied = sum(len(s & _bigrams(i.document)) for s, i in zip(said, held_out, strict=True))
    assert copied / sum(map(len, said)) >= 0.8
    lengths = [
        (len(a.text.split()), len(i.document.split()))
        for a, i in zip(answers, held_out, strict=True)
    ]
    assert any(answer < document for answer, document in lengths)
