"""Work before the first launch that is stopped, or fails, and continues from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import LedgerError, RunInterrupted
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.lm import generation
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.generation import generate
from paretoflow.scoring import kept, panel
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.kept import Keeper
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import as_folder
from tests.conftest import TINY_TEXTS
from tests.faults import raises
from tests.unit.scoring.conftest import Length, Letters

pytestmark = pytest.mark.train

ROWS = 11
TEXTS = [TINY_TEXTS[i % len(TINY_TEXTS)] for i in range(ROWS)]
PROMPTS = [Prompt(f"p{i}", text) for i, text in enumerate(TEXTS)]
SEEDS = list(range(ROWS))


class Patient:
    """A mailbox that requests a stop of the work after a given number of reports."""

    def __init__(self, patience: int = 10_000) -> None:
        self.patience = patience
        self.told: list[tuple[str, int, int]] = []

    def doing(self, what: str, done: int, of: int) -> None:
        self.told.append((what, done, of))

    def stopping(self) -> bool:
        return len(self.told) >= self.patience


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "PIECE", 4)


@pytest.fixture
def keeper(tmp_path: Path, panel: ObjectivePanel, objectives: tuple[ObjectiveSpec, ...]) -> Keeper:
    return Keeper(tmp_path, panel, objectives)


def _told_by(keeper: Keeper, patience: int = 10_000) -> tuple[Keeper, Patient]:
    mailbox = Patient(patience)
    return dataclasses.replace(keeper, mailbox=mailbox), mailbox


@pytest.mark.few(3)
@pytest.mark.parametrize("batch_size", [1, 3, 4, 16])
@pytest.mark.parametrize("every_s", [0.0, 1e6])
def test_interrupted_at_every_batch_the_answers_are_those_of_one_go(
    keeper: Keeper,
    tiny_lm: LanguageModel,
    batch_size: int,
    every_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "KEEP_EVERY_S", every_s)
    gen = GenerationSpec(max_new_tokens=6, batch_size=batch_size)
    asked = (tiny_lm.model, tiny_lm, TEXTS, SEEDS, gen)
    expected = generate(*asked)
    counts = []
    for _ in range(ROWS):
        hasty, mailbox = _told_by(keeper, patience=1)
        try:
            found = hasty.sample(*asked)
            break
        except RunInterrupted:
            counts.append(mailbox.told[0])
    else:
        found = keeper.sample(*asked)  # its last batch was written too, and is kept
    assert counts == [
        ("sampling answers", min(n * batch_size, ROWS), ROWS)
        for n in range(1, -(-ROWS // batch_size) + 1)
    ]
    assert found == expected
    monkeypatch.delattr("paretoflow.lm.generation.sample")
    assert keeper.sample(*asked) == expected
    assert len(as_folder(keeper.root).names("shared")) == 1, "parts are left behind"


def test_a_killed_process_loses_no_more_than_what_was_made_since_the_last_part(
    keeper: Keeper, tiny_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEEP_EVERY_S", 0.0)
    gen = GenerationSpec(max_new_tokens=6, batch_size=3)
    asked = (tiny_lm.model, tiny_lm, TEXTS, SEEDS, gen)
    whole = generate(*asked)
    true_decode, batches = generation._decode, []

    def decode(*given: Any) -> None:
        batches.append(len(given[3]))
        if len(batches) == 3:
            raise SystemExit  # as abrupt as can be in one process
        true_decode(*given)

    monkeypatch.setattr(generation, "_decode", decode)
    with pytest.raises(SystemExit):
        keeper.sample(*asked)
    parts = as_folder(keeper.root).names("shared")
    assert [Path(part).parent.suffix for part in parts] == [".parts"] * 2
    assert keeper.sample(*asked) == whole
    assert batches == [3, 3, 3, 3, 2], "the two that were kept are not made again"


@pytest.mark.parametrize("damage", ["cut", "empty", "other rows"])
def test_a_damaged_part_is_named_and_nothing_is_guessed(
    keeper: Keeper, tiny_lm: LanguageModel, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gen = GenerationSpec(max_new_tokens=6, batch_size=3)
    asked = (tiny_lm.model, tiny_lm, TEXTS, SEEDS, gen)
    with pytest.raises(RunInterrupted):
        _told_by(keeper, patience=1)[0].sample(*asked)
    folder = as_folder(keeper.root)
    (part,) = folder.names("shared")
    content = folder.read(part)
    if damage == "other rows":
        monkeypatch.setattr(kept, "_answers_name", lambda *given: Path(part).parts[1][:-6])
        asked = (tiny_lm.model, tiny_lm, TEXTS[:1], SEEDS[:1], gen)
    else:
        folder.write(part, content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(LedgerError, match=Path(part).name) as caught:
        keeper.sample(*asked)
    assert "delete it" in caught.value.hint


def test_scores_put_down_at_every_piece_are_those_of_one_go(keeper: Keeper) -> None:
    answers = ["x" * i + "1" * (i % 3) for i in range(ROWS)]
    expected = keeper.panel.score(PROMPTS, answers)
    told: list[tuple[str, int, int]] = []
    while True:
        hasty, mailbox = _told_by(keeper, patience=1)
        try:
            found = hasty.score(PROMPTS, answers)
            break
        except RunInterrupted:
            told += mailbox.told
    np.testing.assert_array_equal(found, expected)
    assert told == [
        (f"scoring {name}", done, ROWS) for done in (4, 8, 11) for name in ("letters", "length")
    ]


class Moody(Length):
    """Fails from the second piece on, until it is repaired."""

    mended = False
    asked = 0

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        self.asked += 1
        if self.asked > 1 and not self.mended:
            raise ValueError("the judge does not answer")
        return super().score(prompts, completions)


@pytest.mark.parametrize("moody_first", [True, False])
def test_an_error_of_one_scorer_costs_nothing_of_the_others(
    keeper: Keeper, moody_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "PIECE", 4)
    letters, moody = Letters(), Moody()
    pair = [("letters", letters, keeper.objectives[0]), ("length", moody, keeper.objectives[1])]
    names, scorers, specs = zip(*(pair[::-1] if moody_first else pair), strict=True)
    mine = dataclasses.replace(
        keeper, panel=ObjectivePanel(names, scorers), objectives=tuple(specs)
    )
    answers = ["a" * i for i in range(ROWS)]
    with raises("objective-raised"):
        mine.score(PROMPTS, answers)
    before = letters.calls
    moody.mended = True
    scores = mine.score(PROMPTS, answers)
    assert sorted(scores[3]) == [3.0, 3.0]
    assert before + letters.calls - before == 3, "no piece of the other scorer is asked for twice"
    assert moody.asked == 4, "one kept, one failed, two after it was mended"


def test_a_part_lies_in_an_object_store_too(
    keeper: Keeper, tiny_lm: LanguageModel, s3_bucket: str
) -> None:
    there = dataclasses.replace(keeper, root=f"s3://{s3_bucket}/sweeps/parts")
    gen = GenerationSpec(max_new_tokens=6, batch_size=3)
    asked = (tiny_lm.model, tiny_lm, TEXTS, SEEDS, gen)
    with pytest.raises(RunInterrupted):
        _told_by(there, patience=2)[0].sample(*asked)
    (part,) = as_folder(there.root).names("shared")
    assert ".parts/" in part
    assert there.sample(*asked) == generate(*asked)
    (whole,) = as_folder(there.root).names("shared")
    assert whole == part.split(".parts/")[0] + ".arrow"


def test_the_base_is_evaluated_in_pieces_as_in_one_go(
    keeper: Keeper, tiny_lm: LanguageModel
) -> None:
    gen = GenerationSpec(max_new_tokens=6, batch_size=3)
    plain = Evaluator(tiny_lm, gen, keeper.panel, tuple(PROMPTS), seed=3)
    expected, told = plain.evaluate(tiny_lm.model), []
    while True:
        hasty, mailbox = _told_by(dataclasses.replace(keeper, what="the base"), patience=1)
        try:
            found = dataclasses.replace(plain, keeper=hasty).evaluate(tiny_lm.model)
            break
        except RunInterrupted:
            told += [text for text, _, _ in mailbox.told]
    assert told == ["sampling the base"] * 4 + ["scoring letters", "scoring length"] * 3
    assert found.cost.tokens == expected.cost.tokens
    assert dataclasses.replace(found, cost=expected.cost) == expected


def test_an_evaluation_beats_at_every_batch_and_piece(
    keeper: Keeper, tiny_lm: LanguageModel
) -> None:
    beats: list[int] = []
    gen = GenerationSpec(max_new_tokens=6, batch_size=3)
    scorers = keeper.panel._objectives
    panel = ObjectivePanel(keeper.panel.names, scorers, lambda: beats.append(2))
    evaluator = Evaluator(tiny_lm, gen, panel, tuple(PROMPTS), seed=3, beat=lambda: beats.append(1))
    evaluator.evaluate(tiny_lm.model)
    assert beats == [1] * 4 + [2] * 6
