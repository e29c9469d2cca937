"""A local OpenAI-compatible endpoint that judges, and misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Said = str | int | tuple[int, dict[str, str]] | float | None
"""Text of a reply; a status, which may have headers; seconds of silence; None drops the connection.
"""


def by_length(body: dict[str, Any]) -> str:
    """Return a score from 1 to 10: longer answers are better."""
    asked = body["messages"][-1]["content"]
    answer = asked.partition("<answer>\n")[2].rpartition("\n</answer>")[0]
    return str(min(10, 1 + len(answer) // 10))


@dataclass
class JudgeEndpoint:
    """A judge.

    Args:
        says: Returns the text of a reply to a request.
        first: What the first requests get instead, in order.
        key: Key that it asks for; None for none.
        usage: Tokens of request and reply that it reports; None reports none.

    Attributes:
        bodies: Requests so far, those that got no reply included.
        replies: Number of replies, each of which is charged.
        most_at_once: Largest number of requests at the same time.
    """

    says: Callable[[dict[str, Any]], str] = by_length
    first: list[Said] = field(default_factory=list)
    key: str | None = None
    usage: tuple[int, int] | None = (100, 2)
    pause_s: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    replies: int = 0
    most_at_once: int = 0
    url: str = ""
    _now: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def judged(self) -> list[str]:
        """Return the material of each request that was answered or refused, in order."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    def begin(self, body: dict[str, Any]) -> Said:
        """Note a request; return what happens to it."""
        with self._lock:
            self.bodies.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            ordinary = not self.first
            said = None if ordinary else self.first.pop(0)
        time.sleep(self.pause_s)
        return self.says(body) if ordinary else said

    def end(self, *, replied: bool) -> None:
        """Note that a request is over."""
        with self._lock:
            self._now -= 1
            self.replies += replied


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, endpoint: JudgeEndpoint) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = endpoint
        endpoint.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            self._send(404, {"error": {"message": "nothing here"}})
        elif self._allowed():
            self._send(200, {"object": "list", "data": [{"id": "a-judge"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._allowed():
            return
        endpoint, replied = self.server.endpoint, False
        said = endpoint.begin(body)
        try:
            replied = self._answer(said)
        finally:
            endpoint.end(replied=replied)

    def _answer(self, said: Said) -> bool:
        if said is None:
            self.close_connection = True
            self.connection.close()
        elif isinstance(said, float):
            time.sleep(said)
        elif isinstance(said, str):
            self._send(200, _completion(said, self.server.endpoint.usage))
            return True
        else:
            status, headers = (said, {}) if isinstance(said, int) else said
            self._send(status, {"error": {"message": "no"}}, headers)
        return False

    def _allowed(self) -> bool:
        key, got = self.server.endpoint.key, self.headers.get("Authorization", "")
        if key is None or got == f"Bearer {key}":
            return True
        self._send(401, {"error": {"message": f"wrong key in {got!r}"}})
        return False

    def _send(self, status: int, plain: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(plain).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the client gave up
            self.wfile.write(content)


def _completion(text: str, usage: tuple[int, int] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 0}
    reply |= {"model": "a-judge", "choices": [choice]}
    if usage is not None:
        read, wrote = usage
        counted = {"prompt_tokens": read, "completion_tokens": wrote}
        reply["usage"] = {**counted, "total_tokens": read + wrote}
    return reply


@contextmanager
def judge_endpoint(first: Sequence[Said] = (), **more: Any) -> Iterator[JudgeEndpoint]:
    """Yield an endpoint on the loopback address, which ends with the block."""
    endpoint = JudgeEndpoint(first=list(first), **more)
    server = _Server(endpoint)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
