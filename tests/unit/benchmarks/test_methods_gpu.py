"""The benchmark of methods on a GPU, in its small form on a CPU."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.methods.random_words import FULL, SMALL, Setting, evens, make_task, thirds
from tests.benchmarks.results_file import machine


@pytest.mark.train
@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float32", marks=pytest.mark.full)])
def test_a_method_is_measured_over_its_second_half(dtype: str, tmp_path: Path) -> None:
    from tests.benchmarks.methods.gpu import COLUMNS, measured, row

    setting = Setting(replace(SMALL, steps=2), "cpu", dtype, tmp_path)
    make_task(setting)
    figures, state = measured("dpo", setting)
    assert [f.steps for f in figures] == [1, 1]
    for told in figures:
        assert told.seconds > 0
        assert told.tokens > 0
        assert told.generated > 0
        assert told.loss == pytest.approx(0.69, abs=0.05)
        assert told.finite
        assert told.adapter_bytes > 0
    cells = row("dpo", figures, state)
    assert len(cells) == len(COLUMNS)
    assert float(cells[1]) > 0
    assert cells[4:6] == ["", ""]
    assert cells[7] == "finite"


@pytest.mark.train
def test_a_run_that_failed_is_told_without_paths(tmp_path: Path) -> None:
    from paretoflow.core.status import RunStatus
    from tests.benchmarks.methods.gpu import COLUMNS, row

    failed = SimpleNamespace(status=RunStatus.FAILED, message=f"no room in {tmp_path}: stop")
    state: Any = SimpleNamespace(runs={"r": failed})
    cells = row("dpo", [], state)
    assert cells[1] == "no room in … stop"
    assert len(cells) == len(COLUMNS)


@pytest.mark.train
@pytest.mark.parametrize("name", ["dpo", "grpo", "mah_dpo", "dpo, soups"])
def test_the_full_form_asks_for_a_gpu_in_half_precision(name: str, tmp_path: Path) -> None:
    from tests.benchmarks.methods.gpu import spec_of

    spec = spec_of(name, Setting(FULL, "cuda", "bfloat16", tmp_path))
    assert (spec.model.device, spec.model.dtype) == ("cuda", "bfloat16")
    assert spec.engine.resources.gpus_per_rank == 1


@pytest.mark.train
@pytest.mark.parametrize("arguments", [[], ["--device", "cpu"], ["--small", "--device", "cuda"]])
def test_without_a_gpu_it_is_refused_in_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from tests.benchmarks.methods.gpu import run

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "add --small for a toy model on the CPU" in told.err


def test_words_score_by_their_numbers() -> None:
    assert evens([], ["w0 w1 w2 w4", ""]) == [0.75, 0.0]
    assert thirds([], ["w0 w1 w2 w3"]) == [0.5]


def test_the_machine_tells_a_gpu_that_torch_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 2, get_device_name=lambda i: f"GPU {i}"
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert "GiB, GPU 0, GPU 1, " in machine()
    monkeypatch.delitem(sys.modules, "torch")
    assert "GPU" not in machine()
