"""What `check` tells about a judge before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from paretoflow.cli.local import judges
from paretoflow.cli.local.judges import judge_findings
from paretoflow.cli.main import main
from paretoflow.spec.objectives import JudgeObjectiveSpec
from paretoflow.spec.positions import Fault
from tests.judge_endpoint import JudgeEndpoint, judge_endpoint

pytest.importorskip("openai")
KEY = "plain-words-that-are-a-key"
PLACE = ("objectives", 1)


@pytest.fixture
def endpoint() -> Iterator[JudgeEndpoint]:
    with judge_endpoint(key=KEY) as found:
        yield found


def found(url: str, **more: Any) -> list[Fault | str]:
    keys: dict[str, Any] = {"rubric": "Be kind.", "model": "a-judge", "base_url": url, **more}
    return list(judge_findings(PLACE, JudgeObjectiveSpec(name="kind", type="judge", **keys)))


def fault(url: str, **more: Any) -> Fault:
    (only,) = found(url, **more)
    assert isinstance(only, Fault)
    assert KEY not in f"{only.what} {only.hint}"
    return only


def test_an_endpoint_that_answers_is_no_fault_and_judges_nothing(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    assert found(endpoint.url, api_key_env="OWN_KEY") == []
    (note,) = found(endpoint.url, api_key_env="OWN_KEY", model="another")
    assert isinstance(note, str)
    assert "another" in note
    assert "a-judge" in note
    assert endpoint.bodies == []


def test_a_missing_key_names_its_variable(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OWN_KEY", raising=False)
    told = fault(endpoint.url, api_key_env="OWN_KEY")
    assert told.code == "plugin-judge-key"
    assert told.path == (*PLACE, "api_key_env")
    assert "OWN_KEY" in told.what


@pytest.mark.parametrize("key", [None, "wrong-key"])
def test_a_refused_key_is_told(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setenv("OWN_KEY", "wrong-key")
    told = fault(endpoint.url, api_key_env=key and "OWN_KEY")
    assert told.code == "plugin-judge-key"
    assert "401" in told.what
    assert "wrong-key" not in told.what


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"])
def test_an_endpoint_that_is_away_is_told(url: str) -> None:
    told = fault(url)
    assert told.code == "plugin-judge-away"
    assert told.path == (*PLACE, "base_url")
    assert url in told.what
    assert "<" not in told.what


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_key_is_not_carried_to_where_an_endpoint_sends_on(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    asked: list[str | None] = []

    class There(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    class Here(There):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", f"http://127.0.0.1:{there.server_port}/models")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), There) as there, HTTPServer(("127.0.0.1", 0), Here) as here:
        for server in (there, here):
            Thread(target=server.serve_forever, daemon=True).start()
        (note,) = found(f"http://127.0.0.1:{here.server_port}", api_key_env="OWN_KEY")
        for server in (there, here):
            server.shutdown()
    assert asked == []
    assert str(status) in str(note)


def test_an_endpoint_without_a_list_of_models_is_only_noted() -> None:
    with judge_endpoint() as other:
        (note,) = found(other.url.replace("/v1", "/v2"))
    assert isinstance(note, str)
    assert "404" in note


def test_a_missing_library_names_the_extra(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges.importlib.util, "find_spec", lambda name: None)
    told = fault(endpoint.url)
    assert told.code == "missing-extra"
    assert "paretoflow[judge]" in told.hint


JOB = """\
name: job
data: {{type: jsonl, path: rows.jsonl, columns: {{prompt: q}}, train: 8, eval: 4, validation: 4}}
objectives:
  - {{name: kind, type: judge, rubric: Be kind., model: a-judge, base_url: "{url}"{more}}}
  - {{name: b, type: length, range: [0, 60], ref: 60}}
stop: {{runs: 2, cost: 3}}
"""


@pytest.mark.parametrize(
    ("more", "code", "place"),
    [
        (", price: {input: 1, output: 2}", "", ""),
        ("", "spec-contradiction", "stop.cost"),
        (", price: {input: 1, output: 2}, against: reference", "data-reference", "data.path"),
        (", price: {input: 1, output: 2}, scale: [5, 5]", "spec-not-allowed", "kind.scale"),
        (
            ", price: {input: 1, output: 2}, settings: {api_key: x}",
            "spec-not-allowed",
            "kind.settings",
        ),
        (", price: {input: 1, output: 2}, api_key_env: NOT_SET", "plugin-judge-key", "api_key_env"),
    ],
)
def test_check_refuses_what_no_run_could_judge(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: str,
    code: str,
    place: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(f'{{"q": "What is {i}?"}}\n' for i in range(20)))
    with judge_endpoint() as endpoint:
        Path("job.yaml").write_text(JOB.format(url=endpoint.url, more=more))
        status = main(["check", "job.yaml"])
    shown = capsys.readouterr()
    assert status == (2 if code else 0), shown.err
    if code:
        assert f"error[{code}]" in shown.err
        assert place in shown.err
    else:
        assert "tokens that kind reads" in " ".join(shown.out.split())
    assert endpoint.bodies == []
