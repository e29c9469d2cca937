"""Frank-Wolfe merging: a coefficient for each parent in each module, by a target loss."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from paretoflow.core.errors import RunInterrupted
from paretoflow.core.protocols import AttemptContext
from paretoflow.core.values import FloatArray
from paretoflow.lm.adapters import load_adapter, unload
from paretoflow.lm.lora_files import LoraAdapter, write_lora
from paretoflow.lm.merging import concatenated, decomposed, inner_products
from paretoflow.lm.saved_adapter import ADAPTER
from paretoflow.methods.merging.mixed import Mixed, asked, option, parents_of
from paretoflow.methods.merging.target import proxy_pairs, target_loss
from paretoflow.methods.training.context import MethodContext

ITERATIONS, PAIRS, BETA, STEP = 5, 16, 0.1, 1.0
"""Defaults of the options `iterations`, `pairs` (for each objective), `beta` and `step`."""
HALVINGS = 5
"""Number of halvings of a step that raises the loss, before the search ends."""


def frank_wolfe(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Search the mixes of a pool for the launch's weights, without training.

    The mix starts as the mean of all parents. In each iteration t the gradient of the target loss
    is taken at the mix, every module moves towards the atom (a parent, or the initial mix) with the
    most negative cosine to its gradient, by step 2 / (t + 2): mix <- mix + step (atom - mix).
    Without a negative cosine the module does not move.

    References:
        Chen et al. 2025, arXiv 2503.12649 (FW-Merging), alg. 1, layer-wise; as in its code, all
        tensors of the step are one hard choice each. Departures: (1) the loss is sum_k w_k of DPO
        losses on the base's own pairs for objective k, so one pool serves all preferences; (2) a
        step that raises the loss is halved, so the loss never rises; (3) the authors' code scales
        steps by 0.3, the option `step` here; (4) the adapters' factors are all in memory, and the
        gradient's inner products with them come from those of the stacked factors: full matrices
        are never made.
    """
    merge, parents = asked(attempt.launch), parents_of(attempt)
    pool = _Pool(parents)
    weights = attempt.launch.proposal.weights.array
    pairs = proxy_pairs(context, weights, int(option(merge, "pairs", PAIRS)))
    beta, scale = option(merge, "beta", BETA), option(merge, "step", STEP)
    with _on_base(context, attempt, pool) as model:

        def loss_at(coefficients: FloatArray, *, backward: bool = False) -> float:
            pool.put(model, coefficients)
            return target_loss(model, context.lm, pairs, beta, backward=backward)

        mix = np.full((len(pool.names), len(parents)), 1 / len(parents))
        losses = [loss_at(mix)]
        for t in range(int(option(merge, "iterations", ITERATIONS))):
            _heed(attempt)
            loss_at(mix, backward=True)
            goal = goals(pool.slopes(model), pool.gram)
            step = min(1.0, scale * 2 / (t + 2))
            for _ in range(HALVINGS):
                trial = mix + step * (goal - mix)
                loss = loss_at(trial)
                if loss <= losses[-1]:
                    break
                step /= 2
            else:
                break
            mix = trial
            losses.append(loss)
    found = concatenated(parents, mix)
    rank = int(option(merge, "rank", 0))
    return Mixed(decomposed(found, rank) if rank else found, _told(losses, mix))


def goals(slopes: FloatArray, gram: FloatArray) -> FloatArray:
    """Return the atom that every module moves towards, as coefficients, shape (modules, k).

    By hand, k = 2 with orthogonal parents of norms 1 and 2: slopes (-1, -1) have cosines in the
    ratio -1 : -0.5 (and -1 / 1.118 for their mean), so the first is chosen; (1, 1) chooses none.

    Args:
        slopes: Derivatives of the loss by each parent's coefficient, shape (modules, k).
        gram: Inner products of the parents' changes, shape (modules, k, k).
    """
    count = slopes.shape[1]
    atoms = np.vstack([np.eye(count), np.full(count, 1 / count)])
    lengths = np.sqrt(np.maximum(np.einsum("ai,lij,aj->la", atoms, gram, atoms), 0.0))
    cosines = slopes @ atoms.T / np.maximum(lengths, 1e-12)  # of the gradient's length
    best = cosines.argmin(axis=1)
    downwards = cosines[np.arange(len(best)), best] < 0
    return np.asarray(atoms[best] * downwards[:, None])


class _Pool:
    """The parents stacked into one adapter, with coefficients to set and differentiate."""

    def __init__(self, parents: Sequence[LoraAdapter]) -> None:
        self.gram = inner_products(parents)
        self.names = list(parents[0].modules)
        self.stacked = concatenated(parents, np.ones(len(parents)))
        self._ups = {
            name: [p.modules[name].scale * p.modules[name].up for p in parents]
            for name in self.names
        }

    def put(self, model: Any, coefficients: FloatArray) -> None:
        """Set the coefficients, shape (modules, k); gradients are cleared."""
        for name, row in zip(self.names, coefficients, strict=True):
            weight = self._weight(model, name)
            parts = [float(c) * up for c, up in zip(row, self._ups[name], strict=True)]
            columns = torch.cat(parts, dim=1)
            weight.grad = None
            with torch.no_grad():
                weight[:, : columns.shape[1]] = columns.to(weight)

    def slopes(self, model: Any) -> FloatArray:
        """Return the loss' derivative by each coefficient, shape (modules, k).

        With B' = c_i s_i B_i a block of the stacked factor, d/dc_i is <s_i B_i, gradient of B'>.
        """
        table = np.zeros(self.gram.shape[:2])
        for row, name in enumerate(self.names):
            gradient, start = self._weight(model, name).grad, 0
            for column, up in enumerate(self._ups[name]):
                block = gradient[:, start : start + up.shape[1]].float().cpu()
                table[row, column] = float((up * block).sum())
                start += up.shape[1]
        return table

    def _weight(self, model: Any, name: str) -> Any:
        return model.get_parameter(f"{name}.lora_B.{ADAPTER}.weight")


@contextmanager
def _on_base(context: MethodContext, attempt: AttemptContext, pool: _Pool) -> Iterator[Any]:
    folder = attempt.folder / "pool"
    write_lora(pool.stacked, folder)
    model = load_adapter(context.lm, folder, trainable=True).eval()
    shutil.rmtree(folder)
    try:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(".lora_B." in name)
        yield model
    finally:
        unload(model)


def _heed(attempt: AttemptContext) -> None:
    if attempt.should_stop is not None and attempt.should_stop():
        raise RunInterrupted(
            "stopped in the middle of a merge, as asked: it will start afresh",
            f"run {attempt.launch.run_id}",
        )


def _told(losses: Sequence[float], mix: FloatArray) -> dict[str, float]:
    """Return the loss after each iteration, from 0, and each parent's mean coefficient."""
    told = {f"target_loss_{t}": loss for t, loss in enumerate(losses)}
    return told | {f"share_{i}": float(share) for i, share in enumerate(mix.mean(axis=0))}
