"""The user's own function, or one of TRL's reward functions, by import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from paretoflow.core.errors import ObjectiveError, PluginError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.convention import convention_of
from paretoflow.objectives.sources import source_files
from paretoflow.objectives.trl_call import TrlCall
from paretoflow.spec.objectives import ImportObjectiveSpec


class ImportObjective:
    """Calls a function by its convention (see `convention`); it returns one number per answer.

    By default that is `f(prompts, completions, **kwargs)` with lists of equal length:
    `core.protocols.Prompt` and str. The caller checks the result and handles exceptions.

    Raises:
        PluginError: If the path names no module, or nothing callable in it.

    Attributes:
        files: SHA-256 of each of its source files; see `sources`.
        digest: SHA-256 over all of them; empty where there is no source.
    """

    def __init__(self, spec: ImportObjectiveSpec, context: ObjectiveContext) -> None:
        self._spec = spec
        self._call = _call(spec, context)
        self.files = source_files(spec.path.split(":")[0])
        self.digest = digest_of(self.files) if self.files else ""

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the function's numbers, shape (b,) if the function keeps its contract.

        Raises:
            ObjectiveError: If the function returns None for an answer and `on_none` is error, or
                needs an argument that there is not.
        """
        scores = self._call(list(prompts), list(completions))
        if isinstance(scores, list | tuple):
            scores = [self._number(i, score, prompts) for i, score in enumerate(scores)]
        elif scores is None:
            self._refuse("None instead of a list")
        return np.asarray(scores, dtype=np.float64)

    def _number(self, row: int, score: Any, prompts: Sequence[Prompt]) -> Any:
        if score is not None:
            return score
        if self._spec.on_none == "error":
            prompt = f", prompt {prompts[row].prompt_id}" if row < len(prompts) else ""
            self._refuse(f"None for row {row}{prompt}")
        return self._spec.on_none

    def _refuse(self, what: str) -> NoReturn:
        raise ObjectiveError(
            f"{self._spec.path} returned {what}; allowed: one number for each answer",
            f"objective {self._spec.name}",
            "set on_none to the score of an answer that the objective does not apply to",
            code="objective-none",
        )


def _call(spec: ImportObjectiveSpec, context: ObjectiveContext) -> Callable[..., Any]:
    """Return what is called with prompts and answers, by position."""
    function = _function(spec.path, f"objective {spec.name}")
    if convention_of(spec, function) == "trl":
        return TrlCall(function, spec, context.token_ids)
    return partial(function, **spec.kwargs)


def _function(path: str, where: str) -> Callable[..., Any]:
    module_name, name = path.split(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        hint = f"it is looked for in {here} and among the installed packages"
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and missing.split(".")[0] != module_name.split(".")[0]:
            hint = f"install {missing}, which it imports, where the sweep runs"
        raise PluginError(
            f"cannot import {module_name!r}: {error}", where, hint, code="plugin-import"
        ) from error
    function = getattr(module, name, None)
    if function is None:
        own = sorted(n for n, value in vars(module).items() if callable(value) and n[0] != "_")
        hint = f"it defines {', '.join(own[:10])}" if own else "it defines no function"
        raise PluginError(
            f"module {module_name!r} has no {name!r}", where, hint, code="plugin-import"
        )
    if not callable(function):
        what = f"{path} is a {type(function).__name__}, not a function"
        raise PluginError(
            what, where, "name a function f(prompts, completions)", code="plugin-import"
        )
    result: Callable[..., Any] = function
    return result
