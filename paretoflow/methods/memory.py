"""How to know that memory ran out."""

from __future__ import annotations

import sys

_WORDS = ("CUDA out of memory", "DefaultCPUAllocator: can't allocate", "not enough memory: you")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that memory ran out.

    Covers Python's and torch's own errors, and the plain RuntimeErrors of torch's CPU allocator and
    of its older CUDA versions. Loads no torch: where it is not loaded it raised nothing.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _kinds()):
            return True
        if isinstance(seen, RuntimeError) and any(words in str(seen) for words in _WORDS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _kinds() -> tuple[type[BaseException], ...]:
    torch = sys.modules.get("torch")
    return (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
