"""Random models of several families and shapes, each with a sweep of one short run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.random_words import EOS, PAD, evens, thirds


@dataclass(frozen=True)
class Case:
    """A model, and a run on it; prompts and answers are counted in tokens.

    Args:
        family: "llama", "qwen3", "gpt2" or "mixtral".
        head: Size of a head.
        ranks: Rank of the adapter.
        method: Fields of the method.
        sampled: Answers in a batch of generation.
    """

    name: str
    family: str = "llama"
    layers: int = 4
    hidden: int = 256
    heads: int = 4
    kv_heads: int = 2
    head: int = 64
    inner: int = 768
    words: int = 4000
    tied: bool = False
    dtype: str = "float32"
    ranks: int = 16
    targets: Any = "all-linear"
    prompt: int = 96
    answer: int = 32
    sampled: int = 8
    method: dict[str, Any] = field(default_factory=lambda: {"type": "dpo", "batch_size": 8})


SMALL = {"type": "dpo", "batch_size": 4}
CASES = (
    Case("warm-up", layers=1, hidden=64, heads=1, kv_heads=1, inner=64, words=200, method=SMALL),
    Case("12 layers", layers=12),
    Case("wide MLP", layers=3, hidden=512, heads=8, kv_heads=8, inner=3072),
    Case("60,000 words", layers=2, hidden=128, heads=2, kv_heads=2, inner=256, words=60_000),
    Case("long answers", prompt=32, answer=224, sampled=32, method=SMALL),
    Case("large heads, tied", "qwen3", 6, 256, 8, 2, 128, 512, 8000, tied=True),
    Case("gpt2", "gpt2", hidden=384, heads=6, inner=1536, words=8000, tied=True),
    Case("bfloat16", layers=8, dtype="bfloat16"),
    Case("adapter on q and v, rank 64", layers=8, ranks=64, targets=("q_proj", "v_proj")),
    Case("half batches", layers=8, method={**SMALL, "batch_size": 16, "gradient_accumulation": 4}),
    Case("grpo", layers=4, method={"type": "grpo", "batch_size": 16}),
    Case("gradients of two objectives", layers=4, method={"type": "gradient_dpo", "batch_size": 8}),
    Case("large base", layers=4, hidden=1024, heads=16, kv_heads=4, inner=2816, method=SMALL),
)
"""For training; the first one is there for what imports take, and is not in the table."""
SAMPLED = (
    Case("48 answers", layers=8, kv_heads=4, prompt=128, answer=64, sampled=48),
    Case("48 answers, many words", layers=2, words=60_000, prompt=32, answer=16, sampled=48),
    Case("48 answers, wide MLP", layers=3, hidden=512, heads=8, inner=3072, answer=64, sampled=48),
)
"""For sampling."""


def make_folder(case: Case, folder: Path) -> None:
    """Write a random model, its tokenizer, and prompts of random words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    words = [PAD, EOS, *(f"w{i}" for i in range(case.words - 2))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=PAD))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PAD, eos_token=EOS, padding_side="left"
    )
    model = AutoModelForCausalLM.from_config(_config(case))
    tokenizer.save_pretrained(folder / "base")
    model.to(getattr(torch, case.dtype)).save_pretrained(folder / "base")
    drawn = np.random.default_rng(0).integers(2, len(words), (64, case.prompt))
    lines = [json.dumps({"prompt": " ".join(words[i] for i in row)}) for row in drawn]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _config(case: Case) -> Any:
    from transformers import GPT2Config, LlamaConfig, MixtralConfig, Qwen3Config

    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    if case.family == "gpt2":
        return GPT2Config(
            vocab_size=case.words,
            n_embd=case.hidden,
            n_layer=case.layers,
            n_head=case.heads,
            n_inner=case.inner,
            n_positions=2048,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            tie_word_embeddings=True,
            **ends,
        )
    kinds = {"llama": LlamaConfig, "qwen3": Qwen3Config, "mixtral": MixtralConfig}
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    return kinds[case.family](
        vocab_size=case.words,
        hidden_size=case.hidden,
        intermediate_size=case.inner,
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        num_key_value_heads=case.kv_heads,
        head_dim=case.head,
        max_position_embeddings=2048,
        tie_word_embeddings=case.tied,
        **(experts if case.family == "mixtral" else {}),
        **ends,
    )


def spec_of(case: Case, folder: Path) -> SweepSpec:
    """Return the case's sweep: one run of two steps."""
    shape = {"direction": "maximize", "unit": "share", "range": [0, 1], "ref": 0, "type": "import"}
    plain = {
        "name": "memory",
        "storage": str(folder / "sweeps"),
        "model": {
            "type": "pretrained",
            "path": str(folder / "base"),
            "dtype": case.dtype,
            "device": "cpu",
            "lora": {"rank": case.ranks, "targets": case.targets},
            "generation": {"max_new_tokens": case.answer, "batch_size": case.sampled},
        },
        "data": {
            "type": "jsonl",
            "path": str(folder / "prompts.jsonl"),
            "train": 16,
            "eval": 8,
            "validation": 2,
            "candidates": 2,
            "max_prompt_tokens": case.prompt,
        },
        "objectives": [
            {"name": o.__name__, "path": f"{o.__module__}:{o.__name__}", **shape}
            for o in (evens, thirds)
        ],
        "method": {"steps": 2, "checkpoint_every": 2, **case.method},
        "proposer": {"type": "lattice"},
        "stop": {"runs": 1},
        "engine": {"worker_groups": 1},
    }
    return SweepSpec.model_validate(plain)
