"""A reward function called as TRL's trainers call it.

Every argument goes by keyword: `prompts`, `completions`, `completion_ids` and each column of the
data as a list with one value for each answer. In a chat, a prompt is its list of messages and a
completion a list of one message, `[{"role": "assistant", "content": ...}]`; otherwise both are
strings. A function whose `completions` are annotated as lists of lists, as those of `trl.rewards`,
gets messages in any case.

References:
    TRL 1.16, `GRPOTrainer._calculate_rewards` and "Using a custom reward function". Departures: (1)
    only arguments that the function takes are passed, so it needs no `**kwargs`; (2)
    `completion_ids` are those of the answer's text, without an end-of-text token; (3) there are no
    `trainer_state`, `log_extra`, `log_metric` and `environments`, for an objective also scores
    outside of training.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from paretoflow.core.errors import ObjectiveError, PluginError
from paretoflow.core.protocols import Prompt
from paretoflow.objectives.context import TokenIds
from paretoflow.objectives.convention import GIVEN, parameters, takes_anything
from paretoflow.spec.objectives import ImportObjectiveSpec

_TRAINERS = {"trainer_state", "log_extra", "log_metric", "environments"}
_OWN_COLUMNS = ("reference", "passages")


class TrlCall:
    """One function, with the arguments that the spec sets.

    Args:
        function: The function, or a factory, which takes none of `prompts`, `completions` and
            `completion_ids` nor arguments of any name: it is called with the spec's `kwargs` and
            returns the function.
        spec: The objective.
        token_ids: Encodes answers; None without a tokenizer.

    Raises:
        PluginError: If a factory refuses its arguments, or returns nothing that can be called.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        spec: ImportObjectiveSpec,
        token_ids: TokenIds | None,
    ) -> None:
        self._where, self._path = f"objective {spec.name}", spec.path
        self._kwargs, self._columns = dict(spec.kwargs), dict(spec.columns)
        if _is_factory(function):
            function, self._kwargs = self._made(function), {}
        self._function, self._token_ids = function, token_ids
        self._takes = parameters(function)
        self._takes_anything = takes_anything(function)
        self._in_messages = "completions" in self._takes and _is_nested(self._takes["completions"])

    def _made(self, factory: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made = factory(**self._kwargs)
        except Exception as error:  # user code may raise anything
            takes = ", ".join(parameters(factory)) or "none"
            what = f"{self._path} raised {type(error).__name__}: {error}"
            hint = f"its arguments, set under kwargs, are: {takes}"
            raise PluginError(what, self._where, hint, code="plugin-import") from error
        if not callable(made):
            what = f"{self._path} returned a {type(made).__name__}, not a function"
            hint = f"a reward function takes some of {', '.join(GIVEN)}"
            raise PluginError(what, self._where, hint, code="plugin-import")
        called: Callable[..., Any] = made
        return called

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Any:
        """Return the function's result; an asynchronous function is awaited.

        Raises:
            ObjectiveError: If the function needs an argument that there is not.
        """
        result = self._function(**self._arguments(prompts, completions))
        return _awaited(result) if inspect.isawaitable(result) else result

    def _arguments(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> dict[str, Any]:
        given: dict[str, Any] = _columns(prompts)
        given |= {new: given[old] for new, old in self._columns.items() if old in given}
        columns = sorted(set(given))
        given["prompts"] = [_turns(p) or p.text for p in prompts]
        given["completions"] = [
            [{"role": "assistant", "content": text}] if self._in_messages or p.messages else text
            for p, text in zip(prompts, completions, strict=True)
        ]
        wanted = self._takes_anything or "completion_ids" in self._takes
        if wanted and self._token_ids is not None:
            given["completion_ids"] = self._token_ids(completions)
        given |= self._kwargs
        self._require(given, columns)
        if self._takes_anything:
            return given
        return {name: value for name, value in given.items() if name in self._takes}

    def _require(self, given: dict[str, Any], columns: Sequence[str]) -> None:
        """Refuse a call that lacks an argument, or has one in `kwargs` that is not taken."""
        kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        needed = [n for n, p in self._takes.items() if p.default is p.empty and p.kind not in kinds]
        missing = [name for name in needed if name not in given]
        if missing:
            what = f"{self._path} needs {missing[0]!r}, which the data do not have; allowed: "
            what += ", ".join([*GIVEN, *columns])
            hint = f"add such a column, or name the one to use: `columns: {{{missing[0]}: ...}}`"
            if missing[0] in _TRAINERS:
                hint = "only TRL's own trainers have it; give the parameter a default"
            raise ObjectiveError(what, self._where, hint, code="objective-argument")
        odd = [name for name in self._kwargs if name not in self._takes]
        if odd and not self._takes_anything:
            what = f"{self._path} takes no {odd[0]!r}; allowed: {', '.join(self._takes)}"
            raise ObjectiveError(
                what, self._where, "remove it from kwargs", code="objective-argument"
            )


def _columns(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """Return the data's columns as lists; None where a row lacks a column that another has."""
    names = dict.fromkeys(name for prompt in prompts for name in prompt.extra)
    found: dict[str, Any] = {name: [p.extra.get(name) for p in prompts] for name in names}
    for name in _OWN_COLUMNS:
        values = [getattr(prompt, name) for prompt in prompts]
        if any(values):
            found[name] = [list(v) if isinstance(v, tuple) else v for v in values]
    return found


def _turns(prompt: Prompt) -> list[dict[str, Any]]:
    return [dict(turn) for turn in prompt.messages]


def _is_factory(function: Callable[..., Any]) -> bool:
    return not takes_anything(function) and set(GIVEN).isdisjoint(parameters(function))


def _is_nested(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter is annotated as a list of lists."""
    plain = "".join(str(parameter.annotation).split()).lower().replace("typing.", "")
    return plain.startswith("list[list[")


def _awaited(result: Any) -> Any:
    async def wait() -> Any:
        return await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:  # the usual case: no loop runs in this thread
        return asyncio.run(wait())
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, wait()).result()
