from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.engine.runtime import early_stop
from paretoflow.engine.runtime.early_stop import LOOKS_FILE, EarlyStopping, settles_itself
from paretoflow.spec.methods import DpoMethodSpec, DualSpec
from paretoflow.spec.methods.base import EarlyStopSpec
from tests.faults import raises

pytestmark = pytest.mark.train
SPEC = EarlyStopSpec(signal="entropy_and_mass", evaluations=1, drop=0.1)
BASE = {"topk_entropy": 2.0, "topk_mass": 0.9}
FALLING = [(1.5, 0.8, 1.0), (1.4, 0.7, 2.0), (1.3, 0.6, 3.0)]


def _checkpoint(step: int, state: Path | None = None, *, final: bool = False) -> Checkpoint:
    return Checkpoint(step, Path("a"), final, Cost(), np.ones(2) / 2, {}, state=state)


def _seen(entropy: float, mass: float, margin: float) -> dict[str, float]:
    named = {"topk_entropy": entropy, "topk_mass": mass, "margin": margin}
    return named | {"chosen_logprob": 0.0}


def test_a_watch_that_goes_on_from_a_state_decides_as_one_that_never_stopped(
    tmp_path: Path,
) -> None:
    whole = EarlyStopping(SPEC, 40, BASE, None)
    whole.look(_checkpoint(10, tmp_path), _seen(*FALLING[0]))
    assert whole.reason == ""
    again = EarlyStopping(SPEC, 40, BASE, tmp_path)
    for watch in (whole, again):
        watch.look(_checkpoint(20), _seen(*FALLING[1]))
    assert again.reason == whole.reason != ""


def test_the_last_checkpoint_ends_nothing_early_and_one_without_signals_counts_for_nothing() -> (
    None
):
    watch = EarlyStopping(SPEC, 40, BASE, None)
    watch.look(_checkpoint(10), _seen(*FALLING[0]))
    watch.look(_checkpoint(20), {"kl": 1.0})
    assert watch.reason == ""
    watch.look(_checkpoint(40, final=True), _seen(*FALLING[2]))
    assert watch.reason == ""


def test_a_state_without_looks_begins_anew_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    assert EarlyStopping(SPEC, 40, BASE, tmp_path).reason == ""
    (tmp_path / LOOKS_FILE).write_text('[{"step": 1}]')
    with raises("training-state", "read") as caught:
        EarlyStopping(SPEC, 40, BASE, tmp_path)
    assert LOOKS_FILE in caught.value.where


class _Attempt:
    """Takes what an executor tells, and asks it to stop after some steps."""

    def __init__(self, stop_after: int = 99) -> None:
        self.events: list[Any] = []
        self.left = stop_after

    def tell(self, report: Any) -> None:
        self.events += report.events

    def progress(self, step: int | None = None) -> None:
        self.left -= step is not None

    def stopping(self) -> bool:
        return self.left <= 0

    def suspended(self) -> str:
        return ""


@pytest.fixture
def executor(tiny_base_dir: Path, tmp_path: Path) -> Any:
    """An executor on the tiny base whose runs have four steps and look after each."""
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.spec.sweep import SweepSpec

    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"Question {i}:"}) + "\n" for i in range(8)))
    spec = SweepSpec.model_validate(
        {
            "name": "tiny",
            "model": {
                "type": "pretrained", "path": str(tiny_base_dir), "dtype": "float32",
                "device": "cpu", "lora": {"rank": 2}, "generation": {"max_new_tokens": 6},
            },
            "data": {
                "type": "jsonl", "path": str(data), "train": 3, "eval": 2, "validation": 2,
                "candidates": 3,
            },
            "objectives": [
                {"name": "length", "type": "length"},
                {"name": "e", "type": "regex", "pattern": "e", "count": "all"},
            ],
            "method": {
                "type": "dpo", "steps": 4, "batch_size": 2, "checkpoint_every": 1,
                "early_stop": {"evaluations": 1},
            },
        }
    )  # fmt: skip
    found = Executor(spec, tmp_path / "sweep", threads=1)
    found.prepare()
    return found


def test_a_run_finishes_where_it_is_told_to_also_after_an_interruption(
    executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.core.launch import Launch
    from tests.method_bench import weighted

    def verdict(spec: Any, steps: int, base: Any, looks: list[Any]) -> str:
        assert base["topk_mass"] > 0
        return "enough" if [look.step for look in looks] == [1, 2, 3] else ""

    monkeypatch.setattr(early_stop, "over_optimised", verdict)
    monkeypatch.setattr(early_stop.Look, "of", classmethod(_counted))
    first = _Attempt(stop_after=2)
    failed = executor.execute(Launch("r0001-abc", 0, weighted(0.5, 0.5)), first)
    assert "as asked" in failed.message
    assert [e.step for e in first.events] == [1, 2]
    second = _Attempt()
    assert executor.execute(Launch("r0001-abc", 1, weighted(0.5, 0.5)), second) is None
    row, end = second.events
    assert (row.step, end.kind.value, end.payload) == (3, "finished", {"early": "enough"})
    assert not list((tmp_path / "sweep").rglob("checkpoint-*"))  # trainer state is gone
    assert set(row.payload["diagnostics"]) >= {"topk_entropy", "topk_mass"}


def _counted(cls: Any, step: int, diagnostics: Any) -> Any:
    return cls(step, diagnostics["topk_entropy"], diagnostics["topk_mass"], 0.0, 0.0)


def test_a_constrained_run_is_not_ended_before_it_settles() -> None:
    plain = Proposal(LaunchKind.WEIGHTED, WeightVector((0.5, 0.5)), 0, "", "")
    asked = replace(plain, kind=LaunchKind.CONSTRAINED, target=0, thresholds=(0.0, 0.0))
    method = DpoMethodSpec()
    former = method.model_copy(update={"dual": DualSpec(result="last")})
    assert settles_itself(method, asked)
    assert not settles_itself(method, plain)
    assert not settles_itself(former, asked)
