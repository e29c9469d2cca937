"""Mixes of LoRA adapters of one base, as plain algebra on their factors.

With A (r, in) and B (out, r) the factors of one module and s its scale, an adapter adds s B A to
the module's weight. The exact mix of k adapters adds sum_i c_i s_i B_i A_i: stacking the factors
gives it as one adapter whose rank is the sum of theirs. Averaging factors gives something else, as
(sum c_i B_i)(sum c_i A_i) has cross terms B_i A_j; both forms of that are here because published
results were made with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from paretoflow.core.errors import ModelError, ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.lm.lora_files import Factors, LoraAdapter


def require_alike(parents: Sequence[LoraAdapter]) -> None:
    """Refuse adapters that do not change the same weights of one base.

    Raises:
        ShapeError: If there is no parent.
        ModelError: If one belongs to another base, or adapts other modules.
    """
    if not parents:
        raise ShapeError("a merge needs at least one parent, got none")
    first = parents[0]
    for parent in parents[1:]:
        if _base_of(parent, first) != _base_of(first, parent):
            raise ModelError(
                f"a parent belongs to another base: {_base_of(parent, first)}, and the first "
                f"parent to {_base_of(first, parent)}",
                str(parent.folder),
                "merge adapters of one base only",
                code="model-merge",
            )
        mine, other = _sides(parent), _sides(first)
        if mine != other:
            unlike = sorted(n for n in mine | other if mine.get(n) != other.get(n))
            raise ModelError(
                f"targets differ: {len(unlike)} modules are adapted by one parent only or have "
                f"other sizes, for instance {unlike[0]}",
                str(parent.folder),
                "merge adapters with the same model.lora.targets",
                code="model-merge",
            )


def _base_of(adapter: LoraAdapter, other: LoraAdapter) -> str:
    both = adapter.base.get("digest") and other.base.get("digest")
    name = adapter.config.get("base_model_name_or_path")
    return f"{name} (digest {adapter.base['digest'][:12]})" if both else str(name)


def _sides(adapter: LoraAdapter) -> dict[str, tuple[int, int]]:
    return {n: (f.up.shape[0], f.down.shape[1]) for n, f in adapter.modules.items()}


def concatenated(parents: Sequence[LoraAdapter], coefficients: FloatArray) -> LoraAdapter:
    """Return the exact mix: it adds sum_i c_i s_i B_i A_i to every module; ranks add.

    By hand: B_1 A_1 = [2], B_2 A_2 = [4] with scales 1 and 0.5 and c = (0.25, 0.75) give A =
    [A_1; A_2], B = [0.25 B_1, 0.375 B_2], which is [0.5 + 1.5] = [2].

    Args:
        parents: k adapters of any rank and alpha.
        coefficients: Shape (k,), or (modules, k) for each module, in the order of
            `LoraAdapter.modules`. A parent with only zeros adds nothing to the rank.

    Raises:
        ModelError: As for `require_alike`.
        ShapeError: If the coefficients have another shape.
    """
    table = _table(parents, coefficients)
    kept = np.flatnonzero(table.any(axis=0)).tolist() or [0]

    def stack(factors: Sequence[Factors], row: FloatArray) -> Factors:
        parts = [(factors[i], float(row[i])) for i in kept]
        down = torch.cat([f.down for f, _ in parts])
        return Factors(down, torch.cat([c * f.scale * f.up for f, c in parts], dim=1))

    return _combined(parents, table, stack)


def decomposed(adapter: LoraAdapter, rank: int) -> LoraAdapter:
    """Return the nearest adapter of a rank, by the singular values of each module's change.

    The factors' QR decompositions reduce it to a matrix of their rank; the full one is never made.
    """

    def nearest(factors: Factors) -> Factors:
        left, upper = torch.linalg.qr(factors.scale * factors.up.double())
        right, lower = torch.linalg.qr(factors.down.double().T)
        u, values, v = torch.linalg.svd(upper @ lower.T, full_matrices=False)
        root = values[:rank].sqrt()
        up, down = left @ u[:, :rank] * root, root[:, None] * v[:rank] @ right.T
        more = max(rank - len(root), 0)
        grown = torch.nn.functional.pad(down, (0, 0, 0, more))
        return Factors(grown.float(), torch.nn.functional.pad(up, (0, more)).float())

    return replace(adapter, modules={n: nearest(f) for n, f in adapter.modules.items()})


def averaged_factors(parents: Sequence[LoraAdapter], coefficients: FloatArray) -> LoraAdapter:
    """Return (sum c_i B_i)(sum c_i A_i) for every module: no exact mix, has cross terms.

    Raises:
        ModelError: As for `require_alike`, or if rank or scale differ.
        ShapeError: As for `concatenated`.
    """
    table = _table(parents, coefficients)
    _require_one_rank(parents, "averages factors entry by entry", scales=True)

    def average(factors: Sequence[Factors], row: FloatArray) -> Factors:
        return Factors(
            _weighted([f.down for f in factors], row),
            _weighted([f.up for f in factors], row),
            factors[0].scale,
        )

    return _combined(parents, table, average)


def peft_linear(parents: Sequence[LoraAdapter], coefficients: FloatArray) -> LoraAdapter:
    """Return (sum sqrt(c_i s_i) B_i)(sum sqrt(c_i s_i) A_i): PEFT's combination_type="linear".

    The sign of a negative coefficient goes to A alone, as there.

    Raises:
        ModelError: As for `require_alike`, or if ranks differ.
        ShapeError: As for `concatenated`.
    """
    table = _table(parents, coefficients)
    _require_one_rank(parents, "adds factors entry by entry", scales=False)

    def linear(factors: Sequence[Factors], row: FloatArray) -> Factors:
        scaled = row * [f.scale for f in factors]
        root = np.sqrt(np.abs(scaled))
        signed = np.where(scaled < 0, -root, root)
        return Factors(
            _weighted([f.down for f in factors], signed), _weighted([f.up for f in factors], root)
        )

    return _combined(parents, table, linear)


def inner_products(parents: Sequence[LoraAdapter]) -> FloatArray:
    """Return the inner products of the parents' changes of each module, shape (modules, k, k).

    From the factors: <s B A, s' B' A'> = s s' sum((B^T B') * (A A'^T)).
    """
    require_alike(parents)
    table = np.empty((len(parents[0].modules), len(parents), len(parents)))
    for row, name in enumerate(parents[0].modules):
        factors = [p.modules[name] for p in parents]
        for i, one in enumerate(factors):
            for j, other in enumerate(factors):
                product = (one.up.T @ other.up) * (one.down @ other.down.T)
                table[row, i, j] = one.scale * other.scale * float(product.sum())
    return table


def _table(parents: Sequence[LoraAdapter], coefficients: FloatArray) -> FloatArray:
    require_alike(parents)
    shape = (len(parents[0].modules), len(parents))
    given = np.asarray(coefficients, dtype=np.float64)
    if given.shape not in (shape, shape[1:]) or not np.isfinite(given).all():
        raise ShapeError(
            f"a merge needs a finite coefficient for each parent, shape {shape[1:]} or {shape}, "
            f"got {given.tolist()}"
        )
    return np.broadcast_to(given, shape)


def _combined(
    parents: Sequence[LoraAdapter],
    table: FloatArray,
    combine: Callable[[Sequence[Factors], FloatArray], Factors],
) -> LoraAdapter:
    names = list(parents[0].modules)
    modules = {
        name: combine([p.modules[name] for p in parents], row)
        for name, row in zip(names, table, strict=True)
    }
    return replace(parents[0], modules=modules)


def _weighted(tensors: Sequence[Tensor], row: FloatArray) -> Tensor:
    terms = [float(c) * tensor for c, tensor in zip(row, tensors, strict=True)]
    return torch.stack(terms).sum(dim=0)


def _require_one_rank(parents: Sequence[LoraAdapter], why: str, *, scales: bool) -> None:
    for name in parents[0].modules:
        factors = [p.modules[name] for p in parents]
        ranks = sorted({f.rank for f in factors})
        found = sorted({f.scale for f in factors})
        if len(ranks) > 1 or (scales and len(found) > 1):
            got = f"ranks {ranks}" if len(ranks) > 1 else f"scales alpha / rank {found}"
            raise ModelError(
                f"got parents of {got}; allowed: one, as this way {why}",
                str(parents[0].folder),
                "merge with how: cat, or with svd for a rank of your choice",
                code="model-merge",
            )
