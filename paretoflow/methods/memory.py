"""Out of memory: how to know it, and how much smaller a forward pass can be made."""

from __future__ import annotations

import sys

from paretoflow.spec.methods import MethodSpec

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


def next_factor(spec: MethodSpec, ranks: int, factor: int) -> int | None:
    """Return the next `accumulation_factor` after `factor` ran out of memory.

    The smallest that divides each rank's forward batch and at least halves it; None when a forward
    pass holds one example already, so that nothing smaller can be tried. By hand: batch_size 12 on
    one rank goes 1, 2, 4, 12, with forward batches of 12, 6, 3 and 1.
    """
    size = spec.batch_size // (ranks * spec.gradient_accumulation)
    larger = (n for n in range(2 * factor, size + 1) if size % n == 0)
    return next(larger, None)


def _kinds() -> tuple[type[BaseException], ...]:
    torch = sys.modules.get("torch")
    return (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
