from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paretoflow.core.protocols import Objective, Prompt
from paretoflow.objectives import build
from paretoflow.spec.objectives import ImportObjectiveSpec
from tests.faults import raises


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delitem(sys.modules, "own_scorer", raising=False)
    return tmp_path / "own_scorer.py"


def load(path: str, **kwargs: object) -> Objective:
    return build(ImportObjectiveSpec(type="import", name="mine", path=path, kwargs=kwargs))


def test_function_beside_the_job_gets_prompts_answers_and_kwargs(source: Path) -> None:
    source.write_text(
        "def f(prompts, completions, plus):\n    return [p.extra['k'] + plus for p in prompts]\n"
    )
    scores = load("own_scorer:f", plus=1).score([Prompt("p", "?", extra={"k": 2})], ["x"])
    assert scores.tolist() == [3.0]


def test_missing_module_says_where_it_was_looked_for(source: Path) -> None:
    with raises("plugin-import", "'no_such_module'") as caught:
        load("no_such_module:f")
    assert str(source.parent) in caught.value.hint


@pytest.mark.parametrize("line", ["import not_there", "from not_there.deep import x"])
def test_a_library_that_the_module_needs_is_named(source: Path, line: str) -> None:
    source.write_text(f"{line}\n")
    with raises("plugin-import", "'own_scorer'") as caught:
        load("own_scorer:f")
    assert "install not_there" in caught.value.hint


def test_a_module_that_does_not_parse_is_the_users_fault(source: Path) -> None:
    source.write_text("def f(:\n")
    with raises("plugin-import", "'own_scorer'"):
        load("own_scorer:f")


def test_missing_function_lists_what_there_is(source: Path) -> None:
    source.write_text("def scorer(prompts, completions):\n    return []\n")
    with raises("plugin-import", "'score'"):
        load("own_scorer:score")


def test_something_that_cannot_be_called_is_refused(source: Path) -> None:
    source.write_text("f = 3\n")
    with raises("plugin-import", "own_scorer:f"):
        load("own_scorer:f")
