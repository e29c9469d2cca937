"""LoRA adapters in memory, read from PEFT folders and written as such, without a model."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft.utils.other import get_pattern_key
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paretoflow.core.errors import ModelError
from paretoflow.lm.adapters import put_in_place
from paretoflow.lm.saved_adapter import BASE_FILE, WEIGHTS_FILE
from paretoflow.lm.whole import not_finite

CONFIG_FILE = "adapter_config.json"
_BEYOND = ("use_dora", "modules_to_save", "lora_bias")
"""Options of PEFT that make an adapter more than a product of two factors."""
_PREFIX = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Factors:
    """An adapter's addition to one module: `scale * up @ down`.

    Args:
        down: PEFT's A, shape (rank, in), float32.
        up: PEFT's B, shape (out, rank), float32.
    """

    down: Tensor
    up: Tensor
    scale: float = 1.0

    @property
    def rank(self) -> int:
        """Return the inner dimension."""
        return int(self.down.shape[0])

    @property
    def delta(self) -> Tensor:
        """Return the change of the module's weight, shape (out, in)."""
        return self.scale * self.up @ self.down


@dataclass(frozen=True)
class LoraAdapter:
    """A LoRA adapter in memory.

    Args:
        modules: Factors by the module's name in the safetensors file, in a fixed order.
        config: PEFT's own, as plain values.
        base: Content of `BASE_FILE`; empty for an adapter that was trained elsewhere.
        folder: Folder that it was read from.
    """

    modules: dict[str, Factors]
    config: dict[str, Any]
    base: dict[str, str]
    folder: Path


def read_lora(folder: Path) -> LoraAdapter:
    """Read an adapter's folder.

    Raises:
        ModelError: If it is broken, or holds anything but plain LoRA factors.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_FILE)
        base_file = folder / BASE_FILE
        base = json.loads(base_file.read_text(encoding="utf-8")) if base_file.is_file() else {}
        modules = _modules(config, tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter cannot be merged: {error}",
            str(folder),
            "a parent is a PEFT folder with plain LoRA factors",
            code="model-merge",
        ) from error
    return LoraAdapter(modules, config, base, folder)


def _modules(config: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Factors]:
    odd = [k for k in _BEYOND if config.get(k)]
    odd += [k for k in tensors if not k.endswith((_DOWN, _UP))]
    if config["peft_type"] != "LORA" or odd:
        raise ValueError(f"it is {config['peft_type']}, with {', '.join(odd) or 'no factors'}")
    if bad := not_finite(tensors):
        raise ValueError(f"{bad[0]} is not finite")
    modules = {}
    for name in sorted(k.removesuffix(_DOWN) for k in tensors if k.endswith(_DOWN)):
        down, up = tensors[name + _DOWN].float(), tensors[name + _UP].float()
        if down.ndim != 2 or up.ndim != 2 or up.shape[1] != down.shape[0]:
            raise ValueError(f"the factors of {name} are {tuple(up.shape)} and {tuple(down.shape)}")
        rank = down.shape[0]
        modules[name] = Factors(down, up, scale_of(config, name, rank))
    if not modules or 2 * len(modules) != len(tensors):
        raise ValueError("factors are missing")
    return modules


def scale_of(config: dict[str, Any], module: str, rank: int) -> float:
    """Return the factor by which PEFT multiplies the product of a module's factors.

    By hand: alpha 8 and rank 4 give 2, with rsLoRA 4.

    Args:
        config: The adapter's, as PEFT writes it.
        module: Name of the module in the safetensors file.
        rank: Rank of the module's factors.
    """
    name, alphas = module.removeprefix(_PREFIX), config.get("alpha_pattern") or {}
    alpha = float(alphas.get(get_pattern_key(alphas.keys(), name), config["lora_alpha"]))
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def write_lora(adapter: LoraAdapter, folder: Path) -> None:
    """Write an adapter as an ordinary PEFT folder, whole or not at all; its scales become 1."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rank = max(f.rank for f in adapter.modules.values())
    tensors = {}
    for name, factors in adapter.modules.items():
        down, up = _padded(factors, rank)
        tensors[name + _DOWN], tensors[name + _UP] = down.contiguous(), up.contiguous()
    save_file(tensors, partial / WEIGHTS_FILE, metadata={"format": "pt"})
    plain: dict[str, Any] = {"r": rank, "lora_alpha": rank, "use_rslora": False}
    plain |= {"rank_pattern": {}, "alpha_pattern": {}}
    config = json.dumps(adapter.config | plain, indent=2, sort_keys=True)
    (partial / CONFIG_FILE).write_text(config + "\n", encoding="utf-8")
    if adapter.base:
        text = json.dumps(adapter.base, indent=2) + "\n"
        (partial / BASE_FILE).write_text(text, encoding="utf-8")
    put_in_place(partial, folder)


def _padded(factors: Factors, rank: int) -> tuple[Tensor, Tensor]:
    """Return factors of the given rank and scale 1, padded with zeros: one rank for all."""
    more = rank - factors.rank
    down = torch.nn.functional.pad(factors.down, (0, 0, 0, more))
    return down, torch.nn.functional.pad(factors.scale * factors.up, (0, more))
