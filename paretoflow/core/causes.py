"""The chain of exceptions that led to an error."""

from __future__ import annotations

from collections.abc import Iterator


def chain_of(error: BaseException, *, hidden: bool = False) -> Iterator[BaseException]:
    """Iterate over an error and its causes, each once, the error itself first.

    The chain may be a ring: code that raises an error again while handling another can make one.

    Args:
        error: The first error of the chain.
        hidden: Whether to include causes that `raise … from None` hides.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        shown = hidden or not each.__suppress_context__
        before = each.__cause__ or (each.__context__ if shown else None)
        # Ray's task errors and URL errors hold their cause in an attribute; a group holds several
        held = [getattr(each, "cause", None), getattr(each, "reason", None), before]
        held += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting.extend(e for e in held if isinstance(e, BaseException))
