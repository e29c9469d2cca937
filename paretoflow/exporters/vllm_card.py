"""The README of a front that is laid out for vLLM."""

from __future__ import annotations

import json
import shlex
from typing import Any

from paretoflow.core.views import SweepView
from paretoflow.exporters.card import hypervolume_line, points_table
from paretoflow.exporters.routing import RULE


def vllm_card(view: SweepView, command: str, routing: dict[str, Any]) -> str:
    """Return a Markdown text: how to serve the front, how to route to it, and its points.

    Args:
        view: What is exported.
        command: The command that serves it.
        routing: The routing table as plain values.
    """
    front = view.front
    return "\n".join(
        [
            f"# {front.sweep}, for vLLM",
            "",
            f"{len(front.points)} points of a Pareto front: one base model and its LoRA adapters, "
            "served together. Needs `pip install vllm` and usually a GPU.",
            "",
            "**vLLM was not run on this folder when it was written.** The options are those of its "
            "documentation on LoRA adapters; the adapters are ordinary PEFT folders.",
            "",
            *_serve(command, copied=view.spec["model"]["type"] == "embedded"),
            *_route(routing),
            "## Points",
            "",
            "![The front](front.png)",
            "",
            *points_table(front),
            "",
            hypervolume_line(front),
            "",
            "## Check",
            "",
            "`paretoflow verify .` checks the SHA-256 of every file and recomputes the front.",
            "",
        ]
    )


def _serve(command: str, *, copied: bool) -> list[str]:
    return [
        "## Serve",
        "",
        "`./serve.sh`, or in this folder:",
        "",
        "```console",
        command,
        "```",
        "",
        "`./serve.sh --max-loras 2` puts fewer adapters into a batch, and takes less memory; "
        "further options of vLLM work the same.",
        *(["The embedded base is in `base/`, whole."] if copied else []),
        "",
    ]


def _route(routing: dict[str, Any]) -> list[str]:
    middle = routing["table"][len(routing["table"]) // 2]
    path, request = _request(middle)
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
        f"`{routing['base_model']}` is the base without an adapter.",
        "",
    ]


def _request(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return where a request for a row goes, and what it says.

    Words before the last line go into rendered text: a chat request could not place them.
    """
    condition = row.get("condition", {})
    drawn = {key: condition[key] for key in ("temperature", "top_p") if key in condition}
    words = condition.get("prefix")
    if words is None:
        message = {"role": "user", "content": "…"}
        return "chat/completions", {"model": row["model"], "messages": [message], **drawn}
    return "completions", {"model": row["model"], "prompt": f"…\n{words}…", **drawn}


def _preference(routing: dict[str, Any], prefer: list[float]) -> str:
    pairs = zip(routing["objectives"], prefer, strict=True)
    return ", ".join(f"{objective['name']} {weight:g}" for objective, weight in pairs)
