"""A fake Ray head: answers the requests of `submit` to its dashboard over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Head:
    """State of the fake head, and the requests that it received.

    Args:
        token: Required authentication token; empty for none.
        nodes: Resources of each node.
        jobs: Status of each job, by name.
        asked: Bodies of the submissions.
        page: Sent instead of every answer.
        silent_s: Seconds before it answers.
    """

    token: str = ""
    nodes: list[dict[str, float]] = field(default_factory=lambda: [{"CPU": 8.0}])
    jobs: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    page: tuple[int, str] | None = None
    silent_s: float = 0.0
    address: str = ""

    def answer(self, method: str, path: str, body: Any, shown: str) -> tuple[int, Any]:
        """Return status and content of an answer, as in Ray 2.60."""
        if self.page is not None:
            return self.page
        if self.token and not shown:
            return 401, "Unauthorized: Missing authentication token"
        if self.token and shown != f"Bearer {self.token}":
            return 403, "Forbidden: Invalid authentication token"
        if path == "/api/version":
            return 200, {"version": "4", "ray_version": "2.60.0", "ray_commit": ""}
        if path == "/api/v0/nodes":
            rows = [
                {"node_ip": f"10.0.0.{i}", "state": "ALIVE", "resources_total": n, "labels": {}}
                for i, n in enumerate(self.nodes)
            ]
            dead = {"node_ip": "10.0.0.99", "state": "DEAD", "resources_total": {"GPU": 8.0}}
            return 200, {"result": True, "data": {"result": {"result": [*rows, dead]}}}
        return self._jobs(method, path, body)

    def _jobs(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        name = path.removeprefix("/api/jobs/").removesuffix("/stop")
        if method == "POST" and path.endswith("/stop"):
            was, self.jobs[name] = self.jobs[name], "STOPPED"
            return 200, {"stopped": was == "RUNNING"}
        if method == "POST":
            self.asked.append(body)
            if body["submission_id"] in self.jobs:
                return 500, "ValueError: Job with that submission_id already exists."
            self.jobs[body["submission_id"]] = "RUNNING"
            return 200, {"job_id": None, "submission_id": body["submission_id"]}
        if name:
            return 200, self._details(name)
        driver = {"type": "DRIVER", "status": "RUNNING", "entrypoint": "", "job_id": "01000000"}
        return 200, [driver, *(self._details(name) for name in self.jobs)]

    def _details(self, name: str) -> dict[str, Any]:
        return {
            "type": "SUBMISSION",
            "submission_id": name,
            "status": self.jobs[name],
            "entrypoint": "python",
            "message": "exit code 3, last available logs (truncated):\nTraceback",
            "driver_exit_code": 3 if self.jobs[name] == "FAILED" else None,
        }


@contextmanager
def fake_head(**known: Any) -> Iterator[Head]:
    """Run a fake head on its own port."""
    head = Head(**known)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null")
            path = self.path.partition("?")[0]
            time.sleep(head.silent_s)
            code, content = head.answer(
                self.command, path, body, self.headers.get("Authorization", "")
            )
            data = content if isinstance(content, str) else json.dumps(content)
            self.send_response(code)
            if code in (301, 302):
                self.send_header("Location", data)
            self.end_headers()
            self.wfile.write(data.encode())

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    head.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield head
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
