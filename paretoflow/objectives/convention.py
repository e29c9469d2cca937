"""The two conventions by which a user's function is called, and the choice between them.

paretoflow: `f(prompts, completions, **kwargs)`, by position; prompts are `core.protocols.Prompt`.
trl: by keyword, as TRL's trainers call reward functions (`reward_funcs` of its GRPOTrainer); see
`trl_call`.

A function `f(prompts, completions, **kwargs)` fits both. It is called by position unless the spec
says `convention: trl`. Unset, only a function that does not fit the first is called by keyword.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paretoflow.spec.objectives import Convention, ImportObjectiveSpec

GIVEN = ("prompts", "completions", "completion_ids")
"""Arguments of every call by TRL's convention."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def convention_of(spec: ImportObjectiveSpec, function: Callable[..., Any]) -> Convention:
    """Return the convention of a function: as the spec says, else by package and signature."""
    if spec.convention is not None:
        return spec.convention
    if is_trl_path(spec.path) or is_async(function):
        return "trl"
    return by_signature(
        [p.name for p in parameters(function).values() if p.kind in _POSITIONAL],
        [p.name for p in parameters(function).values() if p.kind is p.KEYWORD_ONLY],
    )


def is_trl_path(path: str) -> bool:
    """Return whether a path names something of the package trl."""
    return path.partition(":")[0].partition(".")[0] == "trl"


def by_signature(positional: Sequence[str], by_keyword: Sequence[str]) -> Convention:
    """Return the convention that the names of a function's parameters tell.

    Args:
        positional: Parameters that can be given by position.
        by_keyword: Parameters that cannot.
    """
    begins = bool(positional) and positional[0] in GIVEN[1:]
    named = not {"prompts", "completions"}.isdisjoint(by_keyword)
    return "trl" if begins or named else "paretoflow"


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a function's parameters; none where it does not tell them."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return {}


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call returns a coroutine: `async def`, or an object with such a call."""
    called = vars(type(function)).get("__call__")
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def takes_anything(function: Callable[..., Any]) -> bool:
    """Return whether a function takes arguments of any name."""
    return any(p.kind is p.VAR_KEYWORD for p in parameters(function).values())
