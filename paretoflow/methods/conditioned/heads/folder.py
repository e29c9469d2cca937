"""What an adapter folder says about its heads; a mixture of them as a folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from paretoflow.core.errors import MethodError
from paretoflow.methods.conditioned.heads.mixing import gate

HEADS_FILE = "heads.json"
"""Beside PEFT's own files: which head is which, and how to mix them."""

_WEIGHTS_FILE = "adapter_model.safetensors"
_NOTE = (
    "Loaded as it is, the adapter mixes its heads equally. To mix them in shares w, multiply the "
    "columns of lora_B of the output layer that belong to head h (in the order of heads, rank "
    "columns each) by len(heads) * w[h], as write_mixture of "
    "paretoflow.methods.conditioned.heads.folder does."
)


def describe_heads(folder: Path, heads: Sequence[str], rank: int) -> None:
    """Write into an adapter folder which objective each head belongs to, in order.

    `rank` is that of a head's delta.
    """
    plain = {"heads": list(heads), "rank": rank, "note": _NOTE}
    (folder / HEADS_FILE).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def write_mixture(source: Path, shares: Mapping[str, float], target: Path) -> None:
    """Write the adapter that answers as one mixture of another's heads: an ordinary PEFT folder.

    Args:
        source: An adapter folder with heads.
        shares: Share of each head by its objective's name.
        target: A folder that is not there yet.

    Raises:
        MethodError: If the source has no heads, or others than those named.
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
