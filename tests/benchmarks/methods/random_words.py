"""A task on random words for a model of random parameters: nothing is downloaded.

It has the shape of a real task and no meaning: two objectives count words by their numbers, and the
scores of a policy say nothing about its method.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paretoflow.core.protocols import Prompt

PAD, EOS = "<pad>", "<eos>"


@dataclass(frozen=True)
class Size:
    """A model, and how much it is trained; prompts and answers are counted in tokens.

    Args:
        batch: Pairs or answers of a step.
        steps: Steps of a run; the reported figures are of the second half.
    """

    words: int
    hidden: int
    inner: int
    layers: int
    prompts: int
    prompt: int
    answer: int
    batch: int
    steps: int


FULL = Size(32_000, 1024, 2816, 24, prompts=64, prompt=128, answer=64, batch=16, steps=20)
SMALL = Size(200, 32, 64, 2, prompts=8, prompt=8, answer=6, batch=4, steps=4)


@dataclass(frozen=True)
class Setting:
    """Size, device and folder of a sweep; `folder` has the base, and stores the sweep."""

    size: Size
    device: str
    dtype: str
    folder: Path


def evens(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
    """Score the share of words that have an even number."""
    return [_share([n % 2 == 0 for n in _numbers(c)]) for c in completions]


def thirds(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
    """Score the share of words whose number three divides."""
    return [_share([n % 3 == 0 for n in _numbers(c)]) for c in completions]


def _numbers(completion: str) -> list[int]:
    return [int(word[1:]) for word in completion.split()]


def _share(found: Sequence[bool]) -> float:
    return sum(found) / max(len(found), 1)


def make_task(setting: Setting) -> None:
    """Write a random model, its tokenizer, and enough prompts of random words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    size = setting.size
    words = [PAD, EOS, *(f"w{i}" for i in range(size.words - 2))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=PAD))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PAD, eos_token=EOS, padding_side="left"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=max(size.hidden // 64, 4),
        max_position_embeddings=size.prompt + size.answer,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config).to(getattr(torch, setting.dtype))
    tokenizer.save_pretrained(setting.folder / "base")
    model.save_pretrained(setting.folder / "base")
    drawn = np.random.default_rng(0).integers(2, len(words), (3 * size.prompts, size.prompt))
    lines = [json.dumps({"prompt": " ".join(words[i] for i in row)}) for row in drawn]
    (setting.folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
