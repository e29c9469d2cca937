"""Control tokens: bins, spare words, what is trained when, and how the artifact is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretoflow.spec.methods import MeetMethodSpec
from paretoflow.spec.methods.conditioned import RpsSelectSpec, ServeSpec
from tests.faults import raises
from tests.method_bench import Trained, make_context, plain_dpo, train, weighted

pytestmark = pytest.mark.train

torch = pytest.importorskip("torch")

SHARED: dict[str, Any] = {"steps": 4, "batch_size": 4, "learning_rate": 5e-3}
SPEC = MeetMethodSpec(type="meet", control_frac=0.5, checkpoint_every=2, **SHARED)
MIXED = weighted(0.5, 0.3, 0.2)
TOKENS = "lora_embedding"


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


@pytest.fixture(scope="module")
def trained(context, tmp_path_factory) -> Trained:
    return train(context, SPEC, MIXED, tmp_path_factory.mktemp("controls"))


@pytest.fixture(scope="module")
def controls(context):
    from paretoflow.methods.conditioned.control_tokens import make_controls

    return make_controls(context.lm, context.candidates, context.objective_names, 3)


def test_bins_by_hand():
    from paretoflow.methods.conditioned.control_tokens import bins_of

    scores = np.stack([np.arange(9.0), -np.arange(9.0)], axis=1)
    assert bins_of(scores, 3).T.tolist() == [
        [0, 0, 0, 1, 1, 1, 2, 2, 2],
        [2, 2, 2, 1, 1, 1, 0, 0, 0],
    ]
    assert bins_of(np.arange(8.0)[:, None], 3)[5].tolist() == [2]


def test_bins_do_not_depend_on_scale_and_equal_scores_share_one():
    from paretoflow.methods.conditioned.control_tokens import bins_of

    scores = np.random.default_rng(0).normal(size=(50, 2)).round(1)
    bins = bins_of(scores, 4)
    assert np.array_equal(bins, bins_of(scores * 8.0, 4))
    assert all(len(set(bins[scores[:, 0] == s, 0])) == 1 for s in set(scores[:, 0]))
    assert set(bins[:, 0]) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("weights", "bins"),
    [((1, 0), (2, 0)), ((0.75, 0.25), (2, 1)), ((0.5, 0.5), (2, 2)), ((0.2, 0.8), (1, 2))],
)
def test_a_preference_asks_for_bins(weights, bins):
    from paretoflow.methods.conditioned.control_tokens import bins_for

    assert bins_for(np.array(weights, dtype=float), 3) == bins


def test_control_words_are_spare_and_one_token_each(context, controls):
    from paretoflow.lm.base import encode

    words = [w for row in controls.words.values() for w in row]
    assert len(set(words)) == len(set(controls.ids)) == 9
    table = context.candidates
    used = {t for ids in table.prompt_ids for t in ids}
    used |= {t for row in table.completion_ids for ids in row for t in ids}
    assert used.isdisjoint(controls.ids)
    prefix = controls.prefix({"vowels": 0, "length": 2, "breadth": 1})
    assert prefix == "{}\n{}\n{}\n".format(
        controls.words["breadth"][1], controls.words["length"][2], controls.words["vowels"][0]
    )
    seen = encode(context.lm, [prefix + context.candidates.prompts[0].text])[0]
    assert [t for t in seen if t in controls.ids] == encode(context.lm, [prefix])[0][::2]


def test_too_small_a_vocabulary_is_refused(context):
    from paretoflow.methods.conditioned.control_tokens import make_controls

    with raises("training", "600"):
        make_controls(context.lm, context.candidates, context.objective_names, 200)


def test_every_answer_is_learnt_behind_the_words_of_its_bins(context, controls):
    from paretoflow.lm.base import encode
    from paretoflow.methods.conditioned.control_tokens import bins_of
    from paretoflow.methods.conditioned.meet import ControlStages
    from paretoflow.methods.conditioned.prompts import put_before

    examples = ControlStages(SPEC, context, controls, 0).first().examples
    bins = bins_of(context.candidates.standardised.reshape(-1, 3), 3)
    assert len(examples) == 16
    own = dict(zip(context.objective_names, bins[6].tolist(), strict=True))
    text = put_before(controls.prefix(own), context.candidates.prompts[1].text, None)
    assert list(examples[6].prompt_ids) == encode(context.lm, [text])[0]
    assert examples[6].answer_ids == context.candidates.completion_ids[1][2]


def test_empty_answers_are_not_learnt(context, controls):
    from paretoflow.methods.conditioned.meet import ControlStages

    table = context.candidates
    rows = (((), *table.completion_ids[0][1:]), *table.completion_ids[1:])
    emptied = replace(context, candidates=replace(table, completion_ids=rows))
    assert len(ControlStages(SPEC, emptied, controls, 0).first().examples) == 15


@pytest.mark.parametrize(
    ("steps", "share", "opening"), [(10, 0.25, 2), (3, 0.25, 1), (40, 0.5, 20)]
)
def test_steps_that_train_control_tokens(steps, share, opening):
    from paretoflow.methods.conditioned.meet import control_steps

    spec = MeetMethodSpec(type="meet", steps=steps, control_frac=share)
    assert control_steps(spec) == opening


def test_control_tokens_are_trained_first_and_the_model_then(trained, controls):
    from tests.method_bench import read_adapter

    early, late = (read_adapter(c.folder) for c in trained.checkpoints)
    tokens = {k for k in early if TOKENS in k}
    assert len(tokens) == 2
    halves = {k for k in early if ".lora_B." in k}
    assert all((early[k] == 0).all() for k in halves)  # LoRA's zero half: nothing learnt yet
    assert any((late[k] != 0).any() for k in halves)
    assert all(np.array_equal(early[k], late[k]) for k in tokens)
    (columns,) = (early[k] for k in tokens if k.endswith("A"))
    learnt = set(np.flatnonzero((columns != 0).any(axis=0)).tolist())
    assert learnt
    assert learnt <= set(controls.ids)


def test_without_control_words_the_first_part_answers_as_the_base(trained, tiny_lm):
    from paretoflow.lm.adapters import adapter_on

    ids = tiny_lm.tokenizer("Document: The dict", return_tensors="pt")["input_ids"]
    prefix = trained.checkpoints[0].served[0].condition["prefix"]
    asked = tiny_lm.tokenizer(prefix + "Document: The dict", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        base, base_asked = tiny_lm.model(ids).logits, tiny_lm.model(asked).logits
        with adapter_on(tiny_lm, trained.checkpoints[0].folder) as model:
            assert torch.equal(model(ids).logits, base)
            assert not torch.allclose(model(asked).logits, base_asked, atol=1e-3)


def test_a_checkpoint_serves_each_way_of_asking_once_and_says_how(trained, controls):
    served = trained.checkpoints[-1].served
    asked = [s.condition["prefix"] for s in served]
    assert len(set(asked)) == len(asked)
    assert all(s.rewrite("text") == s.condition["prefix"] + "text" for s in served)
    hot = next(s for s in served if s.weights.tolist() == [1, 0, 0])
    assert hot.condition["bins"] == {"length": 2, "vowels": 0, "breadth": 0}
    assert hot.condition["prefix"] == controls.prefix(hot.condition["bins"])
    plain = json.loads((trained.checkpoints[-1].folder / "controls.json").read_text())
    assert {k: tuple(v) for k, v in plain["words"].items()} == controls.words


def test_two_objectives_have_five_ways_of_asking_for_three_bins(tiny_lm, tmp_path):
    pair = make_context(tiny_lm, columns=(0, 1))
    spec = SPEC.model_copy(update={"steps": 2, "checkpoint_every": None})
    served = train(pair, spec, weighted(0.5, 0.5), tmp_path).checkpoints[-1].served
    bins = [tuple(s.condition["bins"].values()) for s in served]
    assert bins == [(0, 2), (1, 2), (2, 2), (2, 1), (2, 0)]
    first = [s.weights[0] for s in served]
    assert first == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95])
    from paretoflow.methods.conditioned.control_tokens import bins_for

    assert [bins_for(s.weights, 3) for s in served] == bins  # the mean asks for the same


def test_permuting_objectives_changes_nothing(trained, tiny_lm, tmp_path):
    other = train(make_context(tiny_lm, columns=(2, 0, 1)), SPEC, MIXED, tmp_path)
    assert all(np.array_equal(v, other.adapter[k]) for k, v in trained.adapter.items())


def test_a_launchs_weights_do_not_enter_the_training(trained, context, tmp_path):
    other = train(context, SPEC, weighted(0.0, 1.0, 0.0), tmp_path)
    assert all(np.array_equal(v, other.adapter[k]) for k, v in trained.adapter.items())


def test_neighbours_of_a_preference_can_be_asked_for(context, tmp_path):
    serve = ServeSpec(points=3, select=RpsSelectSpec(type="rps", k=2))
    spec = SPEC.model_copy(update={"serve": serve, "steps": 2, "checkpoint_every": None})
    served = train(context, spec, MIXED, tmp_path).checkpoints[-1].served
    assert all(len(s.draws) == 2 for s in served)


def test_a_parent_without_control_tokens_is_refused(context, tmp_path):
    parent = train(context, plain_dpo(**SHARED), MIXED, tmp_path).checkpoints[-1].folder
    with raises("training", "control"):
        train(context, SPEC, MIXED, tmp_path, parent=parent)
