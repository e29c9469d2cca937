"""Train the embedded base model: `python -m paretoflow.embedded.train_base --out DIR`.

A small Llama-type model learns document + question -> some of the document's sentences, from the
train split of the embedded task and, for a wider vocabulary, the docstrings of installed packages
(read as text, never imported). Eval symbols of the task are never seen. Two choices make so small a
model copy within minutes:

* a share of the examples are made of randomly drawn words, where nothing but copying lowers the
  loss; the share falls during training, and copying carries over to texts of any subject;
* answers are a random number of sentences, so the base answers at every length and preference
  training can move it towards short or complete answers.

`tiny_base/README.md` records how the committed weights were made, and how long that took.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from paretoflow.embedded.pydoc import PydocItem, items_from_docs, package_docs, pydoc_items

VOCABULARY = 2048
PAD, EOS = "<pad>", "<eos>"
PROMPT_LOSS_WEIGHT = 0.2
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'].capitalize() + ': ' + m['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}Answer:{% endif %}"
)


@dataclass(frozen=True)
class TrainSettings:
    """Settings that decide the weights, together with the texts."""

    steps: int
    batch: int = 16
    lr: float = 2e-3
    seed: int = 0
    synthetic_start: float = 0.9
    synthetic_end: float = 0.15


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of `VOCABULARY` entries."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[PAD, EOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token=PAD,
        eos_token=EOS,
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Build the untrained model, about 2.2 million parameters."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        attn_implementation="eager",
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def answer_of(item: PydocItem, rng: random.Random) -> str:
    """Draw an answer of any length: mostly leading sentences, sometimes any of them in order."""
    count = rng.randint(1, len(item.sentences))
    if rng.random() < 0.75:
        return " ".join(item.sentences[:count])
    return " ".join(
        item.sentences[i] for i in sorted(rng.sample(range(len(item.sentences)), count))
    )


def synthetic_item(words: list[str], rng: random.Random) -> PydocItem:
    """Make a document of randomly drawn words: only copying can answer it."""
    sentences = tuple(
        " ".join(rng.choices(words, k=rng.randint(2, 6))).capitalize() + "."
        for _ in range(rng.randint(2, 4))
    )
    return PydocItem("synthetic", f"What does {rng.choice(words)} do?", sentences)


def batches(
    items: list[PydocItem], tokenizer: PreTrainedTokenizerFast, settings: TrainSettings
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield (token ids, attention mask, loss weight) for each step, all (b, t), right-padded."""
    rng = random.Random(settings.seed)
    words = sorted({w.strip(".,;:()\"'`") for item in items for w in item.document.split()} - {""})
    for step in range(settings.steps):
        done = step / settings.steps
        share = settings.synthetic_start + (
            settings.synthetic_end - settings.synthetic_start
        ) * min(1.0, 2 * done)
        if rng.random() < share:  # synthetic texts are short: twice as many cost the same
            chosen = [synthetic_item(words, rng) for _ in range(2 * settings.batch)]
        else:
            chosen = rng.choices(items, k=settings.batch)
        yield encode([(i.prompt, answer_of(i, rng)) for i in chosen], tokenizer)


