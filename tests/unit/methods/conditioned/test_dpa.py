from __future__ import annotations

import numpy as np
import pytest

from paretoflow.methods.conditioned.stages import ExampleStage
from paretoflow.spec.methods import DpaMethodSpec
from tests.method_bench import make_context

pytestmark = pytest.mark.train
SPEC = DpaMethodSpec(type="dpa", steps=6, rounds=1, samples=3)


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


def stages(context, seed=0, spec=SPEC):
    from paretoflow.methods.conditioned.dpa import DpaStages

    return DpaStages(spec, context, seed)


def test_the_best_along_a_direction_by_hand():
    from paretoflow.methods.conditioned.dpa import best_along

    scores = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]] * 3)
    directions = np.array([[0.8, 0.6], [0.6, 0.8], [1.0, 0.0]])
    assert best_along(directions, scores).tolist() == [0, 1, 0]  # a tie goes to the earliest


@pytest.mark.parametrize("angle", [90.0, 40.0])
def test_training_directions_stay_in_their_part_of_the_orthant(angle):
    from paretoflow.methods.conditioned.dpa import training_directions

    found = training_directions(2, angle, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    turns = np.degrees(np.arctan2(found[:, 1], found[:, 0]))
    assert turns.min() >= 0
    assert turns.max() <= angle
    shares = np.histogram(turns, bins=4, range=(0, angle))[0] / len(turns)
    np.testing.assert_allclose(shares, 0.25, atol=0.015)


def test_the_first_stage_takes_the_bases_best_along_each_direction(context):
    first = stages(context).first()
    table = context.candidates
    assert first.own == ()
    assert len(first.base) == 16  # four prompts, as many directions as answers
    directions = stages(context)._directions(16, 0)
    for number, (example, v) in enumerate(zip(first.base, directions, strict=True)):
        prompt = number // 4
        best = int((table.standardised[prompt] @ v).argmax())
        assert example.answer_ids == table.completion_ids[prompt][best]
        # the words come first, the prompt's own tokens end the example's
        assert len(example.prompt_ids) > len(table.prompt_ids[prompt])


def test_a_round_keeps_the_policys_best_along_what_it_was_asked(context, monkeypatch):
    from paretoflow.methods.conditioned.sampling import Conditioner

    seen = []
    own = Conditioner.sample

    def sample(self, model, asked, number, pulse):
        found = own(self, model, asked, number, pulse)
        seen.append((asked, found))
        return found

    monkeypatch.setattr(Conditioner, "sample", sample)
    pulses = []
    stage, tokens = stages(context).following(
        ExampleStage(0, ()), context.lm.model, lambda: pulses.append(1)
    )
    ((asked, found),) = seen
    assert (stage.number, stage.base, len(stage.own)) == (1, (), 4)
    assert len(asked) == 12
    assert tokens == found.tokens == sum(a.tokens for a in found.answers)
    assert pulses
    directions = stages(context)._directions(4, 1)
    for number, example in enumerate(stage.own):
        assert len({asked[3 * number + k] for k in range(3)}) == 1
        mine = range(3 * number, 3 * number + 3)
        best = max(mine, key=lambda i: found.scores[i] @ directions[number])
        assert example.answer_ids == found.answers[best].token_ids


def test_a_round_is_a_function_of_policy_and_seed(context):
    before = ExampleStage(0, ())
    one, other, third = (
        stages(context, seed).following(before, context.lm.model, int)[0] for seed in (0, 0, 1)
    )
    assert one == other != third
