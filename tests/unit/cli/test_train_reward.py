"""train-reward, as it is typed."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoflow.cli.main import main
from paretoflow.spec.load import load_spec_text
from tests.faults import only_printed
from tests.unit.rewards.conftest import make_spec, write  # noqa: F401

pytestmark = pytest.mark.train


@pytest.fixture
def config(make_spec: Any, tmp_path: Path) -> str:  # noqa: F811
    path = tmp_path / "rewards.yaml"
    spec = make_spec(steps=2).model_dump(mode="json")
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return str(path)


def test_it_prints_the_metrics_and_objectives_that_a_sweep_takes(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "mine")
    assert main(["train-reward", config, "-o", out]) == 0
    shown = capsys.readouterr().out
    assert "model: step 2 of 2, loss" in shown
    assert re.search(r"full +9 +3 +[\d.]+ ± [\d.]+ +[\d.]+ +[\d.]+", shown)
    objectives = shown[shown.index("objectives:") :]
    spec = load_spec_text(f"name: x\n{objectives}", "shown")
    assert [(o.name, o.output, o.max_length) for o in spec.objectives] == [
        ("full", 0, 64),
        ("brief", 1, 64),
    ]
    assert main(["train-reward", config, "-o", out]) == 2
    only_printed(capsys.readouterr().err, "usage-occupied", out)


@pytest.mark.parametrize(
    ("notice", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_says_that_nothing_was_written(
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    notice: signal.Signals,
    status: int,
) -> None:
    from paretoflow.rewards import run

    def interrupted(*_: object) -> None:
        signal.raise_signal(notice)

    monkeypatch.setattr(run, "_train", interrupted)
    assert main(["train-reward", config]) == status
    assert "stopped; nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_faulty_row_ends_with_a_message(config: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "full.jsonl").write_text('{"prompt": "a", "chosn": "b"}\n', encoding="utf-8")
    assert main(["train-reward", config]) == 2
    only_printed(capsys.readouterr().err, "data-column", "full.jsonl:1: ", "'chosen'", "'chosn'?")
