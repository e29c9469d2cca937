"""A trainer of one's own, for jobs/command.yaml: DPO in plain torch and peft.

It reads the request that ParetoFlow wrote, trains an adapter towards the weights in it, and writes
where the adapter is. Stopped half-way it saves its state, and goes on from there the next time.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer

BETA = 0.3
Pair = tuple[str, str, str]


def main(file: str) -> None:
    """Train what the request in a file asks for."""
    request = json.loads(Path(file).read_text())
    knobs, output = request["method"], Path(request["output"])
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    torch.manual_seed(request["seed"])
    tokenizer = AutoTokenizer.from_pretrained(request["base"]["path"])
    model, pairs = adapted(request), ranked_pairs(request)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=knobs["learning_rate"], weight_decay=0.0)
    step, tokens, checkpoints = 0, 0, []
    if request["resume_from"] and (output / "state.pt").exists():
        step, tokens, checkpoints, moments, values = torch.load(output / "state.pt")
        optimizer.load_state_dict(moments)
        for parameter, value in zip(trained, values, strict=True):
            parameter.data.copy_(value)
    while step < knobs["steps"] and not stopped:
        step += 1
        loss = 0.0
        draws = random.Random(f"{request['seed']}/{step}")
        for pair in draws.choices(pairs, k=knobs["batch_size"]):
            part, read = dpo_loss(model, tokenizer, pair)
            (part / knobs["batch_size"]).backward()
            loss, tokens = loss + part.item() / knobs["batch_size"], tokens + read
        torch.nn.utils.clip_grad_norm_(trained, knobs["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad()
        with Path(request["curve"]).open("a") as curve:
            curve.write(json.dumps({"step": step, "loss": loss}) + "\n")
        if step == knobs["steps"] or step % (knobs["checkpoint_every"] or step + 1) == 0:
            model.save_pretrained(str(output / f"step-{step}"), save_embedding_layers=False)
            done = {"step": step, "folder": f"step-{step}", "tokens": tokens}
            checkpoints.append({**done, "metrics": {"loss": loss}})
            tokens = 0
    if step < knobs["steps"]:
        values = [p.detach() for p in trained]
        state = (step, tokens, checkpoints, optimizer.state_dict(), values)
        torch.save(state, output / "new.pt")
        (output / "new.pt").replace(output / "state.pt")  # whole or not at all
    else:
        Path(request["result"]).write_text(json.dumps({"checkpoints": checkpoints}))


def adapted(request: dict[str, Any]) -> Any:
    """Return the base with the parent's adapter on it, or with a new one."""
    base, lora = request["base"], request["lora"]
    model = AutoModelForCausalLM.from_pretrained(base["path"], dtype=getattr(torch, base["dtype"]))
    model.to(base["device"])
    if request["parent_adapter"]:
        return PeftModel.from_pretrained(model, request["parent_adapter"], is_trainable=True)
    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        target_modules=lora["targets"],
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def ranked_pairs(request: dict[str, Any]) -> list[Pair]:
    """Return (prompt, best, worst) of the base's answers, by weighted standardised scores."""
    pairs = []
    for line in Path(request["candidates"]).read_text().splitlines():
        row = json.loads(line)
        answers = row["completions"]
        totals = [0.0] * len(answers)
        for objective in request["objectives"]:
            factor = request["weights"][objective["name"]] / objective["std"]
            factor *= 1 if objective["direction"] == "maximize" else -1
            for k, score in enumerate(row["scores"][objective["name"]]):
                totals[k] += factor * (score - objective["mean"])
        worst, *_, best = sorted(range(len(answers)), key=totals.__getitem__)
        pairs.append((row["prompt"], answers[best], answers[worst]))
    return pairs


def dpo_loss(model: Any, tokenizer: Any, pair: Pair) -> tuple[torch.Tensor, int]:
    """Return the loss of one pair, with the base as the reference, and the tokens read."""
    prompt, *answers = pair
    start = tokenizer(prompt)["input_ids"]
    if start[-1] == tokenizer.eos_token_id:  # some tokenizers end every text with it
        start.pop()
    margin, read = torch.zeros(()), 0
    for sign, answer in zip((1, -1), answers, strict=True):
        ids = tokenizer(answer, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        tokens = torch.tensor([start + ids], device=model.device)
        with torch.no_grad(), model.disable_adapter():
            before = logprob(model, tokens, len(ids))
        margin = margin + sign * (logprob(model, tokens, len(ids)) - before)
        read += tokens.numel()
    return -logsigmoid(BETA * margin), read


def logprob(model: Any, tokens: torch.Tensor, length: int) -> torch.Tensor:
    """Return the log-probability of the last `length` tokens."""
    every = model(tokens).logits[0, -length - 1 : -1].float().log_softmax(-1)
    return every.gather(1, tokens[0, -length:, None]).sum()


if __name__ == "__main__":
    main(sys.argv[1])
