"""A user's script without ParetoFlow for one preference: TRL's DPOTrainer, with nothing shared.

It is the other arm of `sweep_against_loop`, which starts one such process for each weight vector.
From this package it uses only the embedded base and the questions. It samples candidate answers
with `generate`, scores them with rouge-score and a word count, ranks pairs by the weighted
standardised score, trains with TRL (which computes the reference log-probabilities itself), saves
the adapter and evaluates it. It writes `scores.json` with the seconds of each stage: `import`
counts from the start of the process, `load` is base and questions, `train` includes TRL's set-up.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from datasets import Dataset
from peft import LoraConfig
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.embedded.pydoc import PydocItem, pydoc_items

STARTED = psutil.Process().create_time()
IMPORT_S = time.time() - STARTED
SCORER = RougeScorer(["rouge1"])


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one adapter for one preference.")
    parser.add_argument("--weights", required=True, help="coverage,conciseness")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--lr", type=float, default=7e-4)
    parser.add_argument("--beta", type=float, default=0.3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=6)
    parser.add_argument("--pairs-per-prompt", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--generation-batch", type=int, default=64)
    parser.add_argument("--lora-rank", type=int, default=16)
    parser.add_argument("--lora-alpha", type=int, default=32)
    parser.add_argument("--train-prompts", type=int, default=96)
    parser.add_argument("--eval-prompts", type=int, default=48)
    return parser.parse_args()


def answers(model: Any, tokenizer: Any, prompts: list[str], args: argparse.Namespace) -> list[str]:
    """Sample one answer for each prompt."""
    texts: list[str] = []
    for start in range(0, len(prompts), args.generation_batch):
        batch = tokenizer(
            prompts[start : start + args.generation_batch],
            return_tensors="pt",
            padding=True,
            return_token_type_ids=False,
        )
        with torch.no_grad():
            out = model.generate(
                **batch,
                do_sample=True,
                temperature=args.temperature,
                max_new_tokens=args.max_new_tokens,
            )
        new = out[:, batch["input_ids"].shape[1] :]
        texts.extend(tokenizer.batch_decode(new, skip_special_tokens=True))
    return texts


def scores(items: list[PydocItem], texts: list[str]) -> np.ndarray:
    """Return coverage and words of each answer, shape (n, 2)."""
    coverage = [
        SCORER.score(item.reference, text)["rouge1"].recall
        for item, text in zip(items, texts, strict=True)
    ]
    return np.array([coverage, [len(text.split()) for text in texts]], dtype=float).T


def pairs(
    items: list[PydocItem], texts: list[str], weights: np.ndarray, args: argparse.Namespace
) -> Dataset:
    """Rank each prompt's answers by the weighted score; keep the pairs with the widest margins."""
    gains = scores(items, texts) * [1, -1]
    merit = ((gains - gains.mean(axis=0)) / gains.std(axis=0)) @ weights
    rows = []
    for start in range(0, len(items), args.candidates):
        group = range(start, start + args.candidates)
        ranked = sorted(itertools.combinations(group, 2), key=lambda p: -abs(np.diff(merit[[*p]])))
        for a, b in ranked[: args.pairs_per_prompt]:
            if texts[a] != texts[b] and merit[a] != merit[b]:
                better, worse = (a, b) if merit[a] > merit[b] else (b, a)
                row = {"prompt": items[a].prompt, "chosen": texts[better]}
                rows.append({**row, "rejected": texts[worse]})
    return Dataset.from_list(rows)


def trained(model: Any, tokenizer: Any, dataset: Dataset, args: argparse.Namespace) -> Any:
    """Train an adapter and return the PEFT model."""
    config = DPOConfig(
        output_dir=str(args.out),
        max_steps=args.steps,
        per_device_train_batch_size=args.batch_size,
        learning_rate=args.lr,
        beta=args.beta,
        warmup_steps=args.steps // 10,
        seed=args.seed,
        bf16=False,
        use_cpu=True,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to="none",
    )
    lora = LoraConfig(
        r=args.lora_rank,
        lora_alpha=args.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    trainer = DPOTrainer(
        model, args=config, train_dataset=dataset, processing_class=tokenizer, peft_config=lora
    )
    trainer.train()
    trainer.model.save_pretrained(str(args.out / "adapter"))
    return trainer.model.eval()


def main() -> None:
    args = options()
    weights = np.array([float(w) for w in args.weights.split(",")])
    torch.manual_seed(args.seed)
    marks = {"import": IMPORT_S}

    def mark(stage: str) -> None:
        marks[stage] = time.time() - STARTED - sum(marks.values())

    tokenizer = AutoTokenizer.from_pretrained(TINY_BASE_DIR, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(TINY_BASE_DIR, dtype=torch.float32)
    draw = random.Random(args.seed)
    train = draw.sample([i for i in pydoc_items() if i.split == "train"], args.train_prompts)
    held_out = draw.sample([i for i in pydoc_items() if i.split == "eval"], args.eval_prompts)
    mark("load")
    asked = [item for item in train for _ in range(args.candidates)]
    sampled = answers(model, tokenizer, [item.prompt for item in asked], args)
    dataset = pairs(asked, sampled, weights, args)
    mark("sample")
    policy = trained(model, tokenizer, dataset, args)
    mark("train")
    found = scores(held_out, answers(policy, tokenizer, [i.prompt for i in held_out], args))
    mark("evaluate")
    result = {"weights": weights.tolist(), "scores": found.mean(axis=0).tolist(), "seconds": marks}
    (args.out / "scores.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(" ".join(f"{stage} {taken:.1f} s" for stage, taken in marks.items()))


if __name__ == "__main__":
    main()
