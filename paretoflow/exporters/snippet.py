"""Python code that answers a prompt as in scoring, with transformers and PEFT alone."""

from __future__ import annotations

import json
from string import Formatter
from typing import Any

from paretoflow.core.conditions import asking_lines
from paretoflow.core.front_point import FrontPoint
from paretoflow.exporters.asking import Asking
from paretoflow.exporters.base_model import BaseModel, base_lines, merge_lines


def usage_lines(
    base: BaseModel, adapter: str, asking: Asking, point: FrontPoint, subfolder: str = ""
) -> list[str]:
    """Return Python lines that load an adapter on its base and prompt it as in scoring.

    Args:
        base: The base.
        adapter: Path of the adapter's folder, or its repository.
        asking: See `asking_of`.
        point: Point to load.
        subfolder: Folder of the adapter in its repository.
    """
    inside = f", subfolder={json.dumps(subfolder)}" if subfolder else ""
    return [
        "import torch",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig",
        *base_lines(base),
        *_start_lines(base, adapter, subfolder),
        f"model = PeftModel.from_pretrained(base, {json.dumps(adapter)}{inside}).eval()",
        "",
        *_prompt_lines(asking),
        *asking_lines(point.condition, bos="tokenizer.bos_token"),
        *_token_lines(asking),
        *_answer_lines(asking),
    ]


def _start_lines(base: BaseModel, adapter: str, subfolder: str) -> list[str]:
    if not base.start:
        return []
    if subfolder:  # in the same repository
        return merge_lines(f"{json.dumps(adapter)}, subfolder={json.dumps(base.start)}")
    return merge_lines(json.dumps(base.start))


def _prompt_lines(asking: Asking) -> list[str]:
    if asking.chat:
        further = "".join(f", {name}={value!r}" for name, value in asking.chat_args.items())
        return [
            'messages = [{"role": "user", "content": "…"}]',
            "prompt = tokenizer.apply_chat_template(",
            f"    messages, tokenize=False, add_generation_prompt=True{further}",
            ")",
        ]
    columns = [name for _, name, _, _ in Formatter().parse(asking.template) if name]
    filled = json.dumps(dict.fromkeys(columns, "…"), ensure_ascii=False)
    template = json.dumps(asking.template, ensure_ascii=False)
    return [f"prompt = {template}.format(", f"    **{filled}", ")"]


def _token_lines(asking: Asking) -> list[str]:
    """Return lines that make the same tokens as in scoring: no marks after a plain text."""
    if asking.chat:
        return ["ids = tokenizer(prompt, add_special_tokens=False)['input_ids']"]
    return [
        "bos = tokenizer.bos_token",
        "marked = not (bos and prompt.lstrip().startswith(bos))",
        "ids = tokenizer(prompt, add_special_tokens=marked)['input_ids']",
        "a, marked_a = (tokenizer('a', add_special_tokens=s)['input_ids'] for s in (False, True))",
        "behind = len(marked_a) - marked_a.index(a[0]) - len(a)  # no answer follows these",
        "ids = ids[: len(ids) - behind * marked]",
    ]


def _answer_lines(asking: Asking) -> list[str]:
    stops = [f"for stop in {list(asking.stop)!r}:", "    text = text.split(stop)[0]"]
    stopping: dict[str, Any] = {}
    further = ", tokenizer=tokenizer" if asking.stop else ""
    if asking.stop:
        stopping = {"stop_strings": list(asking.stop)}
    drawn = (
        {"do_sample": False}
        if asking.temperature == 0
        else {
            "do_sample": True,
            "temperature": asking.temperature,
            "top_p": asking.top_p,
            "top_k": 0,
        }
    )
    options = {**drawn, "max_new_tokens": asking.max_new_tokens, **stopping}
    told = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return [
        "ends = model.generation_config.eos_token_id",
        "ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}",
        "model.generation_config = GenerationConfig(",
        f"    {told},",
        "    eos_token_id=sorted(ends), pad_token_id=tokenizer.eos_token_id,",
        ")",
        "ids = torch.tensor([ids])",
        f"out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids){further})",
        "text = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)",
        *(stops if asking.stop else []),
        "print(text.strip())",
    ]
