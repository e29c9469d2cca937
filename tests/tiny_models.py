"""Saves folders of random tiny models, each with the tokenizer of the tiny base."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_SMALL: Mapping[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "initializer_range": 0.4,
}


def add_tokenizer(source: Path, folder: Path) -> None:
    """Copy the tokenizer of one folder into another."""
    folder.mkdir(exist_ok=True)
    for name in _TOKENIZER_FILES:
        shutil.copy(source / name, folder / name)


def save_model(kind: str, tokenizer: Path, folder: Path, **config: Any) -> Path:
    """Save a random model of a transformers class, for instance "Llama" and "ForCausalLM".

    Args:
        kind: Name of the class.
        tokenizer: Folder of its tokenizer.
        folder: Folder to save it in.
        **config: Further options of its configuration.
    """
    import torch
    import transformers

    loaded = transformers.AutoTokenizer.from_pretrained(tokenizer)
    base = re.split("For|LMHead", kind)[0]
    ids = {"eos_token_id": loaded.eos_token_id, "pad_token_id": loaded.pad_token_id}
    options = {"vocab_size": len(loaded), **_SMALL, **ids, **config}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, kind)(getattr(transformers, f"{base}Config")(**options))
    model.save_pretrained(folder)
    add_tokenizer(tokenizer, folder)
    return folder
