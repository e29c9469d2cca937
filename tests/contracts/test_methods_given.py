"""What every method promises on pairs that people labelled, and MODPO and RACO by hand on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.spec.capabilities import CAPABILITIES, learns_from
from paretoflow.spec.methods import GradientDpoMethodSpec, MethodSpec, ModpoMethodSpec
from tests.contracts.test_methods import SPECS, close
from tests.given_bench import labelled_context
from tests.method_bench import plain_dpo, train, weighted

pytestmark = pytest.mark.train

POINTS = [t for t, c in sorted(CAPABILITIES.items()) if c.serves == "point"]
LABELLED = [tag for tag in POINTS if learns_from(tag, "preferences")]
MIXED = weighted(0.5, 0.3, 0.2)
QUICK = ("dpo", "gradient_dpo", "kto", "modpo")
"""A tag for each way to learn from labels; the others have another loss on DPO's draws."""


@pytest.fixture(
    params=[pytest.param(t, marks=() if t in QUICK else pytest.mark.full) for t in LABELLED]
)
def spec(request) -> MethodSpec:
    return SPECS[request.param]


def context_for(spec: MethodSpec, lm, columns=(0, 1, 2)):
    return labelled_context(lm, columns, scored=spec.type == "modpo")


def test_one_hot_weights_are_the_method_on_that_objectives_pairs(tiny_lm, spec, tmp_path):
    alone = train(context_for(spec, tiny_lm, (1,)), spec, weighted(1.0), tmp_path)
    one_hot = train(context_for(spec, tiny_lm), spec, weighted(0.0, 1.0, 0.0), tmp_path)
    assert close(alone, one_hot)


def test_permuting_objectives_permutes(tiny_lm, spec, tmp_path):
    plain = train(context_for(spec, tiny_lm), spec, MIXED, tmp_path)
    turned = context_for(spec, tiny_lm, (2, 0, 1))
    assert close(plain, train(turned, spec, weighted(0.2, 0.5, 0.3), tmp_path), 5e-5)
    shares = plain.checkpoints[-1].effective
    assert shares is not None
    assert shares.sum() == pytest.approx(1.0)


def test_dpo_on_labels_raises_the_likelihood_of_the_chosen(tiny_lm, tmp_path):
    """Against the rejected, on the very pairs, under the adapter that was saved."""
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.logprobs import sequence_logprobs

    context = labelled_context(tiny_lm, (0,))
    table = context.candidates
    spec = plain_dpo(steps=20, batch_size=4, learning_rate=2e-2)
    run = train(context, spec, weighted(1.0), tmp_path)
    up = table.given.labels[:, 0]
    prompts = [ids for ids in table.prompt_ids for _ in range(2)]
    answers = [ids for row in table.completion_ids for ids in row]
    with adapter_on(tiny_lm, run.checkpoints[-1].folder) as model:
        found = sequence_logprobs(model, tiny_lm, prompts, answers, 16).reshape(-1, 2)
    ratios = found - table.ref_logprobs
    margins = up * (ratios[:, 0] - ratios[:, 1])
    assert (margins > 0).mean() > 0.8
    assert margins.mean() > 1.0


def test_kto_takes_the_chosen_for_good_and_the_rejected_for_bad(tiny_lm):
    from paretoflow.methods.offline.kto import GoodAndBad

    context = labelled_context(tiny_lm)
    given = context.candidates.given
    weights = np.array([0.5, 0.3, 0.2])
    strata = GoodAndBad(context, 0.5).strata(weights)
    shares = [stratum.share for stratum in strata if len(stratum.items)]
    assert sorted(shares, reverse=True) == pytest.approx([0.5, 0.3, 0.2])
    for stratum in strata:
        for thumb in stratum.items:
            index = [0.5, 0.3, 0.2].index(pytest.approx(stratum.share))
            first_is_better = given.labels[thumb.prompt, index] > 0
            assert thumb.good is bool((thumb.answer == 0) == first_is_better)


