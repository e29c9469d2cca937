"""The losses that the offline methods get out of TRL, against their papers' forms in numpy.

Each run starts from a parent that has left the base, so that log-ratios are not zero, and its
first logged loss is compared with the formula on log-ratios that were measured apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.candidates import Candidates
from paretoflow.core.values import FloatArray
from paretoflow.spec.methods import (
    BcoMethodSpec,
    DpoMethodSpec,
    FDpoMethodSpec,
    IpoMethodSpec,
    KtoMethodSpec,
    LipoMethodSpec,
    LnDpoMethodSpec,
    MethodSpec,
    MmDpoMethodSpec,
    ModpoMethodSpec,
    RpoMethodSpec,
    SftMethodSpec,
    SimpoMethodSpec,
)
from tests.method_bench import plain_dpo, train, weighted

pytestmark = pytest.mark.train

WEIGHTS = np.array([0.5, 0.3, 0.2])
MIXED = weighted(0.5, 0.3, 0.2)
SHARED: dict[str, Any] = {"steps": 1, "batch_size": 4, "learning_rate": 1e-12}


def table_of(context: Any) -> Candidates:
    """Return the candidates in the units that are the methods' default."""
    return replace(context.candidates, standard="prompt")


@dataclass(frozen=True)
class Measured:
    """Log-ratios of all candidates under the parent, shape (P, C), and their lengths."""

    ratios: FloatArray
    lengths: FloatArray


@dataclass(frozen=True)
class Pairs:
    """Log-ratios w and l, lengths nw and nl, base log-likelihood and lead of a batch of pairs."""

    w: FloatArray
    l: FloatArray  # noqa: E741  # the papers' letter
    nw: FloatArray
    nl: FloatArray
    base: FloatArray
    base_l: FloatArray
    lead: FloatArray


@pytest.fixture(scope="module")
def parent(context, tmp_path_factory) -> Path:
    """Return an adapter that has moved away from the base."""
    spec = plain_dpo(steps=3, batch_size=4, learning_rate=5e-3)
    run = train(context, spec, weighted(0.0, 0.2, 0.8), tmp_path_factory.mktemp("parent"))
    return run.checkpoints[-1].folder


@pytest.fixture(scope="module")
def measured(context, parent) -> Measured:
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.logprobs import sequence_logprobs

    table = table_of(context)
    answers = [answer for row in table.completion_ids for answer in row]
    prompts = [ids for ids in table.prompt_ids for _ in table.completion_ids[0]]
    with adapter_on(context.lm, parent) as model:
        logprobs = sequence_logprobs(model, context.lm, prompts, answers, 8)
    shape = table.ref_logprobs.shape
    ratios = logprobs.reshape(shape) - table.ref_logprobs
    assert np.abs(ratios).max() > 0.1
    return Measured(ratios, np.array([len(answer) for answer in answers]).reshape(shape))


def drawn(context: Any, measured: Measured, weights: FloatArray) -> Pairs:
    """Return what is measured of the first four pairs."""
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    table = table_of(context)
    pairs = PairStream(PairTable(table, 2), seed=0).draw(range(4), weights)
    better = [(pair.prompt, pair.chosen) for pair in pairs]
    worse = [(pair.prompt, pair.rejected) for pair in pairs]
    return Pairs(
        w=np.array([measured.ratios[i] for i in better]),
        l=np.array([measured.ratios[i] for i in worse]),
        nw=np.array([measured.lengths[i] for i in better]),
        nl=np.array([measured.lengths[i] for i in worse]),
        base=np.array([table.ref_logprobs[i] for i in better]),
        base_l=np.array([table.ref_logprobs[i] for i in worse]),
        lead=np.array([WEIGHTS @ p.difference for p in pairs]),
    )


def sigmoid_loss(margin: FloatArray) -> FloatArray:
    """Return -log s(margin)."""
    return np.log1p(np.exp(-margin))


