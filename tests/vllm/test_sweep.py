"""A whole sweep on a vLLM server of its own, and its export served by its own `serve.sh`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.engine.session.folder import sweep_root
from paretoflow.ledger import open_ledger
from paretoflow.lm.adapters import adapter_on
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.generation import generate
from paretoflow.lm.served.client import VllmServer
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.models import GenerationSpec
from tests.benchmarks.methods.inline import run_inline
from tests.faults import raises

pytestmark = [pytest.mark.vllm, pytest.mark.train]

JOB = """
name: served
model:
  type: embedded
  lora: {{rank: 4, ranks: {{q_proj: 2}}}}
  generation:
    {{engine: vllm, command: {command}, options: {{enforce_eager: true, max_model_len: 512}},
     max_new_tokens: 16, temperature: 0.9}}
data: {{type: pydoc, train: 24, eval: 16, validation: 4, candidates: 4}}
objectives:
  - {{name: coverage, type: rouge, direction: maximize, range: [0, 1], ref: 0.0}}
  - {{name: words, type: length, direction: minimize, range: [0, 40], ref: 40}}
method: {{type: dpo, steps: 4, batch_size: 4, learning_rate: 2e-3, checkpoint_every: 2}}
proposer: {{type: lattice}}
stop: {{runs: 2}}
"""
PROMPT = "Document: A dict maps keys to values.\nQuestion: What is a dict?\nAnswer:"


@pytest.fixture(scope="module")
def root(command: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished sweep."""
    home = tmp_path_factory.mktemp("sweeps")
    text = JOB.format(command=command)
    spec = load_spec_text(text, "served.yaml", [f"storage={home}"])
    run_inline(spec)
    found = sweep_root(spec).local
    assert found is not None
    return found


def test_every_evaluation_was_sampled_by_the_server(root: Path) -> None:
    events = open_ledger(root, writer=False).events()
    rows = [e.payload for e in events if e.kind.value == "evaluated"]
    assert len(rows) == 1 + 2 * 2
    (log,) = (root / "servers").glob("vllm-*.log")
    text = log.read_text()
    loaded = 'POST /v1/load_lora_adapter HTTP/1.1" 200'
    assert text.count(loaded) == 1 + 2 * 2, "a try at the start, and each checkpoint"
    (inputs,) = [e.payload["inputs"] for e in events if isinstance(e.payload.get("inputs"), dict)]
    assert inputs["versions"]["vllm"]
    assert inputs["values"]["model.generation.engine"] == '"vllm"'


def test_the_export_answers_for_each_adapter_by_its_own_script(
    root: Path, command: str, base: LanguageModel, tmp_path: Path
) -> None:
    out = tmp_path / "served"
    assert main(["export", str(root), "--format", "vllm", "-o", str(out)]) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = dict(os.environ, PATH=f"{Path(command).parent}:{os.environ['PATH']}")
    env |= {"VLLM_CPU_KVCACHE_SPACE": "1"}
    env.pop("PYTHONPATH", None)
    words = ["./serve.sh", "--host", "127.0.0.1", "--port", str(port), "--enforce-eager"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=out, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        server = VllmServer(f"http://127.0.0.1:{port}", local=True)
        _wait(server, process, tmp_path / "log")
        names = sorted(folder.name for folder in (out / "adapters").iterdir())
        served = {m["id"] for m in server.ask("/v1/models").body["data"]}
        assert set(names) < served
        request = json.loads((out / "routing.json").read_text())["request"]
        for name in names:
            assert _answer(server, name, request) == _exact(base, root, name)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_a_changed_version_of_the_server_stops_a_sweep(
    root: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.resume import load_sweep_spec
    from paretoflow.lm.served import setup

    problem = _problem(root)
    spec = load_sweep_spec(root)
    facts_of = setup.facts_of
    monkeypatch.setattr(setup, "facts_of", lambda s: replace(facts_of(s), version="0.33.0"))
    executor = Executor(spec, root, threads=1)
    with raises("changed-inputs", "vllm", "0.33.0"):
        executor.ready(problem)


def _problem(root: Path) -> Any:
    problem = read_sweep(root).front.problem
    assert problem is not None
    return problem


def _answer(server: VllmServer, name: str, request: dict[str, Any]) -> str:
    body = {**request, "model": name, "prompt": PROMPT, "temperature": 0}
    reply = server.ask("/v1/completions", body)
    assert reply.status == 200, reply.told
    text: str = reply.body["choices"][0]["text"]
    return text


def _exact(base: LanguageModel, root: Path, name: str) -> str:
    paths = {p.adapter_name: p.path for p in read_sweep(root).front.points}
    gen = GenerationSpec(max_new_tokens=16, temperature=0)
    with adapter_on(base, root / paths[name]) as model:
        return generate(model, base, [PROMPT], [0], gen)[0].text


def _wait(server: VllmServer, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + 400
    while time.monotonic() < until_s:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if server.ask("/health", wait_s=5).status == 200:
                return
        except Exception:  # noqa: BLE001  # it is not up yet
            time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])
