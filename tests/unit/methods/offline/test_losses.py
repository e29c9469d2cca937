"""The offline losses by hand, their limits, and MODPO's best policy on a table of answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.methods.preferences.binary_labels import Thumb
from paretoflow.methods.preferences.lists import ScoredList
from paretoflow.spec.methods import (
    BcoMethodSpec,
    FDpoMethodSpec,
    IpoMdMethodSpec,
    IpoMethodSpec,
    KtoMethodSpec,
    LipoMethodSpec,
    MmDpoMethodSpec,
    ModpoMethodSpec,
    RpoMethodSpec,
    SimpoMethodSpec,
)

pytestmark = pytest.mark.train


def tensor(*values: float) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_the_papers_alpha_divergence_is_trls(alpha):
    from paretoflow.methods.offline.dpo import trl_coefficient

    ratios = np.array([0.3, 1.0, 4.0])
    paper = np.log(ratios) if alpha == 0 else (1 - ratios**-alpha) / alpha
    power = trl_coefficient(alpha) - 1
    trl = np.log(ratios) if power == 0 else (ratios**power - 1) / power
    np.testing.assert_allclose(trl, paper, rtol=1e-12)


def test_f_dpo_tells_trl_its_divergence():
    from paretoflow.methods.offline.dpo import DIVERGENCES, trl_coefficient

    assert set(DIVERGENCES) == {"reverse_kl", "forward_kl", "js", "alpha"}
    assert FDpoMethodSpec(type="f_dpo").alpha == trl_coefficient(0.5) == 0.5
    half = (1 - 4**-0.5) / 0.5  # the docstring's case
    assert np.log1p(np.exp(-half)) == pytest.approx(0.313262, abs=1e-6)


def test_a_sure_pair_has_a_larger_beta():
    from paretoflow.methods.offline.mm_dpo import margin_beta

    spec = MmDpoMethodSpec(type="mm_dpo")
    margins = np.array([0.0, 2 * np.log(2), 1e9])
    np.testing.assert_allclose(margin_beta(margins, spec), [0.1, 0.125, 0.15])
    plain = spec.model_copy(update={"margin_weight": 0.0})
    assert margin_beta(margins, plain).tolist() == [0.1] * 3
    tiny = spec.model_copy(update={"beta": 1e-5})
    assert margin_beta(margins, tiny).tolist() == [1e-3] * 3


def test_rpo_by_hand():
    from paretoflow.methods.offline.rpo import rpo_loss

    spec = RpoMethodSpec(type="rpo")
    # the better answer has three tokens and log-likelihood -6; D = 100
    ratios, refs = tensor(60, -40), tensor(-66)
    assert float(rpo_loss(ratios, refs, tensor(3), spec)) == pytest.approx(0.323262, abs=1e-6)
    whole = float(rpo_loss(ratios, refs, tensor(1), spec))
    assert whole == pytest.approx(0.313262 + 0.005 * 6, abs=1e-6)
    plain = spec.model_copy(update={"sft_weight": 0.0})
    assert float(rpo_loss(ratios, refs, tensor(3), plain)) == pytest.approx(0.313262, abs=1e-6)


def scored(*labels: float, prompt: int = 0) -> ScoredList:
    return ScoredList(prompt, tuple(range(len(labels))), np.array(labels))


def test_lipo_by_hand():
    from paretoflow.methods.offline.lipo import lipo_loss

    spec = LipoMethodSpec(type="lipo", beta=0.5)
    ratios = tensor(0, 2 * np.log(3)).requires_grad_()
    loss = lipo_loss(ratios, [scored(1, 0)], spec)
    assert loss.item() == pytest.approx(0.738140, abs=1e-6)
    loss.backward()
    # no gradient through the weight: 0.532456 beta s(log 3), and s(log 3) is 3/4
    assert ratios.grad.tolist() == pytest.approx([-0.199671, 0.199671], abs=1e-6)


def test_a_swap_costs_by_gain_and_rank():
    from paretoflow.methods.offline.lipo import lambda_weights

    # ranks 2, 1, 3 by score; gains 2, 2^0.5 and 1
    weights = lambda_weights(tensor(0.1, 0.3, 0.0), tensor(1, 0.5, 0))
    discounts = 1 / np.log([3, 2, 4])
    gains = 2 ** np.array([1, 0.5, 0])
    expected = np.abs(np.subtract.outer(gains, gains) * np.subtract.outer(discounts, discounts))
    np.testing.assert_allclose(weights, expected)


def test_equal_scores_rank_as_their_labels_do():
    from paretoflow.methods.offline.lipo import lambda_weights

    labels = tensor(1, 0.5, 0)
    exact, noisy = (lambda_weights(s, labels) for s in (tensor(0, 0, 0), tensor(0, 1e-6, -1e-6)))
    assert exact.equal(noisy)
    assert exact[0, 2] == pytest.approx(1 / np.log(2) - 1 / np.log(4))


def test_uniform_lists_of_two_are_dpo():
    from paretoflow.methods.offline.lipo import lipo_loss

    spec = LipoMethodSpec(type="lipo", beta=0.1, weighting="uniform")
    loss = lipo_loss(tensor(3, -2, 1, 5), [scored(1, 0), scored(1, 0, prompt=1)], spec)
    assert float(loss) == pytest.approx(np.mean(np.log1p(np.exp([-0.5, 0.4]))))


def test_lists_differ_in_length_and_ties_make_no_pair():
    from paretoflow.methods.offline.lipo import lipo_loss

    spec = LipoMethodSpec(type="lipo", beta=1.0, weighting="uniform")
    loss = lipo_loss(tensor(1, 4, 0, 2, 2), [scored(1, 1, 0), scored(1, 0)], spec)
    first = np.log1p(np.exp([-1.0, -4.0])).sum()
    assert float(loss) == pytest.approx((first + np.log(2)) / 2)


GOOD, BAD = Thumb(0, 0, good=True, odds=7.0), Thumb(1, 0, good=False, odds=2.0)


def test_bco_by_hand():
    from paretoflow.methods.offline.bco import bco_loss

    spec = BcoMethodSpec(type="bco", beta=0.1)
    loss = bco_loss(tensor(5, -2), [GOOD, BAD], 0.1, spec)
    assert float(loss) == pytest.approx(0.810863, abs=1e-6)


def test_only_bad_answers_are_weighed_and_within_bounds():
    from paretoflow.methods.offline.bco import importance

    spec = BcoMethodSpec(type="bco")
    far = [Thumb(0, 0, good=False, odds=odds) for odds in (1e-9, 1e9)]
    assert importance([GOOD, BAD, *far], spec).tolist() == [1, 2, 0.5, 10]
    plain = spec.model_copy(update={"match_prompts": False})
    assert importance([GOOD, BAD, *far], plain).tolist() == [1, 1, 1, 1]


def test_the_reward_shift_is_the_mean_of_the_steps_before():
    from paretoflow.methods.offline.bco import reward_shift

    assert reward_shift([], 0.5) == 0
    log = [{"log_ratio": 2.0, "step": 1}, {"log_ratio": -1.0, "step": 2}, {"train_runtime": 1.0}]
    assert reward_shift(log, 0.5) == pytest.approx(0.25)


def test_soft_labels_by_hand():
    """Pair 1 of `ModpoMethod`'s docstring, whose better answer wins three times in four."""
    from paretoflow.methods.offline.modpo import soft_loss

    spec = ModpoMethodSpec(type="modpo", labels="soft")
    differences, weights = np.array([[np.log(3), 1.0]]), np.array([0.8, 0.2])
    loss = soft_loss(tensor(3, -1), differences, weights, spec)
    assert float(loss) == pytest.approx(0.638439, abs=1e-6)
    # which answer comes first does not matter
    assert float(soft_loss(tensor(-1, 3), -differences, weights, spec)) == pytest.approx(
        float(loss)
    )