def encode(
    examples: list[tuple[str, str]], tokenizer: PreTrainedTokenizerFast
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokenise (prompt, answer) pairs with their loss weights.

    Each answer ends with the end-of-text token.
    """
    prompts = tokenizer([p for p, _ in examples])["input_ids"]
    answers = tokenizer([" " + a + EOS for _, a in examples])["input_ids"]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(examples), width), tokenizer.pad_token_id)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    weight = torch.zeros(len(examples), width)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        mask[row, :end] = 1
        weight[row, : len(prompt)], weight[row, len(prompt) : end] = PROMPT_LOSS_WEIGHT, 1.0
    return ids, mask, weight


def token_losses(
    model: LlamaForCausalLM, ids: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return next-token cross-entropy and correctness, each of shape (b, t - 1)."""
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
    targets = ids[:, 1:]
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return loss, logits.argmax(-1) == targets


@torch.no_grad()
def evaluate(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, items: list[PydocItem]
) -> tuple[float, float]:
    """Return answer loss and teacher-forced answer accuracy on held-out items.

    The answer is the reference: the leading half of the document.
    """
    ids, mask, weight = encode([(i.prompt, i.reference) for i in items], tokenizer)
    loss, right = token_losses(model, ids, mask)
    answer = weight[:, 1:] == 1.0
    return loss[answer].mean().item(), right[answer].float().mean().item()


def train(
    model: LlamaForCausalLM,
    stream: Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    settings: TrainSettings,
    report: Callable[[int, float], None],
) -> None:
    """Run the optimiser over the stream.

    Muon moves the inner matrices, AdamW the rest, with linear warm-up and decay.
    """
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    inner_ids = {id(p) for p in inner}
    rest = [p for p in model.parameters() if id(p) not in inner_ids]
    optimizers = [
        torch.optim.Muon(inner, lr=settings.lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=settings.lr, weight_decay=0.0, betas=(0.9, 0.95)),
    ]
    warmup, decay = 50, max(1, int(0.4 * settings.steps))
    for step, (ids, mask, weight) in enumerate(stream):
        scale = min(1.0, (step + 1) / warmup, (settings.steps - step) / decay)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = settings.lr * scale
            optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, _ = token_losses(model, ids, mask)
        weighted = (loss * weight[:, 1:]).sum() / weight[:, 1:].sum()
        if not math.isfinite(weighted.item()):
            raise FloatingPointError(f"the loss is {weighted.item()} at step {step}: lower --lr")
        weighted.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        report(step, weighted.item())


def corpus(packages: list[str]) -> tuple[list[PydocItem], list[PydocItem]]:
    """Return (train, eval) items of the task, train widened by the docstrings of `packages`."""
    task = pydoc_items()
    train_items = [i for i in task if i.split == "train"]
    eval_items = [i for i in task if i.split == "eval"]
    held_out = {i.document for i in eval_items}
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(
                f"--packages names {name!r}, which is not installed: install it or leave it out"
            )
        found = items_from_docs(package_docs(Path(spec.submodule_search_locations[0])))
        train_items.extend(i for i in found if i.document not in held_out)
    return train_items, eval_items


def main() -> None:
    """Parse the command line, train, and save a transformers folder in half precision."""
    args = _arguments()
    settings = TrainSettings(steps=args.steps, synthetic_start=args.synthetic)
    torch.manual_seed(settings.seed)
    train_items, eval_items = corpus(args.packages)
    tokenizer, model = _start(args.init, train_items)
    started = time.monotonic()
    print(f"{len(train_items)} texts, {model.num_parameters():,} parameters", flush=True)

    def save() -> None:
        LlamaForCausalLM.from_pretrained(
            None, config=model.config, state_dict=model.state_dict()
        ).half().save_pretrained(args.out)
        tokenizer.save_pretrained(args.out)

    def report(step: int, loss: float) -> None:
        if step % 50 == 0 or step == settings.steps - 1:
            model.eval()
            held, right = evaluate(model, tokenizer, eval_items[:64])
            model.train()
            row = {
                "step": step,
                "loss": loss,
                "eval_loss": held,
                "eval_accuracy": right,
                "s": time.monotonic() - started,
            }
            print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)
        if step and step % 500 == 0:
            save()

    train(model, batches(train_items, tokenizer, settings), settings, report)
    save()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the weights and the tokenizer"
    )
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--init", type=Path, help="folder of an earlier run to go on from")
    parser.add_argument(
        "--synthetic", type=float, default=0.9, help="share of synthetic batches at the start"
    )
    parser.add_argument(
        "--packages", nargs="*", default=["torch", "numpy"], help="whose docstrings to add"
    )
    return parser.parse_args()


def _start(
    init: Path | None, items: list[PydocItem]
) -> tuple[PreTrainedTokenizerFast, LlamaForCausalLM]:
    """Return an earlier run's tokenizer and model, or a new tokenizer and an untrained model."""
    if init is None:
        tokenizer = train_tokenizer([i.prompt for i in items])
        return tokenizer, new_model(tokenizer)
    model = LlamaForCausalLM.from_pretrained(init, dtype=torch.float32, attn_implementation="eager")
    model.train()
    return PreTrainedTokenizerFast.from_pretrained(init), model


if __name__ == "__main__":
    main()
