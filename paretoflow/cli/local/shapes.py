"""The shape of a model from the files of its folder: config.json and the headers of safetensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretoflow.lm.footprint import Shape
from paretoflow.lm.headers import tensor_header
from paretoflow.spec.models import ALL_LINEAR, LoraSpec, PretrainedModelSpec

Sizes = dict[str, tuple[int, ...]]
"""Name of a tensor to its shape."""

_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads"),
    "inner": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "ffn_hidden"),
    "words": ("vocab_size",),
}
_MOST_LAYERS = 10_000
"""More are a damaged file."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_EMBEDDING = re.compile(r"(embed\w*|wte|wpe|lm_head|embed_out|position\w*|shared)$")
_ATTENTION = re.compile("attn|attention")
_GATED = re.compile(r"(gate_proj|gate_up_proj|w3|gate_up)\b|\.w1\b")


def cached_folder(model: PretrainedModelSpec) -> Path | None:
    """Return the folder of a hub model in the local cache; None if it is not there."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        file = try_to_load_from_cache(model.path, "config.json", revision=model.revision)
    except HFValidationError:  # a folder that is not there
        return None
    return Path(file).parent if isinstance(file, str) else None


def shape_of(folder: Path, config: Mapping[str, Any], lora: LoraSpec) -> Shape | None:
    """Return the shape of a model and its adapter; None if the files do not tell.

    Without weights beside the config, as in a cache, the linear layers are taken to be Llama's.
    """
    inner = config.get("text_config")
    config = {**config, **inner} if isinstance(inner, dict) else config
    found = {key: _number(config, names) for key, names in _NAMES.items()}
    layers, hidden, heads, words = (
        found[key] or 0 for key in ("layers", "hidden", "heads", "words")
    )
    if not (layers and hidden and heads and words) or layers > _MOST_LAYERS:
        return None
    mlp = found["inner"] or 4 * hidden
    head = _number(config, ("head_dim",)) or hidden // heads
    kv_heads = _number(config, ("num_key_value_heads",)) or heads
    sizes = _stored(folder) or _llama(config, (layers, hidden, heads, kv_heads, head, mlp, words))
    experts = _number(config, _EXPERTS) or 0
    adapted = list(_adapted(sizes, lora, experts=experts > 1))
    width = _number(config, ("moe_intermediate_size",)) or mlp if experts > 1 else mlp
    active = _number(config, ("num_experts_per_tok", "moe_topk")) or 1 if experts > 1 else 1
    return Shape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=width * active,
        words=words,
        gated=any(_GATED.search(name) for name in sizes),
        parameters=sum(_count(size) for size in sizes.values()),
        trained=sum(rank * (low + high) for rank, low, high in adapted),
        inputs=sum(low for _, low, _ in adapted),
    )


def stored_bytes(folder: Path) -> int:
    """Return the size of a folder's weights, in the precision that they are stored in."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    values = (config.get(name) for name in names)
    return next((v for v in values if isinstance(v, int) and v > 0), None)


def _count(size: tuple[int, ...]) -> int:
    product = 1
    for extent in size:
        product *= extent
    return product


def _stored(folder: Path) -> Sizes:
    """Return the tensors of a folder; empty if there are none, or a file is damaged."""
    sizes: Sizes = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            shapes = {name: entry["shape"] for name, entry in tensor_header(file).items()}
            own = {name: tuple(int(extent) for extent in shape) for name, shape in shapes.items()}
        except (ValueError, OverflowError, KeyError, TypeError):
            own = {}
        if not own:
            return {}  # damaged files are reported elsewhere
        sizes |= own
    return sizes


def _llama(config: Mapping[str, Any], shape: tuple[int, ...]) -> Sizes:
    """Return the tensors of a model of Llama's form."""
    layers, hidden, heads, kv_heads, head, mlp, words = shape
    sizes: Sizes = {"model.embed_tokens.weight": (words, hidden)}
    if not config.get("tie_word_embeddings", False):
        sizes["lm_head.weight"] = (words, hidden)
    experts = _number(config, _EXPERTS)
    width = _number(config, ("moe_intermediate_size",)) or mlp if experts else mlp
    for i in range(layers):
        at = f"model.layers.{i}"
        sizes |= {
            f"{at}.self_attn.q_proj.weight": (heads * head, hidden),
            f"{at}.self_attn.k_proj.weight": (kv_heads * head, hidden),
            f"{at}.self_attn.v_proj.weight": (kv_heads * head, hidden),
            f"{at}.self_attn.o_proj.weight": (hidden, heads * head),
        }
        for e in range(experts or 1):
            mlp_at = f"{at}.mlp.experts.{e}" if experts else f"{at}.mlp"
            sizes |= {
                f"{mlp_at}.gate_proj.weight": (width, hidden),
                f"{mlp_at}.up_proj.weight": (width, hidden),
                f"{mlp_at}.down_proj.weight": (hidden, width),
            }
    return sizes


def _adapted(sizes: Sizes, lora: LoraSpec, *, experts: bool) -> Iterator[tuple[int, int, int]]:
    """Yield rank and both widths of each layer that the adapter covers, as PEFT chooses them."""
    for name, size in sizes.items():
        layer = name.removesuffix(".weight")
        if len(size) != 2 or layer == name or _EMBEDDING.search(layer):
            continue
        if isinstance(lora.targets, str):
            if lora.targets.lower() != ALL_LINEAR:
                taken = bool(re.fullmatch(lora.targets, layer))
            else:
                taken = not experts or bool(_ATTENTION.search(layer))
        else:
            taken = any(layer == t or layer.endswith(f".{t}") for t in lora.targets)
        if taken:
            own = (r for end, r in lora.ranks.items() if layer == end or layer.endswith(f".{end}"))
            out, low = size
            yield next(own, lora.rank), low, out
