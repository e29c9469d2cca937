"""Resources that a worker shares with its objectives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paretoflow.storage import Root

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Numbers of tokens of some texts, by the base model's tokenizer."""

TokenIds = Callable[[Sequence[str]], list[list[int]]]
"""Token ids of some texts, by the base model's tokenizer, without special tokens."""


@dataclass(frozen=True)
class ObjectiveContext:
    """Resources that a worker shares with its objectives.

    Args:
        count_tokens: None when no tokenizer is loaded.
        device: Where reward models run.
        token_ids: None when no tokenizer is loaded.
        root: The sweep's folder; None where there is none.
    """

    count_tokens: TokenCounter | None = None
    device: str = "cpu"
    token_ids: TokenIds | None = None
    root: Root | None = None
