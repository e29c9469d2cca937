"""Prompts and sampling of the scored answers, so that another program can reproduce them.

A prompt is plain text or a chat, continued at the sweep's temperature, top_p and length. A plain
text has the tokenizer's marks before it and none after it, since an answer follows. A chat's
template adds all marks itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paretoflow.core.front_point import FrontPoint
from paretoflow.embedded.pydoc import format_prompt

SEEDS = (
    "each prompt had noise of its own, from the sweep's seed: other draws come from the same "
    "distribution, and only at temperature 0 are they the same texts, to rounding"
)


@dataclass(frozen=True)
class Asking:
    """Form of the prompts, and sampling of the answers.

    Args:
        chat: Whether prompts are chats, rendered by the base's template.
        template: A plain prompt with `{column}` for a value of the row; empty for a chat.
        chat_args: Arguments of the chat template.
        temperature, top_p, max_new_tokens, stop: Options of the sampling.
    """

    chat: bool
    template: str
    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    chat_args: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        form = {"form": "chat", "template_arguments": dict(self.chat_args)}
        plain = {"form": "plain", "template": self.template}
        return {
            "prompt": form if self.chat else plain,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": None,
            "max_new_tokens": self.max_new_tokens,
            "stop": list(self.stop),
            "seeds": SEEDS,
        }


def asking_of(spec: Mapping[str, Any], point: FrontPoint | None = None) -> Asking:
    """Return the prompts and sampling of a sweep.

    Args:
        spec: Resolved spec as plain values; missing values have their defaults.
        point: Point whose own temperature and top_p apply, if its launch or condition sets them.
    """
    from paretoflow.spec.models import GenerationSpec

    given = dict(spec["model"].get("generation") or {})
    known = {name: given[name] for name in given if name in GenerationSpec.model_fields}
    drawn = GenerationSpec.model_validate(known).model_dump()
    if point is not None:
        own = dict(point.settings) | dict(point.condition or {})
        drawn |= {name: own[name] for name in ("temperature", "top_p") if name in own}
    columns = spec["data"].get("columns") or {}
    chat = bool(columns.get("messages") or columns.get("dialogue"))
    return Asking(
        chat,
        "" if chat else _template(spec["data"], columns),
        float(drawn["temperature"]),
        float(drawn["top_p"]),
        int(drawn["max_new_tokens"]),
        tuple(given.get("stop") or ()),
        dict(spec["model"].get("chat_template_kwargs") or {}),
    )


def _template(data: Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    if data["type"] == "pydoc":
        return format_prompt("{document}", "{question}")
    column = str(columns.get("prompt") or "prompt")
    return str(data.get("template") or f"{{{column}}}")


@dataclass(frozen=True)
class Marks:
    """Marks before a plain text that give the same tokens as were scored.

    Args:
        special: Whether the tokenizer adds its own marks; False if it would add some at the end.
        before: Text to put at the beginning instead.
        known: Whether the tokenizer was inspected; else it is assumed to add none at the end.
    """

    special: bool = True
    before: str = ""
    known: bool = True


def marks_of(tokenizer: Any) -> Marks:
    """Return the marks of a tokenizer. By hand: `<s> a b </s>` needs `<s>` as text, and no more."""
    text = "a b"
    whole, plain = (tokenizer(text, add_special_tokens=s)["input_ids"] for s in (True, False))
    starts = [i for i in range(len(whole)) if whole[i : i + len(plain)] == plain]
    if not starts or starts[0] + len(plain) == len(whole):
        return Marks()
    return Marks(special=False, before=str(tokenizer.decode(whole[: starts[0]])))
