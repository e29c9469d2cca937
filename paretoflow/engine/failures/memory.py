"""Detection of errors that mean out of memory."""

from __future__ import annotations

import sys

from paretoflow.core.causes import chain_of

_WORDS = ("CUDA out of memory", "DefaultCPUAllocator: can't allocate", "not enough memory: you")


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an error, or one of its causes, means that memory ran out.

    Covers Python's and torch's own errors, and the plain RuntimeErrors of torch's CPU allocator and
    of its older CUDA versions. Does not load torch: where it is not loaded, it raised nothing.
    """
    return any(
        isinstance(each, _kinds())
        or (isinstance(each, RuntimeError) and any(words in str(each) for words in _WORDS))
        for each in chain_of(error, hidden=True)
    )


def _kinds() -> tuple[type[BaseException], ...]:
    torch = sys.modules.get("torch")
    return (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