def f_dpo(slope: Callable[[FloatArray], FloatArray]) -> Callable[[Pairs], FloatArray]:
    """Return f-DPO's loss from f', a function of the ratio."""
    return lambda p: sigmoid_loss(0.1 * (slope(np.exp(p.w)) - slope(np.exp(p.l))))


PAIR_LOSSES: dict[str, tuple[MethodSpec, Callable[[Pairs], FloatArray]]] = {
    "ipo": (
        IpoMethodSpec(type="ipo", **SHARED),
        lambda p: (p.w / p.nw - p.l / p.nl - 1 / 2) ** 2,
    ),
    "ln_dpo": (
        LnDpoMethodSpec(type="ln_dpo", **SHARED),
        lambda p: sigmoid_loss(5 * (p.w / p.nw - p.l / p.nl)),
    ),
    "reverse_kl": (
        FDpoMethodSpec(type="f_dpo", divergence="reverse_kl", **SHARED),
        f_dpo(np.log),
    ),
    "forward_kl": (
        FDpoMethodSpec(type="f_dpo", divergence="forward_kl", **SHARED),
        f_dpo(lambda r: -1 / r),
    ),
    "js": (
        FDpoMethodSpec(type="f_dpo", divergence="js", **SHARED),
        f_dpo(lambda r: np.log(2 * r / (1 + r))),
    ),
    "alpha": (
        FDpoMethodSpec(type="f_dpo", divergence="alpha", alpha=0.3, **SHARED),
        f_dpo(lambda r: (1 - r**-0.3) / 0.3),
    ),
    "alpha at one": (
        FDpoMethodSpec(type="f_dpo", divergence="alpha", alpha=1.0, **SHARED),
        f_dpo(lambda r: -1 / r),
    ),
    "rpo": (
        RpoMethodSpec(type="rpo", sft_weight=0.5, **SHARED),
        lambda p: sigmoid_loss(0.01 * (p.w - p.l)) - 0.5 * (p.w + p.base) / p.nw,
    ),
    "rpo as a sum": (
        RpoMethodSpec(type="rpo", sft_weight=0.5, sft_reduction="sum", **SHARED),
        lambda p: sigmoid_loss(0.01 * (p.w - p.l)) - 0.5 * (p.w + p.base),
    ),
    "simpo": (
        SimpoMethodSpec(type="simpo", gamma=0.7, **SHARED),
        lambda p: sigmoid_loss(2 * ((p.w + p.base) / p.nw - (p.l + p.base_l) / p.nl) - 0.7),
    ),
    "mm_dpo": (
        MmDpoMethodSpec(type="mm_dpo", margin_weight=3.0, **SHARED),
        lambda p: sigmoid_loss(0.1 * (1 + 3 * (1 - np.exp(-0.5 * p.lead))) * (p.w - p.l)),
    ),
}


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_loss_on_pairs_is_the_papers(name, context, parent, measured, tmp_path, logs):
    spec, loss = PAIR_LOSSES[name]
    train(context, spec, MIXED, tmp_path, parent=parent)
    expected = np.mean(loss(drawn(context, measured, WEIGHTS)))
    assert logs[0]["loss"] == pytest.approx(expected, rel=2e-4)


def test_modpo_with_soft_labels_is_its_formula(context, parent, measured, tmp_path, logs):
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    spec = ModpoMethodSpec(type="modpo", labels="soft", **SHARED)
    train(context, spec, MIXED, tmp_path, parent=parent)
    anchor = np.array([1.0, 0.0, 0.0])
    table = PairTable(table_of(context), 2)
    leads = [p.difference for p in PairStream(table, seed=0).draw(range(4), anchor)]
    d = np.array(leads) / table.spread
    pairs = drawn(context, measured, anchor)
    margin = (0.1 * (pairs.w - pairs.l) - 0.3 * d[:, 1] - 0.2 * d[:, 2]) / 0.5
    wins = 1 / (1 + np.exp(-d[:, 0]))
    expected = wins * sigmoid_loss(margin) + (1 - wins) * sigmoid_loss(-margin)
    assert logs[0]["loss"] == pytest.approx(np.mean(expected), rel=2e-4)