def test_modpo_folds_the_others_scores_into_the_anchors_labelled_pairs(tiny_lm):
    """Reference value: beta 0.1, w (0.8, 0.2), D = 4 and d_1 = 1 of unit spread: 0.575939."""
    import torch
    from torch.nn.functional import logsigmoid

    from paretoflow.methods.offline.modpo import modpo_batch
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    context = labelled_context(tiny_lm, (0, 1), scored=True)
    labels = np.zeros_like(context.candidates.given.labels)
    labels[0] = [-1, 1]  # the anchor prefers the second answer, which objective 1 scores lower
    given = replace(context.candidates.given, labels=labels)
    gains = np.zeros_like(context.candidates.gains)
    gains[0] = [[0.0, 0.0], [5.0, 1.0]]
    table = PairTable(replace(context.candidates, gains=gains, given=given, standard="none"), 1)
    spec = ModpoMethodSpec(type="modpo", beta=0.1, standardise="none")
    batch = modpo_batch(PairStream(table, 0), [0], np.array([0.8, 0.2]), spec)
    (example,) = batch.examples
    second = context.candidates.completion_ids[0][1]
    assert example["chosen_ids"] == list(second)
    margin = example["ref_chosen_logps"] - context.candidates.ref_logprobs[0, 1]
    logits = torch.tensor(batch.beta * (4.0 - margin))  # TRL's beta (D - what was added)
    assert float(-logsigmoid(logits)) == pytest.approx(0.575939, abs=1e-6)


def test_modpo_takes_labels_as_hard_whatever_its_scores_say(tiny_lm, tmp_path):
    context = labelled_context(tiny_lm, (0, 1), scored=True)
    runs = [
        train(
            context, SPECS["modpo"].model_copy(update={"labels": labels}), weighted(0.8, 0.2), place
        )
        for labels, place in (("hard", tmp_path), ("soft", tmp_path))
    ]
    assert close(*runs, 0.0)


def test_raco_sees_one_loss_for_each_objectives_pairs_at_its_reference_value(tiny_lm):
    """G of g_1 = (1, -4), g_2 = (-1, 1), w = (0.2, 0.8), c = 0.5 is (-0.8830, -0.0996)."""
    import torch

    from paretoflow.methods.gradients.combiners import coefficients
    from paretoflow.methods.gradients.trainer import factors_of, objective_losses, preferences
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    context = labelled_context(tiny_lm, (0, 1))
    labels = np.zeros_like(context.candidates.given.labels)
    labels[0], labels[1], labels[2] = [1, 0], [0, 1], [0, -1]
    given = replace(context.candidates.given, labels=labels)
    table = PairTable(replace(context.candidates, given=given), 1, even=True)
    pairs = PairStream(table, 0).draw(range(4), np.array([0.2, 0.8]))
    deltas = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    signs, factors = torch.tensor(preferences(pairs)), torch.tensor(factors_of(pairs))
    losses = objective_losses(deltas, signs, 1.0, factors)
    np.testing.assert_allclose(losses.detach(), np.log(2))  # each a mean over its own pairs
    # at D = 0 a pair pulls by half its factor; let the pairs move two parameters as they should
    first = [pair.prompt == 0 for pair in pairs]
    pulls = torch.tensor([[-2.0, 8.0] if own else [2.0, -2.0] for own in first]).double()
    own = [torch.autograd.grad(loss, deltas, retain_graph=True)[0] for loss in losses]
    gradients = np.stack([(g[:, None] * signs.sum(1)[:, None] * pulls).sum(0) for g in own])
    np.testing.assert_allclose(gradients, [[1, -4], [-1, 1]], atol=1e-12)
    combiner = GradientDpoMethodSpec(
        type="gradient_dpo", combiner={"type": "raco", "c": 0.5}
    ).combiner
    a = coefficients(combiner, gradients @ gradients.T, np.array([0.2, 0.8]))
    np.testing.assert_allclose(a @ gradients, [-0.8830, -0.0996], atol=1e-3)


def test_linear_gradients_are_the_weighted_sum_of_losses_that_dpo_draws(tiny_lm, tmp_path):
    """Where every objective has the same pairs once in a step, both see the same gradient."""
    context = labelled_context(tiny_lm, (0,))
    spec = plain_dpo(steps=2, batch_size=4, learning_rate=5e-3)
    linear = GradientDpoMethodSpec(
        type="gradient_dpo", steps=2, batch_size=4, learning_rate=5e-3, combiner={"type": "linear"}
    )
    one = train(context, spec, weighted(1.0), tmp_path)
    assert close(one, train(context, linear, weighted(1.0), tmp_path))
