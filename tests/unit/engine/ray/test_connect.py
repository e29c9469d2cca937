from __future__ import annotations

import importlib
import socket

import pytest

from paretoflow.spec.engine import EngineSpec
from tests.faults import raises

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
ray_start = importlib.import_module("paretoflow.engine.ray.connect")


def test_an_address_where_nobody_is_ends_in_words_and_soon() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with raises("cluster-unreachable", f"127.0.0.1:{port}"):
            ray_start.join(f"127.0.0.1:{port}", "n")


@pytest.mark.parametrize(
    ("address", "code", "value"),
    [
        ("http://head:8265", "cluster-address", "`paretoflow submit`"),
        ("ray://head:10001", "cluster-address", "`paretoflow submit`"),
        ("head:", "cluster-unreachable", " head:"),
    ],
)
def test_an_address_of_another_kind_is_refused(address: str, code: str, value: str) -> None:
    with raises(code, "--address: ", value):
        ray_start.join(address, "n")


def test_a_version_that_does_not_match_is_no_missing_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def init(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n Ray 2.1")

    monkeypatch.setattr(ray_start.ray, "init", init)
    with raises("cluster-unreachable", "mismatch"):
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
    with raises("cluster-unreachable", "ray: ", words) as caught:
        ray_start.start_local(EngineSpec(), "n")
    assert "/tmp" in caught.value.hint


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
        with raises("cluster-unreachable", "RAY_AUTH_TOKEN") as caught:
            ray_start.join(address, "n")
    assert "RAY_AUTH_TOKEN" in str(caught.value)