def test_lipo_is_its_formula(context, parent, measured, tmp_path, logs):
    from paretoflow.methods.preferences.draws import Draws, Stratum
    from paretoflow.methods.preferences.lists import scored_lists

    spec = LipoMethodSpec(type="lipo", list_size=3, **SHARED)
    train(context, spec, MIXED, tmp_path, parent=parent)
    lists = Draws(
        lambda weights: [Stratum(1.0, scored_lists(table_of(context), weights, 3))], seed=0
    )
    losses = []
    for row in lists.draw(range(4), WEIGHTS):
        s = 0.1 * measured.ratios[row.prompt, list(row.answers)]
        rank = 1 + np.argsort(np.argsort(-s))
        losses.append(0.0)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            gain = abs(2 ** row.labels[i] - 2 ** row.labels[j])
            discount = abs(1 / np.log(1 + rank[i]) - 1 / np.log(1 + rank[j]))
            losses[-1] += gain * discount * sigmoid_loss(s[i] - s[j])
    assert logs[0]["loss"] == pytest.approx(np.mean(losses), rel=2e-4)


def test_bco_is_its_formula_and_shifts_by_the_step_before(
    context, parent, measured, tmp_path, logs
):
    from paretoflow.methods.preferences.binary_labels import ThumbTable
    from paretoflow.methods.preferences.draws import Draws

    spec = BcoMethodSpec(type="bco", beta=0.5, **{**SHARED, "steps": 2})
    train(context, spec, MIXED, tmp_path, parent=parent)
    thumbs = Draws(ThumbTable(table_of(context), 0.5).strata, seed=0)
    shift = 0.0
    for step in range(2):
        batch = thumbs.draw(range(4 * step, 4 * step + 4), WEIGHTS)
        r = 0.5 * np.array([measured.ratios[t.prompt, t.answer] for t in batch])
        sign = np.array([1 if t.good else -1 for t in batch])
        count = [1 if t.good else np.clip(t.odds, 0.5, 10) for t in batch]
        expected = np.mean(count * sigmoid_loss(sign * (r - shift)))
        assert logs[step]["loss"] == pytest.approx(expected, rel=2e-4)
        shift = r.mean()
        assert abs(shift) > 0.01


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DpoMethodSpec(loss="ipo", checkpoint_every=None), IpoMethodSpec(type="ipo")),
        (plain_dpo(), FDpoMethodSpec(type="f_dpo", divergence="alpha", alpha=0.0)),
        (plain_dpo(), MmDpoMethodSpec(type="mm_dpo", margin_weight=0.0)),
        (plain_dpo(), RpoMethodSpec(type="rpo", beta=0.1, sft_weight=0.0)),
        (
            plain_dpo(pairs_per_prompt=1),
            LipoMethodSpec(type="lipo", list_size=2, weighting="uniform"),
        ),
    ],
    ids=["ipo", "f_dpo", "mm_dpo", "rpo", "lipo"],
)
def test_at_its_limit_a_method_is_dpo(one, other, context, tmp_path):
    shared = {"steps": 2, "batch_size": 4, "learning_rate": 5e-3}
    runs = [train(context, s.model_copy(update=shared), MIXED, tmp_path) for s in (one, other)]
    first, second = (run.adapter for run in runs)
    assert all(np.allclose(first[k], second[k], atol=1e-6) for k in first)


def test_the_log_ratios_log_what_trl_logs(context, tmp_path, logs):
    shared = {"steps": 2, "batch_size": 4, "learning_rate": 5e-3}
    for spec in (plain_dpo(**shared), RpoMethodSpec(type="rpo", beta=0.1, sft_weight=0.0)):
        train(context, spec.model_copy(update=shared), MIXED, tmp_path)
    trl, ours = logs[:2], logs[2:]
    for key in ("loss", "num_tokens", "entropy", "grad_norm"):
        assert [row[key] for row in ours] == pytest.approx([row[key] for row in trl], rel=1e-5)
    half = [(row["rewards/chosen"] + row["rewards/rejected"]) / 0.2 for row in trl]
    assert [row["log_ratio"] for row in ours] == pytest.approx(half, abs=1e-5)


