"""A client of a Ray head's dashboard over HTTP: checks address and token, and lists the nodes.

Ray's own client has no time limit and answers with tracebacks. So a faulty address or token is
detected here first, with a clear error.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from paretoflow.core.errors import ClusterError
from paretoflow.core.user import home_path

PORT = 8265
"""Default port of a dashboard."""
PATIENCE_S = 15.0
_TUNNEL = f"from outside its network make a tunnel first: ssh -L {PORT}:localhost:{PORT} HEAD"
_ADDRESS = f"give the head's dashboard, for instance http://head:{PORT}"


@dataclass(frozen=True)
class ClusterNode:
    """One live node of a cluster.

    Args:
        resources: Total resources, by Ray's names: `CPU`, `GPU`, `memory`, …
    """

    address: str
    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """The authentication token of a cluster, and its source; the token is never printed.

    Args:
        text: The token; empty when there is none.
    """

    text: str
    source: str

    def __repr__(self) -> str:
        return f"Token(source={self.source!r})"

    @property
    def headers(self) -> dict[str, str]:
        """Return the HTTP headers with the token; none when there is no token."""
        return {"Authorization": f"Bearer {self.text}"} if self.text else {}


def find_token(environ: Mapping[str, str] = os.environ) -> Token:
    """Find the token where Ray does: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token.

    Raises:
        ClusterError: If RAY_AUTH_TOKEN_PATH names a file that cannot be read.
    """
    if environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return Token("", "nowhere: RAY_AUTH_MODE is disabled")
    if environ.get("RAY_AUTH_TOKEN", "").strip():
        return Token(environ["RAY_AUTH_TOKEN"].strip(), "RAY_AUTH_TOKEN")
    named = environ.get("RAY_AUTH_TOKEN_PATH")
    path = home_path(named) if named else _home() / ".ray" / "auth_token"
    try:
        return Token(path.read_text(encoding="utf-8").strip(), str(path))
    except FileNotFoundError:
        if named is None:
            return Token("", "nowhere")
        problem = "there is no such file"
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it holds no text"
    raise ClusterError(
        f"no token in {path}: {problem}",
        "RAY_AUTH_TOKEN_PATH",
        "name the file that holds it",
        code="cluster-token",
    )


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # the user has no home folder
        return Path("/")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: a head sends none, and the token must not reach another server."""

    def redirect_request(self, *args: Any) -> None:
        return None


class Dashboard:
    """A head's dashboard.

    Args:
        address: Address from the user: `http://head:8265`, or without the scheme.
        token: Authentication token; discovered as `find_token` does if None.

    Raises:
        ClusterError: If the address cannot be that of a dashboard.
    """

    def __init__(self, address: str, token: Token | None = None) -> None:
        self.address = dashboard_address(address)
        self.token = find_token() if token is None else token
        self._opener = urllib.request.build_opener(_NoRedirect)

    @property
    def is_local(self) -> bool:
        """Check whether the head is this machine."""
        return urlsplit(self.address).hostname in ("localhost", "127.0.0.1", "::1")

    def check(self) -> str:
        """Return the Ray version of the head.

        Raises:
            ClusterError: If no head answers there, or it refuses access.
        """
        found = self._get("/api/version")
        if not isinstance(found, dict) or "ray_version" not in found:
            raise self._no_head("its answer names no Ray version")
        return str(found["ray_version"])

    def nodes(self) -> list[ClusterNode]:
        """Return the live nodes.

        Raises:
            ClusterError: If the head does not answer with its nodes.
        """
        found = self._get("/api/v0/nodes?detail=1&limit=10000")
        try:
            rows = found["data"]["result"]["result"]
            return [
                ClusterNode(row["node_ip"], row["resources_total"] or {}, row.get("labels") or {})
                for row in rows
                if row["state"] == "ALIVE"
            ]
        except (KeyError, TypeError):
            raise self._no_head("it does not list its nodes") from None

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self.address + path, headers=self.token.headers)
        try:
            with self._opener.open(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error.code) from None
        except urllib.error.URLError as error:
            self._unreachable(error.reason)
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        except ValueError:
            raise self._no_head("its answer is no JSON") from None

    def _refused(self, code: int) -> ClusterError:
        if code == 401 and not self.token.text:
            return ClusterError(
                "the cluster asks for a token, and none was found",
                self.address,
                "put it into RAY_AUTH_TOKEN, or the path of its file into RAY_AUTH_TOKEN_PATH; "
                "on the head, `ray get-auth-token` prints it",
                code="cluster-token",
            )
        if code in (401, 403):
            return ClusterError(
                f"the cluster refuses the token from {self.token.source}",
                self.address,
                "on the head, `ray get-auth-token` prints the right one",
                code="cluster-token",
            )
        return self._no_head(f"it answers with HTTP status {code}")

    def _no_head(self, sign: str) -> ClusterError:
        return ClusterError(
            f"something answers there, but it is no dashboard of Ray: {sign}",
            self.address,
            _ADDRESS,
            code="cluster-address",
        )

    def _unreachable(self, reason: object) -> NoReturn:
        host = urlsplit(self.address).hostname
        hint = _TUNNEL
        if isinstance(reason, socket.gaierror):
            what, hint = f"no machine is known as {host!r}", "check the spelling, or give its IP"
        elif isinstance(reason, ConnectionRefusedError):
            what = "nothing listens there: the connection was refused"
            hint = f"is the head up, and its dashboard on that port? {_TUNNEL}"
        elif isinstance(reason, TimeoutError):
            what = f"no answer within {PATIENCE_S:g} s"
        elif isinstance(reason, ssl.SSLError):
            what, hint = f"no TLS: {reason.reason or reason}", "is it http:// rather than https://?"
        elif isinstance(reason, ConnectionError | http.client.HTTPException):
            what, hint = "what listens there does not speak HTTP", _ADDRESS
        else:
            what = f"it cannot be reached: {reason}"
        raise ClusterError(what, self.address, hint, code="cluster-unreachable") from None


def dashboard_address(address: str) -> str:
    """Return an address with its scheme and port.

    Raises:
        ClusterError: If the address cannot be that of a dashboard.
    """
    text = address.strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or text == "auto" or port == -1:
        raise ClusterError(
            f"{address!r} is no address of a dashboard",
            "--address",
            _ADDRESS,
            code="cluster-address",
        )
    path = parts.path.rstrip("/")
    if port is None and parts.scheme == "http" and not path:
        return f"http://{parts.netloc}:{PORT}"
    return f"{parts.scheme}://{parts.netloc}{path}"
