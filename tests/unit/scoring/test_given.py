"""What people gave as a table: tokens, log-probabilities, labels, ratings, and both kinds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from paretoflow.core.feedback import Feedback
from paretoflow.core.protocols import Prompt
from paretoflow.lm.answers import answer_ids
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.methods.preferences.pairs import PairTable
from paretoflow.scoring import kept
from paretoflow.scoring.given import GivenStage, joined
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.shared import SharedStage
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
from tests.faults import raises
from tests.unit.scoring.test_kept import Patient

pytestmark = pytest.mark.train


@pytest.fixture
def shared(
    tmp_path: Path,
    tiny_lm: LanguageModel,
    panel: ObjectivePanel,
    objectives: tuple[ObjectiveSpec, ...],
) -> SharedStage:
    generation = GenerationSpec(max_new_tokens=8, batch_size=2)
    return SharedStage(tmp_path, tiny_lm, generation, panel, objectives)


@pytest.fixture
def rows(prompts: tuple[Prompt, ...], objectives: tuple[ObjectiveSpec, ...]) -> list:
    first, second = (o.name for o in objectives)
    said = [
        Feedback((" a list", " it is a tuple"), {first: 0}),
        Feedback((" a list", " a dict."), {first: 1, second: 0}),
        Feedback((" none of it", " all of it"), {second: 1}),
    ]
    return list(zip((prompts[0], prompts[0], prompts[1]), said, strict=True))


def rated(rows: list, names: list[str], counts=(2, 4, 3)) -> list:
    ratings = [
        Feedback(
            tuple(f" answer {i}" for i in range(n)),
            ratings={name: tuple(float(i + k) for i in range(n)) for k, name in enumerate(names)},
        )
        for n in counts
    ]
    return [(prompt, said) for (prompt, _), said in zip(rows, ratings, strict=True)]


def test_a_row_holds_what_the_base_would_be_asked_and_its_labels(shared, rows, tiny_lm):
    found = GivenStage(shared, 1.0, scores=False).candidates(rows)
    assert found.given.labels.tolist() == [[1, 0], [-1, 1], [0, -1]]
    assert (found.given.rows, found.given.scored) == (3, False)
    assert not found.gains.any()
    assert found.completions[0] == ("a list", "it is a tuple")
    for (prompt, said), ids, own in zip(rows, found.completion_ids, found.prompt_ids, strict=True):
        assert list(own) == encode(tiny_lm, [prompt.text])[0]
        for answer, tokens in zip(said.answers, ids, strict=True):
            assert tokens[-1] == tiny_lm.tokenizer.eos_token_id
            assert tiny_lm.tokenizer.decode([*own, *tokens[:-1]]) == prompt.text + answer
    repeated = [ids for ids in found.prompt_ids for _ in range(2)]
    answers = [ids for row in found.completion_ids for ids in row]
    expected = sequence_logprobs(tiny_lm.model, tiny_lm, repeated, answers, 8)
    np.testing.assert_allclose(found.ref_logprobs.ravel(), expected, atol=1e-4)


def test_a_prompt_keeps_its_own_tokens_where_an_answer_would_change_the_last(tiny_lm):
    words = [w for w in tiny_lm.tokenizer.get_vocab() if w.isalpha() and len(w) > 3]
    word = sorted(words)[0]
    prompt, answer = word[:2], word[2:]
    (ids,) = answer_ids(tiny_lm, [prompt], [answer])
    (own,) = encode(tiny_lm, [prompt])
    assert tiny_lm.tokenizer.decode([*own, *ids[:-1]]) == prompt + answer


def test_scores_are_asked_for_where_a_method_needs_them(shared, rows, panel):
    found = GivenStage(shared, 1.0, scores=True).candidates(rows)
    assert found.given.scored
    texts = [answer.strip() for _, said in rows for answer in said.answers]
    raw = panel.score([p for p, said in rows for _ in said.answers], texts)
    np.testing.assert_allclose(np.abs(found.gains.reshape(-1, 2)), np.abs(raw))
    assert (found.gains[..., 1] <= 0).all()  # length is minimised


def test_what_was_kept_is_not_made_again_and_an_interruption_loses_nothing(
    shared, rows, monkeypatch
):
    monkeypatch.setattr(kept, "KEEP_EVERY_S", 0.0)
    hasty = dataclasses.replace(shared, mailbox=Patient(patience=1))
    with raises("interrupted", "2", "6 done"):
        GivenStage(hasty, 1.0, scores=False).candidates(rows)
    whole = GivenStage(shared, 1.0, scores=False).candidates(rows)
    monkeypatch.delattr("paretoflow.scoring.given.sequence_logprobs")
    again = GivenStage(shared, 1.0, scores=False).candidates(rows)
    assert again.completion_ids == whole.completion_ids
    assert np.array_equal(again.ref_logprobs, whole.ref_logprobs)


def test_rated_answers_of_any_number_are_oriented_and_counted_once(shared, rows, objectives):
    names = [o.name for o in objectives]
    found = GivenStage(shared, 1.0, scores=False).candidates(rated(rows, names))
    assert found.given.labels is None
    assert found.counts.tolist() == [2, 4, 3]
    assert found.gains.shape == (3, 4, 2)
    assert found.gains[1, :, 0].tolist() == [0, 1, 2, 3]
    assert found.gains[1, :, 1].tolist() == [-1, -2, -3, -4]  # less is better there
    values = np.array([0, 1, 0, 1, 2, 3, 0, 1, 2], dtype=float)
    np.testing.assert_allclose(found.mean, [values.mean(), -values.mean() - 1])
    np.testing.assert_allclose(found.std, values.std())
    pairs = PairTable(found, 9).ranked(np.array([1.0, 0.0]))
    assert len(pairs) == 1 + 6 + 3


def test_the_bases_answers_stand_behind_those_that_were_given(shared, rows, prompts):
    given = GivenStage(shared, 0.75, scores=False).candidates(rows)
    own = shared.candidates(prompts, per_prompt=3, seed=0)
    both = joined(given, own)
    assert both.counts.tolist() == [2, 2, 2, 3, 3, 3, 3]
    assert both.gains.shape == (7, 3, 2)
    assert both.given is given.given
    np.testing.assert_array_equal(both.mean, own.mean)
    np.testing.assert_array_equal(both.gains[3:], own.gains)
    assert both.completion_ids[0] == (*given.completion_ids[0], given.completion_ids[0][0])
    in_units = dataclasses.replace(both, standard="prompt").standardised
    alone = dataclasses.replace(own, standard="prompt").standardised
    np.testing.assert_allclose(in_units[3:], alone)
