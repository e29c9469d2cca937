"""Check that a model is whole: all weights present and finite, and a matching tokenizer.

transformers fills what is missing with random numbers, leaves out what it does not know, and makes
an empty tokenizer where there is none; here each of these is refused. `folders` checks file names
before anything is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from paretoflow.core.errors import ModelError
from paretoflow.lm.folders import listed

LOADING_FAULTS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""Errors that transformers raises for a model that it cannot load."""

_CHECKED = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_WINDOWS = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "seq_length")
"""Names of the maximum text length in configurations."""


def require_whole_weights(
    model: nn.Module,
    info: Mapping[str, Any],
    where: str,
    fresh: re.Pattern[str] | None = None,
    unused: re.Pattern[str] | None = None,
) -> None:
    """Refuse a model with randomly filled, unused or non-finite weights.

    Args:
        model: As loaded.
        info: Report of transformers on the loading. Tied weights are not missing.
        where: For the message.
        fresh: Names of weights that may be missing: they are trained from scratch.
        unused: Names of weights that the files may hold beyond the model's.

    Raises:
        ModelError: If weights are missing, left over, of another shape, or not finite.
    """
    missing = _others(info["missing_keys"], fresh)
    if missing:
        what = f"the files have no trained weights for {listed(missing)}"
        over = _others(info["unexpected_keys"], None)
        more = f"; they have {listed(over)} instead" if over else ""
        raise ModelError(
            what + more,
            where,
            "name a whole model of this kind; names must be as it was saved",
            code="model-incomplete",
        )
    over = _others(info["unexpected_keys"], unused)
    if over:
        what = f"the files have weights that the model does not know: {listed(over)}"
        hint = "if they belong to nothing, load the model and save it with save_pretrained"
        raise ModelError(what, where, hint, code="model-incomplete")
    if info["mismatched_keys"] or info["error_msgs"]:
        told = [str(fault) for fault in (*info["mismatched_keys"], *info["error_msgs"])]
        raise ModelError(
            f"weights do not fit the model: {listed(told)}",
            where,
            "save it again",
            code="model-incomplete",
        )
    odd = not_finite({name: held_of(p) for name, p in model.named_parameters()})
    if odd:
        what = f"weights are not finite: {listed(odd)}"
        hint = "the file is damaged, or its numbers are too large for the dtype: try float32"
        raise ModelError(what, where, hint, code="model-not-finite")


def held_of(parameter: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a parameter: all, or its shard without the padding."""
    shard: torch.Tensor | None = getattr(parameter, "ds_tensor", None)
    if shard is None:
        return parameter
    begin = int(parameter.ds_zero_partition_rank) * shard.numel()  # type: ignore[attr-defined]
    return shard[: max(0, int(parameter.ds_numel) - begin)]  # type: ignore[attr-defined]


def rows_of(layer: Any) -> int:
    """Return the rows of a layer's weight, those on other ranks included."""
    return int(getattr(layer.weight, "ds_shape", layer.weight.shape)[0])


def not_finite(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the names of the tensors that hold a nan or an infinity."""
    odd = []
    for name, tensor in tensors.items():
        if tensor.dtype in _CHECKED and tensor.numel():
            low, high = tensor.detach().aminmax()  # a nan anywhere is in both; copies nothing
            if not bool(torch.isfinite(low) & torch.isfinite(high)):
                odd.append(name)
    return odd


def require_tokenizer(model: Any, tokenizer: Any, where: str) -> None:
    """Refuse a tokenizer that is empty, or has ids without a row in the model.

    Raises:
        ModelError: If the tokenizer does not fit.
    """
    words = tokenizer.get_vocab()
    if len(words) <= len(tokenizer.all_special_tokens):
        what = "there is no tokenizer: the one that was found knows special tokens alone"
        hint = "copy the model's tokenizer files, such as tokenizer.json, into its folder"
        raise ModelError(what, where, hint, code="model-tokenizer")
    rows = rows_of(model.get_input_embeddings())
    beyond = sorted((i, word) for word, i in words.items() if i >= rows)
    if beyond:
        number, word = beyond[0]
        raise ModelError(
            f"the tokenizer has {len(beyond)} tokens beyond the model's embedding table of {rows} "
            f"rows, the first {word!r} (id {number})",
            where,
            "name the tokenizer of this model, or save the model again after "
            "resize_token_embeddings(len(tokenizer))",
            code="model-tokenizer",
        )


def require_output(model: Any, tokenizer: Any, ends: Collection[int], where: str) -> None:
    """Refuse a causal model whose output ids do not fit its input, or lack a needed id.

    Args:
        model: The model.
        tokenizer: Its own, whose ids are within the embedding table.
        ends: Ids that end an answer.
        where: For the message.

    Raises:
        ModelError: If its output layer does not fit.
    """
    head = model.get_output_embeddings()
    if head is None:
        return
    if _tied(model) and head.weight is not model.get_input_embeddings().weight:
        what = "config.json says that the output layer is the embedding table, the files hold two"
        hint = "write tie_word_embeddings: false, or remove the layer that is left over"
        raise ModelError(what, where, hint, code="model-incomplete")
    outputs, rows = (rows_of(e) for e in (head, model.get_input_embeddings()))
    top = max(tokenizer.get_vocab().values())
    hint = "save the model again after resize_token_embeddings(len(tokenizer))"
    if outputs > rows or outputs <= top:
        what = f"the output layer gives {outputs} tokens, the embedding table has {rows} rows and "
        raise ModelError(
            f"{what}the tokenizer's last id is {top}", where, hint, code="model-tokenizer"
        )
    odd = sorted(i for i in ends if not 0 <= i < outputs)
    if odd:
        what = f"answers are to end with token {odd[0]}, of {outputs} tokens"
        raise ModelError(
            what, where, "correct eos_token_id in generation_config.json", code="model-tokenizer"
        )


def _tied(model: Any) -> bool:
    return bool(getattr(model.config.get_text_config(), "tie_word_embeddings", False))


def window_of(model: Any) -> int | None:
    """Return the maximum tokens that the model reads; None for no limit.

    RoBERTa-type models count positions from after the padding id: of 514 they read 512.
    """
    config = model.config.get_text_config()
    limits = [getattr(config, name, None) for name in _WINDOWS]
    limits += [
        layer.num_embeddings - layer.padding_idx - 1
        for name, layer in model.named_modules()
        if name.endswith("position_embeddings")
        and isinstance(layer, nn.Embedding)
        and layer.padding_idx is not None
    ]
    # XLNet has -1: no limit
    return min((int(limit) for limit in limits if limit and limit > 0), default=None)


def _others(names: Collection[str], allowed: re.Pattern[str] | None) -> list[str]:
    return sorted(n for n in names if allowed is None or not allowed.search(n))
