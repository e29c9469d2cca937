"""The user's own function, by import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.errors import PluginError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.sources import source_files
from paretoflow.spec.objectives import ImportObjectiveSpec


class ImportObjective:
    """Calls `f(prompts, completions, **kwargs)`, which returns one number per answer.

    The function gets lists of equal length: `core.protocols.Prompt` and str. The caller checks its
    result and handles its exceptions.

    Raises:
        PluginError: If the path names no module, or nothing callable in it.

    Attributes:
        files: SHA-256 of each of its source files; see `sources`.
        digest: SHA-256 over all of them; empty where there is no source.
    """

    def __init__(self, spec: ImportObjectiveSpec, context: ObjectiveContext) -> None:
        self._function = _function(spec.path, f"objective {spec.name}")
        self._kwargs = dict(spec.kwargs)
        self.files = source_files(spec.path.split(":")[0])
        self.digest = digest_of(self.files) if self.files else ""

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the function's numbers, shape (b,) if the function keeps its contract."""
        scores = self._function(list(prompts), list(completions), **self._kwargs)
        return np.asarray(scores, dtype=np.float64)


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
