"""The README of a front exported for vLLM."""

from __future__ import annotations

import json
import shlex
from typing import Any

from paretoflow.core.views import SweepView
from paretoflow.exporters.asking import Asking, asking_of
from paretoflow.exporters.base_model import BaseKind, BaseModel, base_of, check_lines
from paretoflow.exporters.card import (
    changes_lines,
    doubt_lines,
    hypervolume_line,
    points_table,
)
from paretoflow.exporters.confirmed_card import confirmed_lines
from paretoflow.exporters.routing import RULE


def vllm_card(
    view: SweepView, command: str, routing: dict[str, Any], base: BaseModel | None = None
) -> str:
    """Return a Markdown text: how to serve the front, how to route to it, and its points.

    Args:
        view: The sweep.
        command: The command that serves the front.
        routing: The routing table as plain values.
        base: Base of the adapters; by default the spec's.
    """
    front = view.front
    base = base or base_of(view)
    asking = asking_of(view.spec)
    return "\n".join(
        [
            f"# {front.sweep}, for vLLM",
            "",
            f"{len(front.points)} points of a Pareto front: one base model and its LoRA adapters, "
            "served together. Needs `pip install vllm` and usually a GPU.",
            "",
            "**vLLM was not run on this folder when it was written.** The options are those of its "
            "documentation on LoRA adapters; the adapters are ordinary PEFT folders, of one rank "
            "and one scale each, since vLLM reads no others.",
            "",
            *_serve(command, base),
            *_route(routing, asking),
            "## Points",
            "",
            "![The front](front.png)",
            "",
            *points_table(front),
            "",
            hypervolume_line(front),
            "",
            *doubt_lines(front),
            *confirmed_lines(view.confirmation),
            *changes_lines(view),
            "## Check",
            "",
            "`paretoflow verify .` checks the SHA-256 of every file and recomputes the front.",
            "",
        ]
    )


def _serve(command: str, base: BaseModel) -> list[str]:
    return [
        "## Serve",
        "",
        *check_lines(base),
        *_merge(base),
        "`./serve.sh`, or in this folder:",
        "",
        "```console",
        command,
        "```",
        "",
        "`./serve.sh --max-loras 2` puts fewer adapters into a batch, and takes less memory; "
        "further options of vLLM work the same.",
        *(["The embedded base is in `base/`, whole."] if base.kind is BaseKind.EMBEDDED else []),
        "",
    ]


def _merge(base: BaseModel) -> list[str]:
    if not base.start:
        return []
    return [
        "The runs were trained on the base with `start_adapter/` merged into it. "
        "`python merge_base.py FOLDER` writes that model (with transformers and PEFT); then "
        "`export MERGED_BASE=FOLDER`.",
        "",
    ]


def _route(routing: dict[str, Any], asking: Asking) -> list[str]:
    middle = routing["table"][len(routing["table"]) // 2]
    path, request = _request(routing, middle, asking)
    return [
        "## Route",
        "",
        f"`routing.json` and `routing.parquet` say which model to ask for which preference, in "
        f"steps of {routing['step']:g}. {RULE}",
        "",
        f"For {_preference(routing, middle['prefer'])}:",
        "",
        "```console",
        f"curl http://localhost:8000/v1/{path} -H 'Content-Type: application/json' \\",
        f"  -d {shlex.quote(json.dumps(request, ensure_ascii=False))}",
        "```",
        "",
        *_form(routing, asking),
        f"`{routing['base_model']}` is the base without an adapter.",
        "",
    ]


def _form(routing: dict[str, Any], asking: Asking) -> list[str]:
    """Return lines on the form of prompts, so that a server sees the same tokens as in scoring."""
    stripped = "White space at both ends of an answer is left out before it is scored."
    if asking.chat:
        return [f"Prompts are chats, rendered by the base's own template. {stripped}", ""]
    known = routing.get("prompt_marks", {})
    before = known.get("before")
    marks = (
        f"Begin each with `{before}`: the tokenizer would put a mark behind the prompt, and "
        "`add_special_tokens` is off for that."
        if before
        else "The tokenizer puts what it needs before them (`add_special_tokens`)."
    )
    if not known.get("known", True):
        marks += (
            " It was not at hand when this was written: if it puts a mark behind texts too, send "
            "token ids without that one."
        )
    return [
        f"Prompts are plain text, no chats; what is in braces comes from a row. {marks} {stripped}",
        "",
        "```text",
        asking.template,
        "```",
        "",
    ]


def _request(
    routing: dict[str, Any], row: dict[str, Any], asking: Asking
) -> tuple[str, dict[str, Any]]:
    """Return the endpoint and the body of a request for a row.

    Words before the last line go into rendered text: a chat request could not place them.
    """
    said = {**routing.get("request", {}), **row.get("request", {})}
    words = row.get("condition", {}).get("prefix")
    model = {"model": row["model"]}
    if words is None and asking.chat:
        return "chat/completions", {**model, "messages": [{"role": "user", "content": "…"}], **said}
    before = routing.get("prompt_marks", {}).get("before") or ""
    if asking.chat:  # its rendered text has every mark
        said = {**said, "add_special_tokens": False}
        said.pop("chat_template_kwargs", None)
    if words is None:
        return "completions", {**model, "prompt": f"{before}{asking.template}", **said}
    return "completions", {**model, "prompt": f"{before}…\n{words}…", **said}


def _preference(routing: dict[str, Any], prefer: list[float]) -> str:
    pairs = zip(routing["objectives"], prefer, strict=True)
    return ", ".join(f"{objective['name']} {weight:g}" for objective, weight in pairs)
