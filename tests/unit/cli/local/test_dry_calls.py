"""The call of each function on two rows, before anything is spent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.local import dry_calls
from paretoflow.cli.local.dry_calls import call_findings
from paretoflow.core.protocols import Prompt
from paretoflow.spec.objectives import ImportObjectiveSpec
from paretoflow.spec.positions import Fault

ROWS = (Prompt("p0", "One?", extra={"k": 1}), Prompt("p1", "Two?", extra={"k": 2}))
SOURCE = """\
import os, sys
print("imported")
def fine(prompts, completions, **kw):
    print("called")
    return [len(c) for c in completions]
def short(prompts, completions): return [1.0]
def broken(prompts, completions): return [p.extra["nothing"] for p in prompts]
def odd(prompts, completions): return [1.0, float("nan")]
def none(completions, **kw): return [None, 1.0]
def lacking(completions, answer): return [0.0] * len(completions)
def leaving(prompts, completions): os._exit(7)
async def later(prompts, completions, k, **kw): return [float(i) for i in k]
def slow(prompts, completions): import time; time.sleep(60)
"""
BAD = {
    "short": ("objective-shape", "(1,)", "2 answers"),
    "broken": ("objective-raised", "KeyError", "nothing"),
    "odd": ("objective-not-finite", "nan"),
    "none": ("objective-none", "None for row 0"),
    "lacking": ("objective-argument", "'answer'", "k"),
    "leaving": ("objective-raised", "status 7"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own_rewards.py").write_text(SOURCE)


def found(*names: str, prompts: Any = ROWS) -> list[Fault | str]:
    asked = [
        (i, ImportObjectiveSpec(type="import", name=f"x{i}", path=f"own_rewards:{name}"))
        for i, name in enumerate(names)
    ]
    return list(call_findings(asked, prompts))


def test_every_fault_names_objective_function_and_result() -> None:
    names = ["fine", *BAD][:-1]  # the last one ends the process
    faults = found(*names, "later", "leaving")
    assert [f.path for f in faults if isinstance(f, Fault)] == [
        ("objectives", i, "path") for i in [*range(1, len(BAD)), len(names) + 1]
    ]
    for name, fault in zip(BAD, faults, strict=True):
        assert isinstance(fault, Fault)
        code, *told = BAD[name]
        assert fault.code == code
        assert not [part for part in (f"own_rewards:{name}", *told) if part not in fault.what]
    assert "own_rewards" not in sys.modules


def test_without_rows_nothing_is_called() -> None:
    (note,) = found("leaving", prompts=())
    assert isinstance(note, str)
    assert "own_rewards:leaving" in note


def test_a_slow_function_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_calls, "LIMIT_S", 2.0)
    (note,) = found("slow")
    assert isinstance(note, str)
    assert "own_rewards:slow" in note
