from __future__ import annotations

import importlib
import socket

import pytest

from paretoflow.core.errors import ClusterError
from paretoflow.spec.engine import EngineSpec

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
ray_start = importlib.import_module("paretoflow.engine.ray.connect")


def test_an_address_where_nobody_is_ends_in_words_and_soon() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
            ray_start.join(f"127.0.0.1:{port}", "n")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://head:8265", "use `paretoflow submit`"),
        ("ray://head:10001", "use `paretoflow submit`"),
        ("head:", "cannot join the Ray cluster at head:"),
    ],
)
def test_an_address_of_another_kind_is_refused(address: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        ray_start.join(address, "n")


def test_a_version_that_does_not_match_is_no_missing_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def init(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n Ray 2.1")

    monkeypatch.setattr(ray_start.ray, "init", init)
    with pytest.raises(ClusterError, match="cannot join the Ray cluster at auto: Version mismatch"):
        ray_start.join("auto", "n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Exception("The current node timed out during startup. This\ncould"), "node timed out"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError(""), "ValueError"),
    ],
)
def test_a_local_ray_that_does_not_start_ends_in_words(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray_start.ray, "init", init)
    with pytest.raises(ClusterError, match=f"the local Ray did not start: .*{words}") as caught:
        ray_start.start_local(EngineSpec(), "n")
    assert "the same command again" in caught.value.hint


@pytest.mark.parametrize(
    "error", [ray_start.AuthenticationError("InvalidToken"), ConnectionError("Failed to connect")]
)
def test_a_head_that_does_not_let_us_in_is_told_from_one_that_is_not_there(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray_start.ray, "init", init)
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with pytest.raises(ClusterError, match="does not let us in") as caught:
            ray_start.join(address, "n")
    assert "RAY_AUTH_TOKEN" in str(caught.value)
