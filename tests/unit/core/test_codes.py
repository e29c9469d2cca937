from __future__ import annotations

import ast
import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import paretoflow
from paretoflow.core.codes import CODES
from paretoflow.core.errors import DataError, ParetoflowError, SpecError
from tests.unit.core.test_errors import TREE

CLASSES = {kind.__name__: kind for kind in TREE}
# a fault is raised as `SpecError`, but `check` finds faults of data and models too
CLASSES["Fault"] = ParetoflowError


def _named() -> Iterator[tuple[str, str, str]]:
    """Yield every code that the package names: place, class and code."""
    package = Path(paretoflow.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "code=" in text else ():
            for word in node.keywords if isinstance(node, ast.Call) else ():
                kind = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if word.arg == "code" and kind in CLASSES and isinstance(word.value, ast.Constant):
                    yield f"{path.name}:{node.lineno}", kind, str(word.value.value)


NAMED = list(_named())


def _fits(code: str, kind: type[ParetoflowError]) -> bool:
    """Say whether no class beside or below this one has a code that fits better."""
    owner = max((k for k in TREE if f"{code}-".startswith(f"{k.code}-")), key=lambda k: len(k.code))
    return owner is kind


def test_each_class_has_its_own_code_in_the_list() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(kind) and kind.code in CODES for kind in TREE)


def test_codes_are_plain_words_with_what_they_mean_and_what_to_do() -> None:
    for code, (meaning, remedy) in CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert meaning.endswith("."), code
        assert remedy.endswith("."), code


def test_each_code_begins_with_the_code_of_its_class() -> None:
    for place, kind, code in NAMED:
        assert code in CODES, place
        assert kind == "Fault" or _fits(code, CLASSES[kind]), place


def test_each_code_in_the_list_is_used() -> None:
    used = {code for _, _, code in NAMED} | {kind.code for kind in TREE}
    source = (Path(paretoflow.__file__).parent / "spec").rglob("*.py")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in source)
    assert [code for code in CODES if code not in used and f'"{code}"' not in texts] == []


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_the_code_of_a_fault_travels_with_it(again) -> None:
    assert DataError("x").code == "data"
    error = DataError("the prompt is empty", "f.jsonl:3", code="data-empty")
    assert again(error).code == "data-empty"
    assert vars(DataError)["code"] == "data"
    faults = (SpecError("a", code="spec-syntax"), SpecError("b"))
    assert [fault.code for fault in again(SpecError("2", faults=faults)).faults] == [
        "spec-syntax",
        "spec",
    ]
