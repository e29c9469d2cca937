"""The embedded task as a source: questions about Python's own documentation."""

from __future__ import annotations

from collections.abc import Iterable

from paretoflow.core.protocols import Prompt
from paretoflow.data.prompts import Pools, RenderChat, new_prompt
from paretoflow.embedded.pydoc import PydocItem, pydoc_items
from paretoflow.spec.data import PydocDataSpec


def read(spec: PydocDataSpec, render_chat: RenderChat | None) -> Pools:
    """Return the task's own train and eval splits.

    Its prompts are plain for every model, so `render_chat` is not used. The passages are the
    document's sentences; `extra` holds the `symbol` and the `question`.
    """
    items = pydoc_items()
    return Pools(
        "the embedded task",
        train=tuple(_prompts(i for i in items if i.split == "train")),
        eval=tuple(_prompts(i for i in items if i.split == "eval")),
    )


def _prompts(items: Iterable[PydocItem]) -> Iterable[Prompt]:
    for item in items:
        yield new_prompt(
            item.prompt,
            reference=item.reference,
            passages=item.sentences,
            extra={"symbol": item.symbol, "question": item.question},
        )
