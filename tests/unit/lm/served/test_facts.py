"""What is found out about a server before anything is spent; tests/vllm asks real ones."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from paretoflow.cli.local.servers import server_findings
from paretoflow.core.errors import WorkerError
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.messages import Cause
from paretoflow.lm.served.client import VllmServer
from paretoflow.lm.served.facts import facts_of, key_of
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.positions import Fault
from tests.faults import raises
from tests.odd_server import OddServer, Said, odd_server

KEY = "plain-words-that-are-a-key"
FIT: dict[str, Said] = {
    "version": (200, {"version": "0.32.0"}),
    "models": (200, {"data": [{"id": "base", "root": "/m/b", "max_model_len": 64}]}),
    "load_lora_adapter": (400, {"error": {"message": "fields are missing"}}),
}  # fmt: skip


def asked(server: OddServer, **more: str) -> list[Fault | str]:
    keys = "".join(f", {name}: {value}" for name, value in more.items())
    generation = f"{{engine: vllm, max_new_tokens: 32, url: '{server.url}'{keys}}}"
    text = f"name: x\nmodel: {{type: embedded, generation: {generation}}}\nobjectives:\n"
    text += "  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"
    return list(server_findings(load_spec_text(text, "job.yaml")))


def test_a_server_that_fits() -> None:
    with odd_server(**FIT) as server:
        facts = facts_of(VllmServer(f"{server.url}/v1"))
        assert (facts.version, facts.base, facts.window) == ("0.32.0", "base", 64)
        assert asked(server) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": (200, {"version": "0.9.2"})}, "0.9.2"),
        ({"version": (404, {})}, "404"),
        ({"version": (200, ["no vLLM"])}, "version"),
        ({"models": (200, {"data": []})}, "base"),
        ({"models": (200, "text")}, "base"),
        ({"load_lora_adapter": (404, {})}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
    ],
)
def test_a_server_that_does_not_fit(changed: dict[str, Any], said: str) -> None:
    with odd_server(**(FIT | changed)) as server:
        with raises("model-server", said):
            facts_of(VllmServer(server.url))
        (fault,) = asked(server)
        assert isinstance(fault, Fault)
        assert fault.code == "model-server"


def test_answers_that_do_not_fit_the_server() -> None:
    small = {"models": (200, {"data": [{"id": "base", "max_model_len": 32}]})}
    with odd_server(**(FIT | small)) as server:
        (fault,) = asked(server)
        assert isinstance(fault, Fault)
        assert fault.path == ("model", "generation", "max_new_tokens")


def test_nobody_at_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with raises("model-server-away", url):
            facts_of(VllmServer(url))
        with pytest.raises(WorkerError) as caught:
            VllmServer(url).ask("/v1/completions", {})
        failure = failure_of(caught.value)
        assert failure.cause is Cause.OUTAGE, "a server that is away must cost no retries"


def test_a_server_that_fails_is_an_outage_and_one_that_refuses_is_none() -> None:
    with odd_server(completions=(500, {"error": {"message": "EngineDeadError"}})) as server:
        with pytest.raises(WorkerError) as caught:
            VllmServer(server.url).ask("/v1/completions", {})
        assert "EngineDeadError" in caught.value.what
        assert failure_of(caught.value).cause is Cause.OUTAGE
    with odd_server(completions=(400, {"error": {"message": "no"}})) as server:
        assert VllmServer(server.url).ask("/v1/completions", {}).told == "no"


def test_the_key_is_sent_to_its_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    with odd_server(**FIT) as other:
        away: Said = (302, f"{other.url}/version")
        with odd_server(**(FIT | {"version": away})) as server:
            (fault,) = asked(server, api_key_env="OWN_KEY")
            assert server.keys == [f"Bearer {KEY}"]
        assert other.keys == []
    assert isinstance(fault, Fault)
    assert KEY not in f"{fault.what} {fault.hint}"


def test_a_key_that_is_missing_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWN_KEY", raising=False)
    with raises("model-server-key", "OWN_KEY"):
        key_of(GenerationSpec(engine="vllm", url=("http://a",), api_key_env="OWN_KEY"))
    with odd_server(**(FIT | {"version": (401, {})})) as server:
        assert [f.code for f in asked(server, api_key_env="OWN_KEY")] == ["model-server-key"]
        monkeypatch.setenv("OWN_KEY", KEY)
        (fault,) = asked(server, api_key_env="OWN_KEY")
    assert isinstance(fault, Fault)
    assert fault.code == "model-server-key"
    assert fault.path[-1] == "api_key_env"


def test_an_executable_that_is_not_here() -> None:
    text = "name: x\nmodel: {type: embedded, generation: {engine: vllm, command: /no/vllm}}\n"
    text += "method: {type: grpo}\nobjectives:\n"
    text += "  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"
    note, fault = server_findings(load_spec_text(text, "job.yaml"))
    assert isinstance(fault, Fault)
    assert fault.code == "model-server-start"
    assert "grpo" in str(note)
