"""Rewrites an adapter for vLLM, with one rank and one scale for all modules.

vLLM reads `r` and `lora_alpha` only. It does not support ranks or scales of single modules, and
refuses or ignores anything but a product of two factors. A product does not change when its smaller
factors are filled up with zeros and its scale is multiplied into the second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoflow.core.errors import ModelError
from paretoflow.lm.adapter_config import read_config, write_config
from paretoflow.lm.headers import tensor_header

WEIGHTS_FILE = "adapter_model.safetensors"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_SINGLE = ("rank_pattern", "alpha_pattern", "use_rslora")
"""Options of PEFT that give modules other scales; vLLM ignores them, or some of its versions do."""
_BEYOND = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal factors",
    "lora_bias": "a bias in the second factor",
    "modules_to_save": "whole modules of their own",
    "trainable_token_indices": "token embeddings of their own",
    "target_parameters": "adapted parameters that are no linear layers",
    "layer_replication": "repeated layers",
    "alora_invocation_tokens": "an adapter that begins at certain tokens",
    "fan_in_fan_out": "transposed layers, as GPT-2's",
    "megatron_config": "Megatron's parallel layers",
    "arrow_config": "a router over adapters",
    "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA",
}
"""Options of PEFT that vLLM does not serve as PEFT applies them, with names for errors."""
_OTHER_BASES = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initialisations that change the base's weights."""
_HINT = "serve it with transformers and PEFT: export --format folder"


def fold(adapter: Path) -> int:
    """Give an adapter one rank and one scale if necessary, and return the rank.

    The deltas do not change, up to the rounding of float32.

    Raises:
        ModelError: If the adapter has more than plain LoRA factors.
    """
    config = read_config(adapter)
    _require_plain(config, adapter.name)
    rank = _rank(config, adapter.name)
    # its digest is that of the evaluated adapter, so a damaged one could be loaded then
    _require_factors(list(tensor_header(adapter / WEIGHTS_FILE)), adapter.name)
    if any(config.get(option) for option in _SINGLE):
        return _fold(adapter, config)
    return rank


def _require_plain(config: dict[str, Any], name: str) -> None:
    kind = config.get("peft_type")
    if kind not in (None, "LORA"):
        what = f"the adapter {name} does not say its LoRA rank: it is {kind}"
        raise ModelError(what, hint="only LoRA adapters can be served by vLLM", code="model-export")
    beyond = [told for option, told in _BEYOND.items() if config.get(option)]
    if config.get("bias") not in (None, "none"):
        beyond.append("biases of the base's layers")
    if str(config.get("init_lora_weights")).startswith(_OTHER_BASES):
        beyond.append("other base weights below it")
    if beyond:
        what = f"vLLM does not serve the adapter {name} as it was evaluated: it has "
        raise ModelError(what + " and ".join(beyond), hint=_HINT, code="model-export")


def _rank(config: dict[str, Any], name: str) -> int:
    rank = config.get("r")
    if not isinstance(rank, int) or rank < 1:
        what = f"the adapter {name} does not say its LoRA rank: r is {rank!r}"
        raise ModelError(what, hint="only LoRA adapters can be served by vLLM", code="model-export")
    return rank


def _fold(adapter: Path, config: dict[str, Any]) -> int:
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save
    from torch.nn.functional import pad

    from paretoflow.lm.lora_files import scale_of

    try:
        tensors = load_file(adapter / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        what = f"the weights of the adapter {adapter.name} cannot be read: {error}"
        raise ModelError(
            what, hint="restore the adapter's folder from a copy", code="model-export"
        ) from error
    modules = sorted(key.removesuffix(_DOWN) for key in tensors if key.endswith(_DOWN))
    rank = max(int(tensors[module + _DOWN].shape[0]) for module in modules)
    folded = {}
    for module in modules:
        # bfloat16 has too few digits to multiply a scale in
        down, up = tensors[module + _DOWN].float(), tensors[module + _UP].float()
        more = rank - down.shape[0]
        scale = scale_of(config, module, down.shape[0])
        folded[module + _DOWN] = pad(down, (0, 0, 0, more)).contiguous()
        folded[module + _UP] = pad(scale * up, (0, more)).contiguous()
    (adapter / WEIGHTS_FILE).write_bytes(save(folded, metadata={"format": "pt"}))
    plain = {"r": rank, "lora_alpha": rank, "use_rslora": False}
    write_config(adapter, config | plain | {"rank_pattern": {}, "alpha_pattern": {}})
    return rank


def _require_factors(names: list[str], adapter: str) -> None:
    """Refuse weights that are no factors of linear layers."""
    odd = [name for name in names if not name.endswith((_DOWN, _UP))]
    if odd:
        shown = ", ".join(odd[:3]) + (", …" if len(odd) > 3 else "")
        what = f"vLLM does not serve the adapter {adapter} as it was evaluated: {shown} "
        raise ModelError(what + "is no factor of a linear layer", hint=_HINT, code="model-export")
