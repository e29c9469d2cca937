"""What further online trainers lean on in TRL: rows that the loss is given beside TRL's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.spec.methods import GraoMethodSpec, IpoMdMethodSpec
from tests.method_bench import train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"steps": 1, "batch_size": 8, "learning_rate": 5e-3}
MIXED = weighted(0.5, 0.3, 0.2)


def mean_logprobs(model: Any, rows: list[tuple[list[int], list[int]]]) -> Any:
    """Return each answer's mean log-probability from plain logits, one row at a time."""
    import torch

    means = []
    for prompt, answer in rows:
        ids = torch.tensor([[*prompt, *answer]])
        logps = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        means.append(logps.gather(1, torch.tensor(answer)[:, None]).mean())
    return torch.stack(means)


def unpadded(ids: Any, mask: Any) -> list[list[int]]:
    return [row[kept.bool()].tolist() for row, kept in zip(ids, mask, strict=True)]


@pytest.mark.parametrize(("imitation", "alignment"), [(0.5, 0.6), (0.0, 0.0)])
def test_graos_gradient_is_that_of_the_written_objective(
    imitation, alignment, context, tmp_path, monkeypatch
):
    """Without its two terms GRAO is unclipped REINFORCE on the group, with the reference in it."""
    import torch

    from paretoflow.methods.online.grao import GraoTrainer

    inner, seen = GraoTrainer._compute_loss, []

    def compared(self: Any, model: Any, inputs: Any) -> Any:
        given = dict(inputs)
        loss = inner(self, model, inputs)
        trained = [p for p in model.parameters() if p.requires_grad]
        table = context.candidates
        prompts = unpadded(given["prompt_ids"], given["prompt_mask"])
        answers = unpadded(given["completion_ids"], given["completion_mask"])
        chosen = [table.completion_ids[p][a] for p, a in given["references"].tolist()]
        assert [table.prompt_ids[p] for p, _ in given["references"].tolist()] == [
            tuple(p) for p in prompts
        ]
        own = mean_logprobs(model, list(zip(prompts, answers, strict=True)))
        theirs = mean_logprobs(model, [(p, list(c)) for p, c in zip(prompts, chosen, strict=True)])
        a, a_y = given["advantages"], given["reference_advantages"]
        gain = a * own + imitation * a_y * theirs + alignment * a * (own - theirs)
        pair = [
            torch.autograd.grad(value, trained, retain_graph=True)
            for value in (loss, -gain.mean() / self.current_gradient_accumulation_steps)
        ]
        seen.append([torch.cat([g.flatten() for g in grads]).numpy() for grads in pair])
        return loss

    monkeypatch.setattr(GraoTrainer, "_compute_loss", compared)
    knobs = {"imitation": imitation, "alignment": alignment, "gradient_accumulation": 2}
    train(context, GraoMethodSpec(type="grao", **SHARED, **knobs), MIXED, tmp_path)
    assert len(seen) == 2
    for ours, written in seen:
        assert np.abs(written).max() > 1e-4
        np.testing.assert_allclose(ours, written, atol=1e-5)


def test_graos_references_cost_tokens(context, tmp_path, monkeypatch):
    from paretoflow.methods.online.grao import GraoTrainer

    spec = GraoMethodSpec(type="grao", **SHARED)
    run = train(context, spec, MIXED, tmp_path).checkpoints[-1]
    monkeypatch.setattr(GraoTrainer, "_count", lambda self, references: None)
    plain = train(context, spec, MIXED, tmp_path).checkpoints[-1]
    table = context.candidates
    shortest = min(len(ids) + 3 for ids in table.prompt_ids)
    assert run.cost.tokens - plain.cost.tokens >= 2 * shortest
    assert "reference_advantage" in run.metrics


def test_ipo_mds_gradient_is_that_of_the_loss_on_pairs(context, tmp_path, monkeypatch):
    import torch

    from paretoflow.methods.online.ipo_md import IpoMdTrainer

    inner, seen = IpoMdTrainer._compute_loss, []

    def compared(self: Any, model: Any, inputs: Any) -> Any:
        loss = inner(self, model, inputs)
        trained = [p for p in model.parameters() if p.requires_grad]
        prompts = unpadded(inputs["prompt_ids"], inputs["prompt_mask"])
        answers = unpadded(inputs["completion_ids"], inputs["completion_mask"])
        rows = sorted(zip(prompts, answers, strict=True))  # a step has each prompt once
        with torch.no_grad(), model.disable_adapter():
            base = mean_logprobs(model, rows)
        h = (mean_logprobs(model, rows) - base).reshape(-1, 2).diff(dim=1)[:, 0]
        texts = context.lm.tokenizer.batch_decode([a for _, a in rows], skip_special_tokens=True)
        table = context.candidates
        gains = context.rewards(table.prompts, [text.strip() for text in texts])
        scores = ((gains - table.mean) / table.std) @ self._run.controller.weights
        preference = torch.tensor(np.sign(np.diff(scores.reshape(-1, 2), axis=1)[:, 0]))
        written = ((h - preference / (2 * 0.5)) ** 2).mean()
        pair = [torch.autograd.grad(v, trained, retain_graph=True) for v in (loss, written)]
        seen.append([torch.cat([g.flatten() for g in grads]).numpy() for grads in pair])
        shown = self._judge.metrics()["pair_loss"]
        assert shown == pytest.approx(float(written.detach()), abs=1e-4)
        return loss

    monkeypatch.setattr(IpoMdTrainer, "_compute_loss", compared)
    spec = IpoMdMethodSpec(type="ipo_md", **{**SHARED, "steps": 2, "batch_size": 4}, beta=0.5)
    run = train(context, spec, MIXED, tmp_path).checkpoints[-1]
    assert len(seen) == 2
    for ours, written in seen:
        assert np.abs(written).max() > 1e-3
        np.testing.assert_allclose(ours, written, atol=1e-4)
    assert "pair_loss" in run.metrics


def test_sampling_has_the_signature_that_is_overridden():
    import inspect

    from trl import GRPOTrainer

    given = list(inspect.signature(GRPOTrainer._generate_single_turn).parameters)
    assert given[:2] == ["self", "prompt_ids"]
