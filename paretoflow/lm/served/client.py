"""Requests to a vLLM server.

A key is sent to the server's own address alone: no redirection is followed.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoflow.core.errors import WorkerError
from paretoflow.core.shown import HIDDEN, first_line

ANSWER_S = 900.0
"""Longest wait for an answer; those before it in the server's queue count."""
_TOLD = 400


class _SamePlace(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it could carry the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class ServerReply:
    """A server's reply.

    Args:
        status: HTTP status.
        body: Parsed JSON, or the text where it is none.
        cause: The error of the client library, for statuses that are one.
    """

    status: int
    body: Any
    cause: Exception | None = None

    @property
    def told(self) -> str:
        """Return the server's own words on what was wrong, in one line."""
        error = self.body.get("error", self.body) if isinstance(self.body, dict) else self.body
        text = error.get("message", error) if isinstance(error, dict) else error
        return " ".join(str(text).split())[:_TOLD]


@dataclass(frozen=True)
class VllmServer:
    """A server; threads may share it.

    Args:
        url: Its address, with or without `/v1`.
        key: Its key; empty for none.
        local: Whether it is on this machine, so that no proxy may be asked.
    """

    url: str
    key: str = ""
    local: bool = False

    @property
    def root(self) -> str:
        """Return the address before the paths of the API."""
        return self.url.rstrip("/").removesuffix("/v1")

    def ask(
        self, path: str, body: Mapping[str, Any] | None = None, wait_s: float = ANSWER_S
    ) -> ServerReply:
        """Return the reply to a request, as `reply`, if the server does not fail.

        Raises:
            WorkerError: If the server is away, or fails (HTTP status 500 and above).
        """
        found = self.reply(path, body, wait_s)
        if found.status < 500:
            return found
        raise self.failure(f"fails with HTTP status {found.status}: {found.told}") from found.cause

    def reply(
        self, path: str, body: Mapping[str, Any] | None = None, wait_s: float = ANSWER_S
    ) -> ServerReply:
        """Return the reply to a request, whatever it is: a GET, or a POST where it has a body.

        Raises:
            WorkerError: If the server is away.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.root + path, data, headers)
        proxies = [urllib.request.ProxyHandler({})] if self.local else []
        try:
            with urllib.request.build_opener(_SamePlace, *proxies).open(request, None, wait_s) as a:
                return ServerReply(a.status, _parsed(a.read()))
        except urllib.error.HTTPError as error:
            with error:
                return ServerReply(error.code, _parsed(error.read()), error)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None)  # of a URLError, whose own text has brackets
            cause = first_line(reason if isinstance(reason, Exception) else error)
            told = cause.replace(self.key, HIDDEN) if self.key else cause
            raise self.failure(f"does not answer: {told}") from error

    def failure(self, what: str) -> WorkerError:
        """Return the error for a server that fails."""
        hint = "the run is retried; read the server's log if it repeats"
        return WorkerError(f"the vLLM server {what}", self.root, hint, code="worker-server")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