def test_the_hook_has_the_signature_that_is_overridden():
    from trl import DPOTrainer

    assert list(inspect.signature(DPOTrainer._compute_loss).parameters) == [
        "self",
        "model",
        "inputs",
        "return_outputs",
    ]


def test_reference_log_probabilities_keep_their_precision(context, tmp_path, monkeypatch):
    """Under DeepSpeed transformers casts what it prepares to the precision of the base."""
    import torch
    from transformers import Trainer

    from paretoflow.methods.offline.draw_trainer import DrawTrainer

    seen = []
    own = DrawTrainer._prepare_inputs

    def rounded(self: Any, inputs: Any) -> Any:
        return {k: v.bfloat16() if v.is_floating_point() else v for k, v in inputs.items()}

    def look(self: Any, inputs: Any) -> Any:
        prepared = own(self, inputs)
        seen.append({k: v.dtype for k, v in prepared.items() if v.is_floating_point()})
        return prepared

    monkeypatch.setattr(Trainer, "_prepare_inputs", rounded)
    monkeypatch.setattr(DrawTrainer, "_prepare_inputs", look)
    train(context, plain_dpo(**SHARED), MIXED, tmp_path)
    assert {"ref_chosen_logps", "ref_rejected_logps"} <= seen[0].keys()
    assert set(seen[0].values()) == {torch.float32}


def test_sft_is_the_likelihood_of_each_prompts_best_answer(
    context, parent, measured, tmp_path, logs
):
    train(context, SftMethodSpec(type="sft", **SHARED), MIXED, tmp_path, parent=parent)
    table = table_of(context)
    best = (table.standardised @ WEIGHTS).argmax(axis=1)  # four prompts, each drawn once
    rows = np.arange(len(best))
    likelihoods = measured.ratios[rows, best] + table.ref_logprobs[rows, best]
    expected = -np.mean(likelihoods / measured.lengths[rows, best])
    assert logs[0]["loss"] == pytest.approx(expected, rel=2e-4)


def test_kto_is_its_formula_at_the_level_that_the_step_before_measured(
    context, parent, measured, tmp_path, logs
):
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.logprobs import sequence_logprobs
    from paretoflow.methods.offline.kto import GoodAndBad
    from paretoflow.methods.preferences.draws import Draws

    beta, spec = 0.3, KtoMethodSpec(type="kto", beta=0.3, **{**SHARED, "steps": 2})
    train(context, spec, MIXED, tmp_path, parent=parent)
    table = table_of(context)
    labels = GoodAndBad(replace(context, candidates=table), 0.5)
    drawn = Draws(labels.strata, 0).draw(range(9), WEIGHTS)
    prompts = [table.prompt_ids[thumb.prompt] for thumb in drawn[:-1]]
    others = [table.completion_ids[thumb.prompt][thumb.answer] for thumb in drawn[1:]]
    base = sequence_logprobs(context.lm.model, context.lm, prompts, others, 8)
    with adapter_on(context.lm, parent) as model:
        apart = sequence_logprobs(model, context.lm, prompts, others, 8) - base
    level = 0.0
    for step in range(2):
        of_step = slice(4 * step, 4 * step + 4)
        signs = np.array([1 if thumb.good else -1 for thumb in drawn[of_step]])
        ratios = np.array([measured.ratios[t.prompt, t.answer] for t in drawn[of_step]])
        expected = np.mean(1 - 1 / (1 + np.exp(-signs * beta * (ratios - level))))
        assert logs[step]["loss"] == pytest.approx(expected, rel=2e-4)
        assert logs[step]["kl"] == pytest.approx(apart[of_step].mean(), abs=2e-3)
        level = max(apart[of_step].mean(), 0.0)
    assert {thumb.good for thumb in drawn} == {True, False}
