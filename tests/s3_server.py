"""A real S3 server on a free port of this machine, and a faulty proxy in front of it.

The server is moto's, in its own process: it supports conditional writes as S3 does. It takes one
request at a time, since moto's check for If-None-Match and its write are not one step.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
OTHER_SETTINGS = ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION")


_SERVER = """
import sys, threading
from moto import server
turn = threading.Lock()
class OneAtATime(server.DomainDispatcherApplication):
    def __call__(self, *request):
        with turn:
            return super().__call__(*request)
server.DomainDispatcherApplication = OneAtATime
server.main(sys.argv[1:])
"""


@contextmanager
def moto_server() -> Iterator[str]:
    """Run a server; yield its endpoint."""
    port = free_port()
    command = [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)]
    silent = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=silent, stderr=silent, env={**os.environ, **KEYS})
    try:
        _wait_until_up(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def new_bucket(endpoint: str) -> str:
    """Make an empty bucket and return its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    assert ask(endpoint, "PUT", f"/{name}").status == 200
    return name


def ask(
    endpoint: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """Send a request that moto accepts without a signature; return the answer, with content."""
    scope = "testing/20260101/us-east-1/s3/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}
    client = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=30)
    try:
        client.request(method, path, body, {**signed, **(headers or {})})
        response = client.getresponse()
        response.content = response.read()  # type: ignore[attr-defined]
        return response
    finally:
        client.close()


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the S3 server did not start")


class Proxy:
    """Forwards requests to a server, with configurable faults.

    Attributes:
        status: Answer every request with this status; None forwards it.
        strip: Headers to remove, in lower case: without `if-none-match` the store overwrites.
        requests: (method, path) of every request so far.
    """

    def __init__(self, target: str) -> None:
        self.status: int | None = None
        self.strip: frozenset[str] = frozenset()
        self.requests: list[tuple[str, str]] = []
        self._target = target.removeprefix("http://")
        self._port = free_port()
        self._server: ThreadingHTTPServer | None = None

    @property
    def endpoint(self) -> str:
        """Return the proxy's URL."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start to listen."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections until it is started again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the answer to a request."""
        self.requests.append((method, path))
        if self.status is not None:
            return self.status, [("Content-Length", "0")], b""
        dropped = {"host", "connection", "expect", "transfer-encoding", *self.strip}
        client = http.client.HTTPConnection(self._target, timeout=30)
        try:
            kept = {k: v for k, v in headers.items() if k.lower() not in dropped}
            client.request(method, path, body, kept)
            response = client.getresponse()
            content = response.read()
        finally:
            client.close()
        own = {"connection", "transfer-encoding", "content-length", "date", "server"}
        told = [(k, v) for k, v in response.getheaders() if k.lower() not in own]
        length = response.getheader("Content-Length") if method == "HEAD" else str(len(content))
        return response.status, [*told, ("Content-Length", length or "0")], content


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.read_body()
            status, headers, content = proxy.answer(
                self.command, self.path, dict(self.headers.items()), body
            )
            self.send_response_only(status)
            for key, value in headers:
                self.send_header(key, value)
            # a persistent connection would still be served after `stop`
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def read_body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815

    return Handler