def least(loss: Any, count: int) -> Any:
    """Return the logits, shape (count,), that the loss is least at."""
    import torch

    logits = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [logits], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        search.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    search.step(closure)
    return logits.detach()


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (0.1, 0.3, 0.6), (0.0, 1.0, 0.0)])
def test_the_best_policy_on_a_table_of_answers_is_the_closed_form(weights):
    """softmax(log pi_base + w.r / beta), brute force over fifty answers and all their pairs."""
    import torch

    from paretoflow.methods.offline.modpo import soft_loss

    rng = np.random.default_rng(4)
    base = torch.log_softmax(torch.tensor(rng.normal(size=50)), dim=0)
    rewards, shares = rng.normal(size=(50, 3)), np.array(weights)
    spec = ModpoMethodSpec(type="modpo", beta=0.5, labels="soft")
    first, second = np.triu_indices(50, k=1)
    differences = rewards[first] - rewards[second]

    def loss(logits: Any) -> Any:
        ratios = torch.log_softmax(logits, dim=0) - base
        pairs = torch.cat([ratios[first], ratios[second]])
        return soft_loss(pairs, differences, shares, spec)

    policy = torch.softmax(least(loss, 50), dim=0)
    closed = torch.softmax(base + torch.tensor(rewards @ shares) / spec.beta, dim=0)
    assert closed.max() > 0.1  # far from the base
    np.testing.assert_allclose(policy, closed, atol=1e-3)


