"""Resources that a worker shares with its objectives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Numbers of tokens of some texts, by the base model's tokenizer."""


@dataclass(frozen=True)
class ObjectiveContext:
    """Resources that a worker shares with its objectives.

    Args:
        count_tokens: None when no tokenizer is loaded.
        device: Where reward models run.
    """

    count_tokens: TokenCounter | None = None
    device: str = "cpu"
