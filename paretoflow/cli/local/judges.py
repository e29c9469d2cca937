"""The endpoints of judges: library, key, and whether they answer, before anything is spent."""

from __future__ import annotations

import http.client
import importlib.util
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from paretoflow.core.errors import ParetoflowError
from paretoflow.core.shown import HIDDEN, first_line
from paretoflow.objectives.judge_client import key_of
from paretoflow.spec.objectives import JudgeObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

WAIT_S = 10.0
"""Longest wait for an endpoint."""
_REFUSED = (401, 403)


class _SamePlace(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it could carry the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


def judge_findings(path: KeyPath, judge: JudgeObjectiveSpec) -> Iterator[Fault | str]:
    """Yield the faults of a judge, and what was not checked.

    The endpoint is asked for its list of models, which costs nothing.
    """
    if importlib.util.find_spec("openai") is None:
        what = f"objective {judge.name} needs openai, which is not installed"
        hint = "pip install 'paretoflow[judge]'"
        yield Fault((*path, "type"), what, hint, code="missing-extra")
        return
    try:
        key = key_of(judge)
    except ParetoflowError as error:
        yield Fault((*path, "api_key_env"), error.what, error.hint, code=error.code)
        return
    yield from _answer(path, judge, key)


def _answer(path: KeyPath, judge: JudgeObjectiveSpec, key: str) -> Iterator[Fault | str]:
    address = f"{judge.base_url.rstrip('/')}/models"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.build_opener(_SamePlace).open(request, timeout=WAIT_S) as answer:
            names = _names(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _REFUSED:
            variable = judge.api_key_env or "none: set api_key_env"
            what = f"{judge.base_url} refuses the key ({variable}) with HTTP status {error.code}"
            yield Fault((*path, "api_key_env"), what, "correct the key", code="plugin-judge-key")
        else:
            yield f"{judge.name}: {judge.base_url} does not list its models (HTTP {error.code})"
        return
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None)  # of a URLError, whose own text has brackets
        cause = first_line(reason if isinstance(reason, Exception) else error).replace(key, HIDDEN)
        what = f"{judge.base_url} does not answer: {cause}"
        hint = "start it, or correct base_url; it was asked for its list of models"
        yield Fault((*path, "base_url"), what, hint, code="plugin-judge-away")
        return
    if names and judge.model not in names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        yield f"{judge.name}: {judge.base_url} does not list {judge.model}; it lists {shown}"


def _names(body: bytes) -> list[str]:
    """Return the models in an endpoint's list; none where it has another form."""
    try:
        return sorted(str(model["id"]) for model in json.loads(body)["data"])
    except (ValueError, LookupError, TypeError):
        return []
