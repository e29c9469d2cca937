"""A program as the trainer, in an executor: stopped, gone on with, and scored by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.curves import attempts_in
from paretoflow.ledger.curves import read_curves
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train

PROGRAM = """
import json, pathlib, shutil, signal, sys
request = json.loads(pathlib.Path(sys.argv[1]).read_text())
output = pathlib.Path(request["output"])
def save(*_):
    (output / "half-way").touch()
    sys.exit(0)
def log(**values):
    with open(request["curve"], "a") as curve:
        print(json.dumps(values), file=curve)
if not request["resume_from"]:
    log(step=1, loss=0.5)
    log(step=2, loss=float("nan"))
    signal.signal(signal.SIGTERM, save)
    print("ready", flush=True)
    signal.pause()
assert (output / "half-way").exists()
log(step=3, loss=0.25)
shutil.copytree(sys.argv[2], output / "adapter")
scores = {"brevity": {"prompt_scores": [8, 10]}, "vowels": {"prompt_scores": [2, 3]}}
pathlib.Path(request["result"]).write_text(json.dumps({"folder": "adapter", "scores": scores}))
"""


class Told:
    """Takes what an executor tells, and asks it to stop; see `engine.runtime.protocols.Attempt`."""

    def __init__(self, logs: Path) -> None:
        self.reports: list[Any] = []
        self.steps: list[int | None] = []
        self.logs = logs

    def tell(self, report: Any) -> None:
        self.reports.append(report)

    def progress(self, step: int | None = None) -> None:
        self.steps.append(step)

    def stopping(self) -> bool:
        return any("ready" in log.read_text() for log in self.logs.rglob("a0/**/stdout.log"))

    def suspended(self) -> str:
        return ""


def job(base: Path, home: Path, adapter: Path) -> Any:
    words = ["{python}", "-I", "-S", "-c", PROGRAM, "{request}", str(adapter)]
    return small_sweep("programs", base, home, {"type": "command", "argv": words, "steps": 3})


def test_a_stopped_program_is_a_lost_attempt_and_the_next_goes_on(
    tiny_base_dir: Path, tiny_lm: Any, tmp_path: Path
) -> None:
    from paretoflow.core.launch import Launch
    from paretoflow.core.values import LaunchKind, Proposal, WeightVector
    from paretoflow.engine.messages import Cause
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.lm.adapters import fresh_adapter, save_adapter_files, unload
    from paretoflow.spec.models import LoraSpec

    adapter = tmp_path / "given"
    model = fresh_adapter(tiny_lm, LoraSpec(rank=2), seed=0)
    model.peft_config["default"].base_model_name_or_path = str(tiny_base_dir)
    save_adapter_files(model, adapter)
    unload(model)
    spec = job(tiny_base_dir, tmp_path, adapter)
    root = sweep_root(spec)
    enter_folder(spec, root)
    executor = Executor(spec, root, threads=1)
    executor.prepare()
    choice = Proposal(LaunchKind.WEIGHTED, WeightVector((0.5, 0.5)), 1, "Because.", "by hand")
    told = Told(Path(str(root)))

    failure = executor.execute(Launch("r0000-abcdef", 0, choice), told)
    assert failure is not None
    assert failure.cause is Cause.LOST
    assert set(told.steps) == {None}  # signs of life that claim no step

    told.logs = tmp_path / "nowhere"
    assert executor.execute(Launch("r0000-abcdef", 1, choice), told) is None
    (report,) = told.reports
    row, end = report.events
    assert (row.snapshot_id, end.kind.value) == ("r0000-abcdef-a1-s0003", "finished")
    assert (row.scores, row.n) == ((9.0, 2.5), 2)
    assert row.payload["given"] is True
    assert "data" not in row.payload
    request = (Path(str(root)) / row.path).parent / "program" / "request.json"
    brevity, vowels = json.loads(request.read_text())["objectives"]
    assert (brevity["direction"], vowels["direction"]) == ("minimize", "maximize")
    assert brevity["mean"] > 0  # words, not gains
    assert not list(Path(str(root)).rglob("half-way"))
    first, again = attempts_in(read_curves(root))
    assert (first.number, first.steps, first.not_finite()) == (0, [1, 2], ["loss nan at step 2"])
    assert (again.number, again.steps, again.values) == (1, [3], {"loss": [0.25]})
