"""Whether a model is what its path says: all weights, all finite, and a tokenizer that fits.

transformers fills what is missing with random numbers, leaves out what it does not know, and makes
an empty tokenizer where there is none; here each of these is refused. Files are looked at before
anything is read, since an adapter beside a model would be put on it in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from paretoflow.core.errors import ModelError

LOADING_FAULTS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""What transformers raises for a model that it cannot load."""

ADAPTER_CONFIG = "adapter_config.json"
INDEX_FILE, ONE_FILE = "model.safetensors.index.json", "model.safetensors"
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_POINTER = b"version https://git-lfs"
_CHECKED = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_WINDOWS = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "seq_length")
"""What configurations call the longest text."""
_TOLD = 3
"""Names that a message lists."""


def require_whole_folder(path: str, where: str) -> None:
    """Refuse a folder that holds more or less than one model; a hub id passes.

    Raises:
        ModelError: If an adapter, stale shards or a second set of weights lies beside the model, a
            shard is missing, or a file of weights is but a pointer to one.
    """
    folder = Path(path)
    if not folder.is_dir():
        return
    names = {file.name for file in folder.iterdir()}
    if ADAPTER_CONFIG in names and "config.json" not in names:
        hint = "name the base that the adapter was trained on, or merge it into that first"
        raise ModelError(f"{path} holds an adapter, not a model", where, hint)
    if ADAPTER_CONFIG in names:
        hint = "move the adapter's files to a folder of their own, or merge it into the model"
        raise ModelError(f"in {path} an adapter lies beside the model", where, hint)
    shards = {name for name in names if _SHARD.fullmatch(name)}
    if INDEX_FILE in names:
        _require_shards(folder, names, shards, where)
    elif shards:
        what = f"in {path} lie {_listed(shards)} without {INDEX_FILE}"
        raise ModelError(what, where, "copy the index too, or remove shards that are left over")
    for name in sorted(n for n in names if n.endswith(".safetensors")):
        with (folder / name).open("rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                hint = "fetch it: git lfs pull, or hf download"
                raise ModelError(f"{path}/{name} is a pointer to the weights", where, hint)


def _require_shards(folder: Path, names: Collection[str], shards: set[str], where: str) -> None:
    """Refuse shards that an index does not list, and one that lists what is not there."""
    try:
        weight_map = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"]
        listed = set(weight_map.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{folder}/{INDEX_FILE} cannot be read: {error}"
        raise ModelError(what, where, "copy the model's folder again") from error
    faults = (
        (listed - set(names), "lack", "copy the model's folder again, whole"),
        (shards - listed, "does not list", "remove the shards that are left over"),
        ({ONE_FILE} & set(names) - listed, "does not list", "keep one of the two sets of weights"),
    )
    for files, verb, hint in faults:
        if files:
            subject = f"the files of {folder}" if verb == "lack" else f"{folder}/{INDEX_FILE}"
            raise ModelError(f"{subject} {verb} {_listed(files)}", where, hint)


def require_whole_weights(
    model: nn.Module,
    info: Mapping[str, Any],
    where: str,
    fresh: re.Pattern[str] | None = None,
    unused: re.Pattern[str] | None = None,
) -> None:
    """Refuse a model that was filled with random numbers, or whose weights are not numbers.

    Args:
        model: As loaded.
        info: What transformers tells of the loading. Weights that are tied are not missing.
        where: For the message.
        fresh: Names of weights that may be missing: they are trained anew.
        unused: Names of weights that the files may hold beyond the model's.

    Raises:
        ModelError: If weights are missing, left over, of another shape, or not finite.
    """
    missing = _others(info["missing_keys"], fresh)
    if missing:
        what = f"the files have no trained weights for {_listed(missing)}"
        over = _others(info["unexpected_keys"], None)
        more = f"; they have {_listed(over)} instead" if over else ""
        raise ModelError(
            what + more, where, "name a whole model of this kind; names must be as it was saved"
        )
    over = _others(info["unexpected_keys"], unused)
    if over:
        what = f"the files have weights that the model does not know: {_listed(over)}"
        hint = "if they belong to nothing, load the model and save it with save_pretrained"
        raise ModelError(what, where, hint)
    if info["mismatched_keys"] or info["error_msgs"]:
        told = [str(fault) for fault in (*info["mismatched_keys"], *info["error_msgs"])]
        raise ModelError(f"weights do not fit the model: {_listed(told)}", where, "save it again")
    odd = not_finite(dict(model.named_parameters()))
    if odd:
        what = f"weights are not finite: {_listed(odd)}"
        hint = "the file is damaged, or its numbers are too large for the dtype: try float32"
        raise ModelError(what, where, hint)


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
    """Refuse a tokenizer that is empty, or knows ids that the model has no row for.

    Raises:
        ModelError: If it does.
    """
    words = tokenizer.get_vocab()
    if len(words) <= len(tokenizer.all_special_tokens):
        what = "there is no tokenizer: the one that was found knows special tokens alone"
        hint = "copy the model's tokenizer files, such as tokenizer.json, into its folder"
        raise ModelError(what, where, hint)
    rows = int(model.get_input_embeddings().weight.shape[0])
    beyond = sorted((i, word) for word, i in words.items() if i >= rows)
    if beyond:
        number, word = beyond[0]
        raise ModelError(
            f"the tokenizer has {len(beyond)} tokens beyond the model's embedding table of {rows} "
            f"rows, the first {word!r} (id {number})",
            where,
            "name the tokenizer of this model, or save the model again after "
            "resize_token_embeddings(len(tokenizer))",
        )


def require_output(model: Any, tokenizer: Any, ends: Collection[int], where: str) -> None:
    """Refuse a causal model that gives ids which it cannot read, or cannot give what is needed.

    Args:
        model: The model.
        tokenizer: Its own; within the embedding table.
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
        raise ModelError(what, where, hint)
    outputs, rows = (int(e.weight.shape[0]) for e in (head, model.get_input_embeddings()))
    top = max(tokenizer.get_vocab().values())
    hint = "save the model again after resize_token_embeddings(len(tokenizer))"
    if outputs > rows or outputs <= top:
        what = f"the output layer gives {outputs} tokens, the embedding table has {rows} rows and "
        raise ModelError(f"{what}the tokenizer's last id is {top}", where, hint)
    odd = sorted(i for i in ends if not 0 <= i < outputs)
    if odd:
        what = f"answers are to end with token {odd[0]}, of {outputs} tokens"
        raise ModelError(what, where, "correct eos_token_id in generation_config.json")


def _tied(model: Any) -> bool:
    return bool(getattr(model.config.get_text_config(), "tie_word_embeddings", False))


def window_of(model: Any) -> int | None:
    """Return the most tokens that the model reads; None for no limit.

    Models of RoBERTa's kind count positions from behind the padding id: of 514 they read 512.
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
    return min((int(limit) for limit in limits if limit), default=None)


def _others(names: Collection[str], allowed: re.Pattern[str] | None) -> list[str]:
    return sorted(n for n in names if allowed is None or not allowed.search(n))


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_TOLD])
    more = len(names) - _TOLD
    return f"{shown} and {more} more" if more > 0 else shown
