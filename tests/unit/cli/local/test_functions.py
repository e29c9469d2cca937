from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.local.functions import function_findings
from paretoflow.spec.objectives import ImportObjectiveSpec
from paretoflow.spec.positions import Fault

SOURCE = '''\
"""Scores."""
from __future__ import annotations
import functools
from os.path import join as borrowed
raise_on_import = 1 / 0

THRESHOLD = 3
length = lambda prompts, answers, unit="words": [0.0 for _ in answers]

def politeness(prompts, completions, *, please="please", weight): ...
def by_keyword(prompts, completions, **kwargs): ...
def anything(*args, **kwargs): ...
def one(questions): ...
def three(prompts, completions, model): ...
async def later(prompts, completions): ...
def strict(prompts, completions, /, scale=1): ...
class Judge:
    def __call__(self, prompts, completions): ...
@functools.cache
def cached(prompts, completions): ...
judge = Judge()
try:
    def fallback(prompts, completions): ...
except ImportError:
    fallback = None
if THRESHOLD:
    def inner(prompts, completions): ...
'''


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_scores.py").write_text(SOURCE)
    (tmp_path / "pack" / "sub").mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("1 / 0")
    (tmp_path / "pack" / "sub" / "scores.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "odd.py").write_text("from os.path import *\n")
    return tmp_path


def found(path: str, **kwargs: Any) -> list[Fault | str]:
    spec = ImportObjectiveSpec(name="a", type="import", path=path, kwargs=kwargs)
    return list(function_findings(("objectives", 1), spec))


@pytest.mark.parametrize(
    ("path", "kwargs"),
    [
        ("my_scores:politeness", {"weight": 2}),
        ("my_scores:politeness", {"weight": 2, "please": "x"}),
        ("my_scores:by_keyword", {"whatever": 1}),
        ("my_scores:anything", {}),
        ("my_scores:length", {"unit": "x"}),
        ("my_scores:strict", {"scale": 2}),
        ("my_scores:fallback", {}),
        ("my_scores:inner", {}),
        ("pack.sub.scores:anything", {}),
        ("statistics:correlation", {}),
    ],
)
def test_a_function_that_can_be_called_is_no_fault(path: str, kwargs: dict[str, Any]) -> None:
    assert [f for f in found(path, **kwargs) if isinstance(f, Fault)] == []


@pytest.mark.parametrize(
    ("path", "kwargs", "code", "what", "hint"),
    [
        ("my_score:politeness", {}, "spec-missing-file", "'my_score'", "'my_scores'"),
        ("pack.judge:x", {}, "spec-missing-file", "'pack.judge'", "packages"),
        ("my_scores.deep:x", {}, "spec-missing-file", "'my_scores.deep'", "'my_scores'"),
        ("nowhere:x", {}, "spec-missing-file", "'nowhere'", "packages"),
        ("my_scores:polite", {}, "spec-missing-file", "'polite'", "'politeness'"),
        ("my_scores:zzz", {}, "spec-missing-file", "'zzz'", "anything, by_keyword, cached"),
        ("my_scores:THRESHOLD", {}, "spec-unusable-file", ".py:7)", "f(prompts, completions)"),
        ("my_scores:one", {}, "spec-unusable-file", " 1 arg", "f(prompts, completions"),
        ("my_scores:three", {}, "spec-missing-key", "'model'", "kwargs.model"),
        ("my_scores:politeness", {}, "spec-missing-key", "'weight'", "kwargs.weight"),
        (
            "my_scores:politeness",
            {"weight": 1, "pleas": 1},
            "spec-unknown-key",
            "'pleas'",
            "'please'",
        ),
        ("my_scores:strict", {"prompts": 1}, "spec-unknown-key", "'prompts'", ""),
        ("broken:f", {}, "spec-unusable-file", "broken.py:2: ", ""),
    ],
)
def test_what_a_run_would_refuse_is_told(
    path: str, kwargs: dict[str, Any], code: str, what: str, hint: str
) -> None:
    (fault,) = found(path, **kwargs)
    assert isinstance(fault, Fault)
    assert fault.code == code
    assert what in fault.what
    assert hint in fault.hint
    assert fault.hint
    assert fault.path[:2] == ("objectives", 1)


@pytest.mark.parametrize("path", ["my_scores:cached", "my_scores:judge", "my_scores:borrowed"])
def test_what_cannot_be_seen_is_said(path: str) -> None:
    (note,) = found(path)
    assert not isinstance(note, Fault)
    assert path in note


def test_a_module_that_makes_its_names_is_not_guessed_about() -> None:
    for path in ("odd:join", "math:fsum"):
        (note,) = found(path)
        assert not isinstance(note, Fault)
        assert path in note


def test_nothing_is_run() -> None:
    found("my_scores:politeness", weight=1)
    found("pack.sub.scores:anything")
    assert not {"my_scores", "pack", "pack.sub"} & set(sys.modules)


@pytest.mark.parametrize("path", ["my_scores:later", "my_scores:answers_first"])
def test_arguments_by_keyword_are_left_to_the_call(path: str, here: Path) -> None:
    with (here / "my_scores.py").open("a") as file:
        file.write("def answers_first(completions, solution): ...\n")
    assert found(path) == []


def test_an_async_function_cannot_be_called_by_position() -> None:
    spec = ImportObjectiveSpec(
        name="a", type="import", path="my_scores:later", convention="paretoflow"
    )
    (fault,) = function_findings(("objectives", 1), spec)
    assert isinstance(fault, Fault)
    assert fault.code == "spec-unusable-file"
    assert "async" in fault.what
    assert "convention: trl" in fault.hint
