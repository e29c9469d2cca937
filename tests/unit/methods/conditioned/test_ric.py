from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from paretoflow.lm.base import encode
from paretoflow.methods.conditioned.prompts import put_before
from paretoflow.methods.conditioned.stages import ExampleStage
from paretoflow.spec.methods import RicMethodSpec
from tests.faults import raises
from tests.method_bench import make_context, train, weighted

pytestmark = pytest.mark.train
SPEC = RicMethodSpec(type="ric", steps=6, rounds=2)


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


def stages(context, seed=0, **changes):
    from paretoflow.methods.conditioned.ric import RicStages

    scores = context.candidates.standardised
    bounds = scores.min(axis=(0, 1)), scores.max(axis=(0, 1))
    return RicStages(SPEC.model_copy(update=changes), context, bounds, seed)


def test_the_first_stage_tells_every_answer_of_the_base_with_its_scores(context):
    first = stages(context).first()
    table, scores = context.candidates, context.candidates.standardised
    names = context.objective_names
    assert len(first.base) == 16
    for number, example in enumerate(first.base):
        prompt, answer = divmod(number, 4)
        told = " ".join(
            f"<{n}> {round(s, 1) + 0.0:.1f}"
            for n, s in zip(names, scores[prompt, answer], strict=True)
        )
        (ids,) = encode(context.lm, [put_before(f"{told}\n", table.prompts[prompt].text, None)])
        assert example.prompt_ids == tuple(ids)
        assert example.answer_ids == table.completion_ids[prompt][answer]


def test_a_round_learns_what_was_obtained_and_not_what_was_asked(context, monkeypatch):
    from paretoflow.methods.conditioned.prompts import goals_prefix
    from paretoflow.methods.conditioned.sampling import Conditioner

    seen = []
    own = Conditioner.sample

    def sample(self, model, asked, number, pulse):
        found = own(self, model, asked, number, pulse)
        seen.append((asked, found))
        return found

    monkeypatch.setattr(Conditioner, "sample", sample)
    made = stages(context, quantile=0.0, round_prompts=6)
    stage, _ = made.following(ExampleStage(0, ()), context.lm.model, int)
    ((asked, found),) = seen
    assert len(stage.own) == len(asked) == 6
    assert len(stage.base) == 3  # half an answer of the base for each one sampled
    for (prompt, _), example, answer, scores in zip(
        asked, stage.own, found.answers, found.scores, strict=True
    ):
        prefix = goals_prefix(context.objective_names, np.round(scores, 1) + 0.0)
        text = put_before(prefix, context.candidates.prompts[prompt].text, None)
        (ids,) = encode(context.lm, [text])
        assert example.prompt_ids == tuple(ids)
        assert example.answer_ids == answer.token_ids
    high = made.bounds[1]
    for _, prefix in asked:  # one objective at most is asked for less than the best
        goals = [float(word) for word in prefix.split() if not word.startswith("<")]
        assert sum(g < h - 0.06 for g, h in zip(goals, high, strict=True)) <= 1


def test_rounds_gather_their_own_answers_and_drop_the_poor(context):
    model = context.lm.model
    one, _ = stages(context).following(ExampleStage(0, ()), model, int)
    two, _ = stages(context).following(one, model, int)
    assert 1 <= len(one.own) <= 4
    assert two.own[: len(one.own)] == one.own
    assert two.number == 2
    strict, _ = stages(context, quantile=0.95).following(ExampleStage(0, ()), model, int)
    assert len(strict.own) <= 3  # the best of each objective


def test_without_replay_a_round_learns_its_own_answers_alone(context):
    stage, _ = stages(context, replay=0.0).following(ExampleStage(0, ()), context.lm.model, int)
    assert stage.base == ()
    assert stage.own


def test_rewards_that_are_not_finite_end_the_run(context):
    broken = replace(context, rewards=lambda prompts, texts: np.full((len(texts), 3), np.nan))
    with raises("training", "not finite"):
        stages(broken).following(ExampleStage(0, ()), context.lm.model, int)


def test_prompts_that_do_not_fit_with_their_condition_are_told_before_training(context):
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(max_position_embeddings=20))
    small = replace(context.lm, model=SimpleNamespace(config=config, named_modules=list))
    with raises("data-too-long", "20", "condition"):
        stages(replace(context, lm=small)).first()


def test_a_checkpoint_serves_the_lattice_with_the_words_of_training(context, tmp_path):
    spec = RicMethodSpec.model_validate(
        {"type": "ric", "steps": 1, "rounds": 0, "batch_size": 2, "serve": {"points": 3}}
    )
    run = train(context, spec, weighted(0.5, 0.3, 0.2), tmp_path)
    served = run.checkpoints[-1].served
    assert [s.weights.tolist() for s in served] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    high = np.round(context.candidates.standardised.max(axis=(0, 1)), 1)
    low = np.round(context.candidates.standardised.min(axis=(0, 1)), 1)
    first = served[0]
    assert list(first.condition["goals"].values()) == pytest.approx([low[0], low[1], high[2]])
    assert first.rewrite is not None
    assert first.rewrite("Question") == first.condition["prefix"] + "Question"
    assert first.condition["prefix"].startswith(f"<length> {low[0]:.1f} <vowels> ")


def test_launch_weights_do_not_enter_the_training(context, tmp_path):
    spec = RicMethodSpec(type="ric", steps=2, rounds=1, batch_size=2)
    one = train(context, spec, weighted(1.0, 0.0, 0.0), tmp_path)
    other = train(context, spec, weighted(0.0, 0.0, 1.0), tmp_path)
    assert all(np.array_equal(one.adapter[k], other.adapter[k]) for k in one.adapter)


def test_sampled_tokens_are_charged(context, tmp_path):
    shared = {"type": "ric", "steps": 2, "batch_size": 2, "learning_rate": 1e-9}
    alone = train(context, RicMethodSpec(**shared, rounds=0), weighted(1, 0, 0), tmp_path)
    many = {**shared, "rounds": 1, "round_prompts": 40}
    sampling = train(context, RicMethodSpec(**many), weighted(1, 0, 0), tmp_path)
    more = sampling.checkpoints[0].cost.tokens - alone.checkpoints[0].cost.tokens
    assert more > 40
