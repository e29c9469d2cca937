"""A local server that is none for a sweep: it redirects, refuses or fails as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Said = tuple[int, Any]
"""Status of a reply, and its body, or for a redirection its target."""


@dataclass
class OddServer:
    """A server.

    Args:
        says: Reply for each path; 404 for others.

    Attributes:
        keys: Authorization headers of the requests so far.
    """

    says: Mapping[str, Said]
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def odd_server(**says: Said) -> Iterator[OddServer]:
    """Run a server whose replies are named by the last part of the path."""
    told = OddServer(says)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.keys.append(self.headers.get("Authorization"))
            status, body = told.says.get(self.path.rpartition("/")[2], (404, {"detail": "no"}))
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
