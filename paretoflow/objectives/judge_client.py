"""Requests to a judge's endpoint: concurrency is the caller's; rate, retries and secrets are here.

A request whose reply is lost, by a timeout or a broken connection, may be charged by the provider;
it is not counted here, for nobody reports its tokens.
"""

from __future__ import annotations

import email.utils
import os
import random
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from paretoflow.core.errors import MissingExtraError, ObjectiveError, PluginError
from paretoflow.core.shown import HIDDEN, first_line
from paretoflow.spec.objectives import JudgeObjectiveSpec

FIRST_WAIT_S = 1.0
"""Seconds before the first retry; the wait doubles with each further one."""
LONGEST_WAIT_S = 60.0
LONGEST_ASKED_S = 600.0
"""Longest wait that an endpoint may ask for."""
_AGAIN = {408, 409, 429}
_TOLD = 300


@dataclass(frozen=True)
class Reply:
    """One reply.

    Args:
        text: Its text; empty where there is none.
        tokens_in, tokens_out: Tokens of request and reply; None where they are not reported.
    """

    text: str
    tokens_in: int | None
    tokens_out: int | None


def key_of(spec: JudgeObjectiveSpec) -> str:
    """Return the key of a judge's endpoint.

    Raises:
        PluginError: If it is to be in the environment, and is not.
    """
    if spec.api_key_env is None:
        return "none"
    key = os.environ.get(spec.api_key_env, "").strip()
    if not key:
        what = f"the environment variable {spec.api_key_env} is not set; it holds the judge's key"
        hint = f"export {spec.api_key_env}=... where the command and its workers run"
        raise PluginError(what, f"objective {spec.name}", hint, code="plugin-judge-key")
    return key


class JudgeClient:
    """An endpoint with its model; threads may share it.

    Args:
        spec: The judge.

    Raises:
        MissingExtraError: If the library openai is not installed.
        PluginError: If the key is not in the environment.
    """

    def __init__(self, spec: JudgeObjectiveSpec) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError.of(f"objective {spec.name}", "openai", "judge") from error
        self._openai: Any = openai
        self._spec, self._key = spec, key_of(spec)
        self._client = openai.OpenAI(
            api_key=self._key, base_url=spec.base_url, timeout=spec.timeout_s, max_retries=0
        )
        weakref.finalize(self, self._client.close)  # its connections stay open until then
        self._rate = Rate(spec.requests_per_minute)

    def ask(self, messages: Sequence[dict[str, str]], stopping: Event) -> Reply:
        """Return the reply to a conversation, after retries where they can help.

        Args:
            messages: The conversation.
            stopping: Ends waiting for a retry, where the reply is no longer needed.

        Raises:
            ObjectiveError: If the endpoint refuses the request, or does not reply.
        """
        for number in range(self._spec.retries + 1):
            self._rate.wait()
            try:
                return _reply_of(
                    self._client.chat.completions.create(
                        model=self._spec.model, messages=list(messages), **self._spec.settings
                    )
                )
            except self._openai.OpenAIError as error:
                self._hide_key(error)
                if not self._can_help(error):
                    raise self._error("refused a request", error) from error
                last = number == self._spec.retries
                if last or stopping.wait(wait_s(number, _asked_s(error))):
                    tries = f"gave no answer to {number + 1} requests"
                    raise self._error(tries, error) from error
        raise AssertionError("the last try returns or raises")

    def _can_help(self, error: Exception) -> bool:
        if isinstance(error, self._openai.APIConnectionError):  # timeouts included
            return True
        if getattr(error, "code", None) == "insufficient_quota":
            return False
        status = getattr(error, "status_code", 0)
        return status in _AGAIN or status >= 500

    def _error(self, what: str, error: Exception) -> ObjectiveError:
        spec = self._spec
        told = f"{spec.model} at {spec.base_url} {what}: {type(error).__name__}: "
        hint = "judged answers are kept; repair the endpoint or the key, then run again"
        where = f"objective {spec.name}"
        return ObjectiveError(told + first_line(error)[:_TOLD], where, hint, code="objective-judge")

    def _hide_key(self, error: Exception) -> None:
        """Remove the key from an error: some endpoints repeat it, and errors are logged."""
        if self._spec.api_key_env is None:
            return
        clean = str(error).replace(self._key, HIDDEN)
        error.args = (clean,)
        for name in ("message", "body"):
            if hasattr(error, name):
                setattr(error, name, clean)


class Rate:
    """A maximum rate of requests: each begins at least an interval after the one before.

    Args:
        per_minute: None for no maximum.
        clock: Returns seconds.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        per_minute: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._every_s = 60 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next_s, self._lock = 0.0, Lock()

    def wait(self) -> None:
        """Return when the next request may begin.

        By hand: 30 a minute, three calls at 0 s: they return at 0, 2 and 4 s.
        """
        if not self._every_s:
            return
        with self._lock:
            now_s = self._clock()
            own_s = max(now_s, self._next_s)
            self._next_s = own_s + self._every_s
        if own_s > now_s:
            self._sleep(own_s - now_s)


def wait_s(number: int, asked_s: float | None) -> float:
    """Return the seconds before a retry: what the endpoint asked for, or twice the last wait.

    Up to a quarter is added at random, so that requests that failed together return apart.

    Args:
        number: Number of retries before.
        asked_s: Seconds that the endpoint asked for; None if it did not.
    """
    own_s = min(FIRST_WAIT_S * 2.0**number, LONGEST_WAIT_S)
    plain_s = own_s if asked_s is None else min(asked_s, LONGEST_ASKED_S)
    return plain_s * (1 + random.random() / 4)


def _asked_s(error: Exception) -> float | None:
    """Return the seconds in a `Retry-After` header, which holds seconds or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    text = headers.get("retry-after") if headers is not None else None
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        date = email.utils.parsedate_tz(text)
        return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())


def _reply_of(completion: Any) -> Reply:
    """Return the reply in a completion; an endpoint may send anything in its place."""
    usage = getattr(completion, "usage", None)
    choices = getattr(completion, "choices", None)
    text = getattr(getattr(choices[0], "message", None), "content", None) if choices else None
    return Reply(
        text if isinstance(text, str) else "",
        getattr(usage, "prompt_tokens", None),
        getattr(usage, "completion_tokens", None),
    )