def gains_of(policy: Any, base: Any, rewards: np.ndarray) -> np.ndarray:
    """Return by how much a policy's mean rewards exceed the base's, shape (m,)."""
    return (policy - base.exp()).detach().numpy() @ rewards


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2)])
def test_soft_labels_obey_the_weights_and_hard_ones_do_not(shares):
    """Two objectives that pull apart: MODPO's own policy is known, and only soft labels reach it.

    Hard labels have no best policy: whatever the weights, the anchor's better answers win until
    training ends, and what the other objective loses is far more than was asked for.
    """
    import torch

    from paretoflow.methods.offline.modpo import soft_loss

    rng = np.random.default_rng(7)
    base = torch.log_softmax(torch.tensor(rng.normal(size=40)), dim=0)
    own = rng.normal(size=40)
    rewards = np.stack([own, -0.9 * own + 0.44 * rng.normal(size=40)], axis=1)
    first, second = np.triu_indices(40, k=1)
    apart = rewards[first] - rewards[second]
    rewards, apart = rewards / apart.std(axis=0), apart / apart.std(axis=0)
    weights, spec = np.array(shares), ModpoMethodSpec(type="modpo", beta=0.5)

    def ratios(logits: Any, better: Any, worse: Any) -> Any:
        moved = torch.log_softmax(logits, dim=0) - base
        return torch.cat([moved[better], moved[worse]])

    soft = least(lambda x: soft_loss(ratios(x, first, second), apart, weights, spec), 40)
    closed = torch.softmax(base + torch.tensor(rewards @ weights) / spec.beta, dim=0)
    want = gains_of(closed, base, rewards)
    np.testing.assert_allclose(gains_of(torch.softmax(soft, 0), base, rewards), want, atol=1e-3)

    turned = apart[:, 0] < 0  # the anchor's better answer first
    better, worse = np.where(turned, second, first), np.where(turned, first, second)
    others = torch.tensor(np.where(turned, -apart[:, 1], apart[:, 1]) * weights[1])
    logits = torch.zeros(40, dtype=torch.float64, requires_grad=True)
    search = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        search.zero_grad()
        chosen, rejected = ratios(logits, better, worse).chunk(2)
        margin = (spec.beta * (chosen - rejected) - others) / weights[0]
        torch.nn.functional.softplus(-margin).mean().backward()
        search.step()
    hard = gains_of(torch.softmax(logits, 0), base, rewards)
    assert hard[0] > 2 * want[0]
    assert hard[1] < -0.5 < want[1]


