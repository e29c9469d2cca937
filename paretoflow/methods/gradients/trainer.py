"""Train on several losses over common pairs, with gradients combined by coefficients.

Every optimiser step has two passes over its whole batch. The first takes one gradient of each loss
over the adapter, adds them up over forward passes and ranks, and turns their inner products into
coefficients a. The second trains on sum_i a_i L_i as on any other loss. Its gradient is the
combined one, so this form is exact on one rank, in smaller forward passes, on several ranks and at
every ZeRO stage. It costs one forward and one backward pass more than setting the gradients by
hand, which would need a code path for each of these cases.

Departures from TRL, beside those of `ratio_trainer` and `draw_trainer` (each has a test in
`tests/contracts/test_trl_hooks_gradients.py`):

- `get_batch_samples`: fetches the batches of one optimiser step; they are recorded.
- `training_step`: the first pass comes before the step's first training step, on the same random
  numbers, so that both passes have the same dropout.
- `model`: the first pass calls the model inside DeepSpeed's engine, gathered at ZeRO 3, and
  `torch.autograd.grad` stops at the parameters, before any hook that reduces gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn.functional import softplus

from paretoflow.core.values import FloatArray
from paretoflow.methods.distributed.sharded import whole
from paretoflow.methods.gradients.combiners import coefficients
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer, answers_of, forward
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS, Pair, PairStream
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.finite import finite_products
from paretoflow.spec.methods.gradients import GradientDpoMethodSpec

_SCALE = 2.0**10
"""The losses of the first pass are scaled by this factor, so that half precision keeps small
gradients; the coefficients do not depend on it."""
_PART = 1 << 20
"""Columns of the gradients that are in double precision at a time."""


class GradientTrainer(RatioTrainer):
    """Trains on DPO losses of all objectives, on one pair set.

    Logs `loss/NAME` and `coefficient/NAME` of each objective.
    """

    def __init__(
        self, run: Run, context: MethodContext, spec: GradientDpoMethodSpec, stream: PairStream
    ) -> None:
        super().__init__(run, context, self._batch)
        self._run = run
        self._spec = spec
        self._stream = stream
        self._names = context.objective_names
        self._trained = [p for p in run.model.parameters() if p.requires_grad]
        self._step_batches: list[dict[str, torch.Tensor]] = []
        self._signs = torch.empty(0)
        self._factors = torch.empty(0)
        self._coefficients = torch.empty(0)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Return the batches of the next optimiser step, as in transformers."""
        samples = super().get_batch_samples(*args, **kwargs)
        self._step_batches = list(samples[0])
        return samples

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Train on one of the step's batches; compute the coefficients before the first."""
        if self._step_batches:
            found = self._run.ranks.first(self._combined_weights())
            self._coefficients = torch.tensor(found, device=self.args.device)
            self._step_batches = []
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        return loss

    def _batch(self, draws: Sequence[int]) -> RatioBatch:
        pairs = self._stream.draw(draws, self._run.controller.weights)
        self._signs = torch.tensor(preferences(pairs), device=self.args.device)
        self._factors = torch.tensor(factors_of(pairs), device=self.args.device)
        return RatioBatch(answers_of(pairs), self._combined_loss)

    def _combined_loss(self, ratios: torch.Tensor) -> torch.Tensor:
        losses = self._losses(ratios)
        means = self.accelerator.gather(losses.detach()[None]).mean(dim=0).tolist()
        metrics = self._metrics["train"]
        for name, loss, share in zip(self._names, means, self._coefficients.tolist(), strict=True):
            metrics[f"loss/{name}"].append(loss)
            metrics[f"coefficient/{name}"].append(share)
        return (self._coefficients * losses).sum().float()

    def _losses(self, ratios: torch.Tensor) -> torch.Tensor:
        better, worse = ratios.chunk(2)
        return objective_losses(better - worse, self._signs, self._spec.beta, self._factors)

    def _combined_weights(self) -> FloatArray:
        weights, spec = self._run.controller.weights, self._spec.combiner
        if spec.type == "linear":
            return weights
        said = np.flatnonzero(weights)
        gram = np.zeros((len(weights), len(weights)))
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices), whole(self.model_wrapped):
            names = tuple(self._names[i] for i in said)
            found = gram_of(self._gradients(said.tolist()))
            gram[np.ix_(said, said)] = finite_products(found, names, self.state.global_step + 1)
        return coefficients(spec, gram, weights)

    def _gradients(self, objectives: list[int]) -> torch.Tensor:
        """Return the losses' gradients over the step's whole batch in any unit, shape (k, d)."""
        self.model.train()
        size = sum(p.numel() for p in self._trained)
        rows = torch.zeros(len(objectives), size, device=self.args.device)
        for draws in self._step_batches:
            inputs = self._prepare_inputs(draws)
            with self.compute_loss_context_manager():
                losses = self._losses(forward(self.model, inputs)[1]) * _SCALE
            for row, objective in zip(rows, objectives, strict=True):
                row += self._gradient(losses[objective])
        if self._run.ranks.parallel.ranks > 1:
            distributed.all_reduce(rows)
        return rows

    def _gradient(self, loss: torch.Tensor) -> torch.Tensor:
        parts = torch.autograd.grad(
            loss, self._trained, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([part.flatten().float() for part in parts])


def preferences(pairs: Sequence[Pair]) -> FloatArray:
    """Return each objective's preference, shape (b, m): 1 for the chosen, -1 for the rejected."""
    return np.sign(np.round([pair.difference for pair in pairs], MARGIN_DECIMALS))


def factors_of(pairs: Sequence[Pair]) -> FloatArray:
    """Return each pair's factor in each objective's loss, shape (b, m): 1, or the pair's own."""
    return np.array([np.ones_like(p.difference) if p.factors is None else p.factors for p in pairs])


def objective_losses(
    deltas: torch.Tensor, signs: torch.Tensor, beta: float, factors: torch.Tensor
) -> torch.Tensor:
    """Return each objective's DPO loss, L_i = -mean_b f_bi |s_bi| log s(beta s_bi D_b), (m,).

    The mean is over all b pairs, including those that the objective does not distinguish, whose
    loss is 0: so a batch may be divided over forward passes and ranks. It is in double precision,
    so that the order of the objectives has no effect.

    By hand, beta = 0.1, D = (5, -5), two objectives with s = (1, 1) and (-1, 0): losses (log(1 +
    e^-0.5) + log(1 + e^0.5)) / 2 = 0.724077 and log(1 + e^0.5) / 2 = 0.487038.

    Args:
        deltas: Log-ratio of the chosen answer minus that of the rejected, shape (b,).
        signs: 1, -1 or 0, shape (b, m).
        beta: KL coefficient.
        factors: Factor of each pair in each loss, shape (b, m).
    """
    margins = beta * signs.double() * deltas.double()[:, None]
    return (softplus(-margins) * signs.abs() * factors).mean(dim=0)


def gram_of(rows: torch.Tensor) -> FloatArray:
    """Return the inner products of gradients, shape (k, d), in double precision, shape (k, k)."""
    parts = (part.double() for part in rows.split(_PART, dim=1))
    products = torch.stack([part @ part.T for part in parts]).sum(dim=0)
    gram: FloatArray = products.cpu().numpy()
    return gram
