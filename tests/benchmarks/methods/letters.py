"""A task whose true front is known by enumeration.

The prompt names three letters; the base answers with four, one token each. Each row of its training
data has the prompt's first letter with a chance of its own, and another letter otherwise, so the
base gives answers from all alike to all different. In training, prompts began with numbers and
names without a meaning, so a method that states a preference there can use known words. Two
objectives conflict: `echo`, the number of the prompt's first letter in the answer (k of 4), and
`variety`, the number of different letters (d of 4), both with diminishing returns:

    echo = 1 - (1 - k/4)^2        variety = 1 - ((4 - d)/3)^2, 0 for d = 0

Other tokens count for neither, so a policy that drifts off the letters loses both. All 6^4 answers
to a prompt can be listed, so the best expected scores of any policy are known exactly: the upper
right hull of the listed scores. By hand: k = 4 gives (1, 0), k = 3 at best (15/16, 5/9), k = 2
(3/4, 8/9), k = 1 (7/16, 1); all four are on the hull.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray

LETTERS = "abcdef"
ANSWER = 4
PAD, EOS = "<pad>", "<eos>"
NOISE = ("Weights", "echo", "variety", *"<>-.,:0123456789")
"""Words without a meaning before the prompts in the base's training."""
SPARE = tuple(f"spare{i}" for i in range(8))
"""Words that the base has never seen."""
BASE_STEPS = 800


def echo(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
    """Score how often each answer says the prompt's first letter."""
    return [scores_of(p.text.split()[1], c)[0] for p, c in zip(prompts, completions, strict=True)]


def variety(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
    """Score how many different letters each answer holds."""
    return [scores_of(p.text.split()[1], c)[1] for p, c in zip(prompts, completions, strict=True)]


def scores_of(letter: str, completion: str) -> tuple[float, float]:
    """Return echo and variety of one answer; what is missing or no letter counts for neither."""
    said = [word for word in completion.split()[:ANSWER] if word in LETTERS]
    k, d = said.count(letter), max(len(set(said)), 1)
    return 1 - (1 - k / ANSWER) ** 2, 1 - ((ANSWER - d) / (ANSWER - 1)) ** 2


def true_front() -> FloatArray:
    """Return the corners of the hull of all answers' scores, shape (k, 2), echo falling.

    The same for every prompt, since only the first letter counts and letters are alike.
    """
    answers = itertools.product(LETTERS, repeat=ANSWER)
    points = np.array(sorted({scores_of("a", " ".join(a)) for a in answers}, reverse=True))
    hull: list[FloatArray] = []
    for point in points:
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _bends_in(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull)


def true_hypervolume() -> float:
    """Return the area under the true front against (0, 0): policies may mix answers."""
    front = true_front()
    area = float(front[-1, 0] * front[-1, 1])
    for (x1, y1), (x0, y0) in itertools.pairwise(front):
        area += (x1 - x0) * (y0 + y1) / 2
    return area


def _bends_in(a: FloatArray, b: FloatArray, c: FloatArray) -> bool:
    """Return whether b lies on or below the line from a to c."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) <= 0


def make_task(folder: Path) -> dict[str, Any]:
    """Train the base and write the prompts into a folder, once; return the head of a sweep."""
    if not (folder / "base" / "model.safetensors").exists():
        _train_base(folder / "base")
        prompts = (f"letters {x} {y} {z} :" for x, y, z in itertools.permutations(LETTERS, 3))
        lines = [json.dumps({"prompt": p}) for p in prompts]
        (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shape = {"direction": "maximize", "unit": "share", "range": [0, 1], "ref": 0, "type": "import"}
    return {
        "model": {
            "type": "pretrained",
            "path": str(folder / "base"),
            "dtype": "float32",
            "device": "cpu",
            "lora": {"rank": 8, "alpha": 16},
            "generation": {"max_new_tokens": ANSWER},
        },
        "data": {
            "type": "jsonl",
            "path": str(folder / "prompts.jsonl"),
            "train": 64,
            "eval": 48,
            "validation": 8,
            "candidates": 8,
        },
        "objectives": [
            {"name": name, "path": f"tests.benchmarks.methods.letters:{name}", **shape}
            for name in ("echo", "variety")
        ],
    }


def _train_base(folder: Path) -> None:
    """Train a small Llama; see the head of this module."""
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [PAD, EOS, "letters", *LETTERS, *NOISE, *SPARE]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=PAD))
    apart = pre_tokenizers.Split(Regex(r"spare\d|\d|[<>\-.,:]"), "isolated")
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), apart])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PAD, eos_token=EOS, padding_side="left"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(BASE_STEPS):
        rows = _rows(words, noise=step % 2 * int(torch.randint(1, 24, ())))
        labels = rows.clone()
        labels[:, : -ANSWER - 1] = -100
        optimizer.zero_grad()
        model(input_ids=rows, labels=labels).loss.backward()
        optimizer.step()
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _rows(words: Sequence[str], noise: int) -> Any:
    """Return 64 prompts and answers as token ids, behind so many words of noise."""
    import torch

    first, some = words.index(LETTERS[0]), words.index(NOISE[0])
    letters = torch.randint(first, first + len(LETTERS), (64, 3 + ANSWER))
    echoed = torch.rand(64, ANSWER) < torch.rand(64, 1)
    letters[:, 3:] = torch.where(echoed, letters[:, :1], letters[:, 3:])
    before = torch.randint(some, some + len(NOISE), (64, noise))
    head, colon, end = (torch.full((64, 1), words.index(w)) for w in ("letters", ":", EOS))
    return torch.cat([before, head, letters[:, :3], colon, letters[:, 3:], end], dim=1)
