"""What led to an error."""

from __future__ import annotations

from collections.abc import Iterator


def chain_of(error: BaseException, *, hidden: bool = False) -> Iterator[BaseException]:
    """Iterate over an error and all that led to it, each once, the error itself first.

    An error may lead to itself: whoever raises one again while it handles another can make a ring.

    Args:
        error: Where to begin.
        hidden: Whether what `raise … from None` hides counts too.
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
        # a task's error of Ray, and a URL's, hold what happened; a group holds several
        held = [getattr(each, "cause", None), getattr(each, "reason", None), before]
        held += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting.extend(e for e in held if isinstance(e, BaseException))