@pytest.mark.parametrize(("beta", "held"), [(None, True), (0.1, False)])
def test_ipos_default_holds_the_policy_to_the_base(beta, held):
    """Answers of one token, all pairs of them: log-ratios spread over one nat, not over ten.

    The squares are least where an answer's log-ratio is its wins less its losses over all answers
    times 1 / (2 beta): for the best of n, (n - 1) / n of it.
    """
    import torch

    knobs = {} if beta is None else {"beta": beta}
    specs = [IpoMethodSpec(type="ipo", **knobs), IpoMdMethodSpec(type="ipo_md", **knobs)]
    target = {1 / (2 * spec.beta) for spec in specs}.pop()
    rng = np.random.default_rng(3)
    base = torch.log_softmax(torch.tensor(rng.normal(size=40)), dim=0)
    better, worse = np.triu_indices(40, k=1)  # an earlier answer is better

    def loss(logits: Any) -> Any:
        ratios = torch.log_softmax(logits, dim=0) - base
        return (ratios[better] - ratios[worse] - target).square().mean()

    policy = torch.log_softmax(least(loss, 40), dim=0)
    ratios = (policy - base).numpy()
    assert ratios.max() - ratios.min() == pytest.approx(2 * target * 39 / 40, rel=1e-3)
    kl = float((policy.exp() * (policy - base)).sum())
    assert (kl < 0.2) == held
    assert (kl > 1) != held


def test_kto_by_hand():
    import torch

    from paretoflow.methods.offline.kto import kto_loss, level_of

    spec = KtoMethodSpec(type="kto")
    good = torch.tensor([True, False])
    assert float(kto_loss(tensor(5, -2), good, 1.0, spec)) == pytest.approx(0.413435, abs=1e-6)
    each = ((5, True), (-2, False))
    alone = [float(kto_loss(tensor(r), torch.tensor([g]), 1.0, spec)) for r, g in each]
    assert alone == pytest.approx([0.401312, 0.425557], abs=1e-6)
    heavy = spec.model_copy(update={"desirable_weight": 3.0, "undesirable_weight": 0.5})
    assert float(kto_loss(tensor(5, -2), good, 1.0, heavy)) == pytest.approx(
        (3 * alone[0] + alone[1] / 2) / 2
    )
    assert level_of([]) == 0.0
    assert level_of([{"kl": 3.0}, {"loss": 1.0}, {"kl": 2.0}, {"train_loss": 0.0}]) == 2.0
    assert level_of([{"kl": -2.0}]) == 0.0


def test_simpo_by_hand_and_as_trl_has_it():
    from types import SimpleNamespace

    from trl.experimental.cpo import CPOTrainer

    from paretoflow.methods.offline.simpo import simpo_loss

    spec = SimpoMethodSpec(type="simpo")
    # the base's log-likelihoods do not matter: only their sum with the ratios does
    ratios, refs, lengths = tensor(1, -4), tensor(-4, -2), tensor(3, 2)
    assert float(simpo_loss(ratios, refs, lengths, spec)) == pytest.approx(0.048587, abs=1e-6)
    other = float(simpo_loss(tensor(7, 0), tensor(-10, -6), lengths, spec))
    assert other == pytest.approx(0.048587, abs=1e-6)
    theirs: Any = SimpleNamespace(
        loss_type="simpo",
        beta=2.0,
        simpo_gamma=1.0,
        label_smoothing=0.0,
        alpha=0.0,
        accelerator=SimpleNamespace(device="cpu"),
    )
    losses, *_ = CPOTrainer.cpo_loss(theirs, tensor(-1), tensor(-3))
    assert float(losses.mean()) == pytest.approx(0.048587, abs=1e-6)


def test_sft_by_hand():
    from paretoflow.methods.offline.sft import sft_loss

    found = sft_loss(tensor(1, -1), tensor(-7, -1), tensor(3, 2))
    assert float(found) == pytest.approx(1.5)
