from __future__ import annotations

import socket
from pathlib import Path

import pytest

from paretoflow.core.errors import ClusterError
from paretoflow.engine.cluster import dashboard
from paretoflow.engine.cluster.dashboard import Dashboard, Token, dashboard_address, find_token
from tests.fake_head import fake_head
from tests.faults import raises

NONE = Token("", "nowhere")


def _fault(address: str, token: Token = NONE) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        Dashboard(address, token).check()
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("head", "http://head:8265"),
        ("head:9000", "http://head:9000"),
        (" http://head:8265/ ", "http://head:8265"),
        ("https://ray.example.org", "https://ray.example.org"),
        ("https://ray.example.org/one/", "https://ray.example.org/one"),
        ("[::1]:8265", "http://[::1]:8265"),
    ],
)
def test_an_address_gets_its_scheme_and_port(given: str, meant: str) -> None:
    assert dashboard_address(given) == meant


@pytest.mark.parametrize("given", ["auto", "", "ray://head:10001", "http://", "head:many"])
def test_what_is_no_address_of_a_dashboard_is_refused(given: str) -> None:
    with raises("cluster-address", "8265", "dashboard") as caught:
        dashboard_address(given)
    assert "http://head:8265" in caught.value.hint


def test_a_head_says_its_version_and_its_living_nodes() -> None:
    with fake_head(nodes=[{"CPU": 4.0, "GPU": 1.0}, {"CPU": 2.0}]) as head:
        found = Dashboard(head.address, NONE)
        assert found.is_local
        assert found.check() == "2.60.0"
        assert [(n.address, n.resources) for n in found.nodes()] == [
            ("10.0.0.0", {"CPU": 4.0, "GPU": 1.0}),
            ("10.0.0.1", {"CPU": 2.0}),
        ]


def test_the_right_token_lets_in_and_none_or_a_wrong_one_does_not() -> None:
    with fake_head(token="sesame") as head:
        assert Dashboard(head.address, Token("sesame", "RAY_AUTH_TOKEN")).check()
        missing = _fault(head.address)
        assert missing.code == "cluster-token"
        assert "RAY_AUTH_TOKEN" not in missing.what
        wrong = _fault(head.address, Token("simsim", "RAY_AUTH_TOKEN"))
        assert wrong.code == "cluster-token"
        assert "RAY_AUTH_TOKEN" in wrong.what
        assert "simsim" not in f"{wrong!r}{Token('simsim', 'x')!r}"


def test_nothing_listens_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fault = _fault(f"127.0.0.1:{port}")
    assert (fault.code, "refused" in fault.what) == ("cluster-unreachable", True)


def test_nobody_has_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fault = _fault("http://haed:8265")
    assert (fault.code, "'haed'" in fault.what) == ("cluster-unreachable", True)


def test_a_head_that_does_not_answer_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dashboard, "PATIENCE_S", 0.2)
    with fake_head(silent_s=0.6) as head:
        fault = _fault(head.address)
        assert (fault.code, "0.2 s" in fault.what) == ("cluster-unreachable", True)


@pytest.mark.parametrize(
    ("page", "sign"),
    [
        ((404, "not found"), "HTTP status 404"),
        ((200, "<html>welcome</html>"), "no JSON"),
        ((200, '{"name": "grafana"}'), "names no Ray version"),
        ((200, "[]"), "names no Ray version"),
    ],
)
def test_something_else_answers_there(page: tuple[int, str], sign: str) -> None:
    with fake_head(page=page) as head:
        fault = _fault(head.address)
    assert fault.code == "cluster-address"
    assert sign in fault.what


def test_a_token_follows_no_redirection() -> None:
    with fake_head() as thief, fake_head(page=(302, f"{thief.address}/api/version")) as head:
        assert "HTTP status 302" in _fault(head.address, Token("sesame", "x")).what


def test_a_port_that_does_not_speak_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(5)

        def hang_up() -> None:
            caller, _ = server.accept()
            caller.recv(10)
            caller.close()

        import threading

        thread = threading.Thread(target=hang_up)
        thread.start()
        fault = _fault(f"127.0.0.1:{port}")
        thread.join()
    assert "HTTP" in fault.what


def test_a_head_that_does_not_list_its_nodes() -> None:
    with (
        fake_head(page=(200, '{"data": null}')) as head,
        raises("cluster-address", "nodes"),
    ):
        Dashboard(head.address, NONE).nodes()


def test_the_token_is_looked_for_where_ray_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert find_token({}) == Token("", "nowhere")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of home\n")
    assert find_token({}).text == "of home"
    (tmp_path / "other").write_text(" of file ")
    named = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "other")}
    assert find_token(named) == Token("of file", str(tmp_path / "other"))
    assert find_token(named | {"RAY_AUTH_TOKEN": "direct"}).text == "direct"
    assert find_token(named | {"RAY_AUTH_MODE": "disabled"}).headers == {}
    assert find_token(named).headers == {"Authorization": "Bearer of file"}


def test_a_token_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with raises("cluster-token", "RAY_AUTH_TOKEN_PATH", "none"):
        find_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})
    with raises("cluster-token", "RAY_AUTH_TOKEN_PATH"):
        find_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path)})
