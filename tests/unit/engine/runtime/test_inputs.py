"""A worker refuses to start if its inputs of scores differ from those of an earlier worker."""

from __future__ import annotations

import gc
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.values import Problem
from paretoflow.engine.runtime import inputs as collected
from paretoflow.engine.state.events import problem_from
from paretoflow.ledger.tables import EventKind
from paretoflow.spec.sweep import SweepSpec
from tests.classifiers import save_encoder
from tests.faults import raises

pytestmark = pytest.mark.train

SCORES = """from own_words import VOWELS


def vowels(p, c, bonus=0):
    return [len(VOWELS) + bonus for _ in c]
"""


def write_rows(count: int, changed: int = 0) -> None:
    rows = [{"prompt": f"Question {i}{'?' if i < changed else ':'}"} for i in range(count)]
    Path("d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def spec_of(**changes: Any) -> SweepSpec:
    plain: dict[str, Any] = {
        "name": "mini",
        "storage": "st",
        "model": {
            "type": "pretrained", "path": "base", "dtype": "float32", "device": "cpu",
            "lora": {"rank": 2}, "generation": {"max_new_tokens": 4},
        },
        "data": {
            "type": "jsonl", "path": "d.jsonl", "train": 4, "eval": 4, "validation": 2,
            "candidates": 2,
        },
        "objectives": [
            {"name": "vowels", "type": "import", "path": "own_scores:vowels",
             "kwargs": {"bonus": 0.5}, "range": [0, 9], "ref": 0},
            {"name": "kind", "type": "reward_model", "path": "judge", "range": [-9, 9], "ref": -9},
        ],
        "stop": {"runs": 1},
    }  # fmt: skip
    for path, value in changes.items():
        part: Any = plain
        *parents, last = path.split("__")
        for name in parents:
            part = part[int(name) if name.isdigit() else name]
        part[last] = value
    return SweepSpec.model_validate(plain)


def executor(spec: SweepSpec | None = None) -> Any:
    from paretoflow.engine.runtime.executor import Executor

    return Executor(spec or spec_of(), Path("st/mini"), 1)


@pytest.fixture(scope="module")
def begun(
    tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Problem]]:
    """A folder in which a sweep was begun, and its problem."""
    home = tmp_path_factory.mktemp("begun")
    shutil.copytree(tiny_base_dir, home / "base")
    save_encoder(home / "judge")
    (home / "own_scores.py").write_text(SCORES)
    (home / "own_words.py").write_text("VOWELS = 'aeiou'\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.syspath_prepend(str(home))
        write_rows(12)
        told = executor().prepare()
        yield home, problem_from(told[0].payload)
    for name in ("own_scores", "own_words"):
        sys.modules.pop(name, None)


@pytest.fixture
def home(begun: tuple[Path, Problem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, under another name, that a test may change."""
    gc.collect()  # a reward model that is still in memory would be shared
    copy = tmp_path / "moved"
    shutil.copytree(begun[0], copy)
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(str(copy))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(begun[0])])
    for name in ("own_scores", "own_words"):
        sys.modules.pop(name, None)
    return copy


def flip(path: Path) -> None:
    """Change the last number of a weights file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "rows changed": (lambda h: write_rows(12, 5), " of 4 eval prompts differ"),
    "rows added": (lambda h: write_rows(40), "data.path d.jsonl: "),
    "weights": (
        lambda h: flip(h / "base/model.safetensors"),
        "model.path base: model.safetensors changed",
    ),
    "tokenizer": (
        lambda h: edit(h / "base/tokenizer.json", '"version": "1.0"', '"version":  "1.0"'),
        "model.path base: tokenizer.json changed",
    ),
    "generation file": (
        lambda h: edit(h / "base/generation_config.json", "{", '{"top_k": 3,'),
        "model.path base: generation_config.json changed",
    ),
    "template": (
        lambda h: edit(h / "base/chat_template.jinja", "{", " {"),
        "model.path base: chat_template.jinja changed, the chat template changed",
    ),
    "scorer": (
        lambda h: edit(h / "own_scores.py", "+ bonus", "- bonus"),
        "objectives.vowels: the source of own_scores.py changed",
    ),
    "what the scorer imports": (
        lambda h: edit(h / "own_words.py", "aeiou", "aeiouy"),
        "objectives.vowels: the source of own_words.py changed",
    ),
    "reward weights": (
        lambda h: flip(h / "judge/model.safetensors"),
        "objectives.kind: model.safetensors changed",
    ),
    "reward configuration": (
        lambda h: edit(h / "judge/config.json", '"model_type"', '"note": 1, "model_type"'),
        "objectives.kind: config.json changed",
    ),
}
SETTINGS = {
    "temperature": (
        {"model__generation__temperature": 0.5},
        "model.generation.temperature: the default became 0.5",
    ),
    "length": (
        {"model__generation__max_new_tokens": 6},
        "model.generation.max_new_tokens: 4 became 6",
    ),
    "an argument": (
        {"objectives__0__kwargs": {"bonus": 1}},
        'objectives.vowels.kwargs: {"bonus": 0.5} became',
    ),
    "what a reward model sees": (
        {"objectives__1__max_length": 64},
        "objectives.kind.max_length: the default became 64",
    ),
    "seed": ({"seed": 3}, "seed: 0 became 3"),
    "precision": ({"model__dtype": "bfloat16"}, "model.dtype: float32 became bfloat16"),
}


@pytest.mark.usefixtures("home")
def test_the_same_in_another_folder_gets_ready(begun: tuple[Path, Problem]) -> None:
    assert executor().ready(begun[1]) == []
    assert executor(spec_of(model__generation__batch_size=2)).ready(begun[1]) == []


@pytest.mark.few(5)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_changed_is_named(home: Path, begun: tuple[Path, Problem], kind: str) -> None:
    change, words = FILES[kind]
    change(home)
    shutil.rmtree(home / "st")
    with raises("changed-inputs", words) as caught:
        executor().ready(begun[1])
    assert str(home / "st" / "mini") == caught.value.where
    assert str(home) not in caught.value.what
    assert "--accept-change" in caught.value.hint


@pytest.mark.few(3)
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_setting_that_changed_is_named(begun: tuple[Path, Problem], kind: str) -> None:
    changes, words = SETTINGS[kind]
    with raises("changed-inputs", words):
        executor(spec_of(**changes)).ready(begun[1])


@pytest.mark.usefixtures("home")
def test_versions_of_libraries_and_scorers_count(
    begun: tuple[Path, Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, real = begun[1], collected.version
    monkeypatch.setattr(collected, "version", lambda n: "9.0" if n == "trl" else real(n))
    with raises("changed-inputs", "became 9.0"):
        executor().ready(problem)
    monkeypatch.setattr(collected, "version", lambda n: f"{real(n)}.1" if n == "trl" else real(n))
    told = executor().ready(problem)
    assert [e.kind for e in told] == [EventKind.INPUTS]
    assert [w.startswith("version of trl") for w in told[0].payload["noted"]] == [True]
    monkeypatch.setattr(collected, "version", real)
    monkeypatch.setitem(collected.VERSIONS, "reward_model", 2)
    with raises("changed-inputs", "1", "became 2"):
        executor().ready(problem)


@pytest.mark.usefixtures("home")
def test_where_nobody_has_noted_them_a_worker_tells_them(begun: tuple[Path, Problem]) -> None:
    told = executor().ready(replace(begun[1], inputs=None))
    assert [e.kind for e in told] == [EventKind.INPUTS]
    assert told[0].payload["inputs"] == json.loads(json.dumps(begun[1].inputs.to_dict()))  # type: ignore[union-attr]


def test_notes_beside_a_model_change_nothing(home: Path, begun: tuple[Path, Problem]) -> None:
    for folder in ("base", "judge"):
        (home / folder / "README.md").write_text("notes")
        (home / folder / "all_results.json").write_text("{}")
    (home / "other_scores.py").write_text("1")
    assert executor().ready(begun[1]) == []
