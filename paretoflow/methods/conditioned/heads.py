"""One output head for each objective on a shared backbone, mixed at inference.

A head is the base's own output layer plus a low-rank delta. The K deltas of rank r lie side by side
in one LoRA of rank K r on that layer: rows h r to (h + 1) r of its A and the same columns of its B
are head h. The base's weights are never written, so a layer that is tied to the embeddings may stay
tied. An adapter's folder describes its heads; a mixture of them is a folder of its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from paretoflow.core.errors import MethodError
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.saved_adapter import ADAPTER
from paretoflow.lm.targets import name_of, targets_with
from paretoflow.spec.models import LoraSpec


def head_options(lm: LanguageModel, lora: LoraSpec, heads: int) -> dict[str, Any]:
    """Return PEFT's options for an adapter with heads, beside those of the spec.

    PEFT scales the output layer's LoRA by alpha over its whole rank, `heads` times the backbone's:
    without a mixture, the adapter answers with its heads in equal shares.

    Raises:
        ModelError: If the base has no output layer for the heads.
    """
    output = lm.model.get_output_embeddings()
    return {
        "rank_pattern": {**lora.ranks, name_of(lm, output): heads * lora.rank},
        "target_modules": targets_with(lm, lora, output),
    }


def head_layer(model: Any, heads: int) -> LoraLayer:
    """Return the LoRA on the output layer of a model whose adapter has heads.

    Raises:
        MethodError: If there is none, or its rank is no multiple of the number of heads.
    """
    layer = model.get_output_embeddings()
    rank = layer.r.get(ADAPTER, 0) if isinstance(layer, LoraLayer) else 0
    if rank == 0 or rank % heads:
        raise MethodError(
            f"got an adapter with rank {rank} on the output layer; allowed: a multiple of {heads}, "
            "one part for each objective",
            hint="start from the base, or from a parent of the same method and objectives",
        )
    return layer


def start_alike(layer: LoraLayer, heads: int) -> None:
    """Copy the first head's random factor to every head, so that the heads start equal."""
    weight = layer.lora_A[ADAPTER].weight
    with torch.no_grad():
        weight.copy_(weight[: len(weight) // heads].repeat(heads, 1))


def gate(shares: torch.Tensor, rank: int) -> torch.Tensor:
    """Return the factors of the heads' low-rank inner values, shape (b, 1, K r).

    K times each head's share, repeated r times: the unscaled adapter has equal shares 1/K. By hand:
    shares (0.25, 0.75) and r = 2 give (0.5, 0.5, 1.5, 1.5).

    Args:
        shares: Shares of the heads, shape (b, K); a row of ones and zeros is one head alone.
        rank: Rank r of a head's delta.
    """
    return (shares * shares.shape[1]).repeat_interleave(rank, dim=1)[:, None, :]


@contextmanager
def mixed(model: Any, shares: torch.Tensor) -> Iterator[Any]:
    """Mix a model's heads in the given shares in the block, without changing the weights.

    With the head's logits l_h, the logits are sum_h shares_h l_h for shares that sum to one.

    Args:
        model: A model whose adapter has K heads.
        shares: One mixture for all rows, shape (1, K), or one for each row of the batch, shape (b,
            K).

    Raises:
        MethodError: If the adapter has no such heads.
    """
    layer = head_layer(model, shares.shape[1])
    inner = layer.lora_A[ADAPTER]
    factors = gate(shares, layer.r[ADAPTER] // shares.shape[1])

    def scale(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
        return output * factors.to(device=output.device, dtype=output.dtype)

    hook = inner.register_forward_hook(scale)
    try:
        yield model
    finally:
        hook.remove()


HEADS_FILE = "heads.json"
"""File beside PEFT's own: the heads' objectives, and how to mix the heads."""

_WEIGHTS_FILE = "adapter_model.safetensors"
_NOTE = (
    "Loaded as it is, the adapter mixes its heads equally. To mix them in shares w, multiply the "
    "columns of lora_B of the output layer that belong to head h (in the order of heads, rank "
    "columns each) by len(heads) * w[h], as write_mixture of "
    "paretoflow.methods.conditioned.heads does."
)


def describe_heads(folder: Path, heads: Sequence[str], rank: int) -> None:
    """Write the objective of each head, in order, into an adapter folder.

    `rank` is the rank of a head's delta.
    """
    plain = {"heads": list(heads), "rank": rank, "note": _NOTE}
    (folder / HEADS_FILE).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def write_mixture(source: Path, shares: Mapping[str, float], target: Path) -> None:
    """Write the adapter that answers as one mixture of another's heads: an ordinary PEFT folder.

    Args:
        source: An adapter folder with heads.
        shares: Share of each head by its objective's name.
        target: A folder that does not exist yet.

    Raises:
        MethodError: If the source has no heads, or its heads differ from those in `shares`.
    """
    try:
        plain = json.loads((source / HEADS_FILE).read_text(encoding="utf-8"))
        names, rank = list(plain["heads"]), int(plain["rank"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"no adapter with heads: {HEADS_FILE} cannot be read ({error})"
        raise MethodError(what, str(source), "name a checkpoint of mah_dpo") from error
    if sorted(names) != sorted(shares):
        raise MethodError(
            f"got shares of {sorted(shares)}; allowed: {sorted(names)}",
            str(source),
            "give every head its share, zero included",
        )
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(HEADS_FILE))
    factors = gate(torch.tensor([[float(shares[name]) for name in names]]), rank)[0]
    tensors = load_file(source / _WEIGHTS_FILE)
    wide = {
        key: (value * factors.to(value.dtype)).contiguous()
        for key, value in tensors.items()
        if key.endswith("lora_B.weight") and value.shape[1] == factors.shape[1]
    }
    save_file({**tensors, **wide}, target / _WEIGHTS_FILE, metadata={"format": "pt"})
