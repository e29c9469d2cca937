from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoflow.objectives.sources import source_files

FILES = {
    "my_scores.py": "import json\nimport words\nfrom lib import shapes\nimport numpy\n",
    "words.py": "def count(t):\n    import deeper.still\n    return len(t)\n",
    "deeper/__init__.py": "",
    "deeper/still.py": "from . import beside\nfrom .beside import X\n",
    "deeper/beside.py": "X = 1\nimport my_scores\n",
    "lib/__init__.py": "",
    "lib/shapes.py": "from lib.colours import *\n",
    "lib/colours.py": "RED = 1\n",
    "lib/unused.py": "1",
    "other.py": "1",
}
NEEDED = sorted(set(FILES) - {"lib/unused.py", "other.py"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_module_and_all_that_it_imports_beside_it(home: Path) -> None:
    importlib.import_module("my_scores")
    found = source_files("my_scores")
    assert list(found) == NEEDED
    assert all(len(digest) == 64 for digest in found.values())


@pytest.mark.parametrize("name", NEEDED)
def test_a_change_of_any_of_them_is_seen(home: Path, name: str) -> None:
    importlib.import_module("my_scores")
    before = source_files("my_scores")
    with (home / name).open("a") as file:
        file.write("# more\n")
    after = source_files("my_scores")
    assert {n for n in after if after[n] != before[n]} == {name}


def test_line_ends_and_the_place_do_not_count(home: Path, tmp_path: Path) -> None:
    importlib.import_module("my_scores")
    before = source_files("my_scores")
    words = home / "words.py"
    words.write_bytes(words.read_bytes().replace(b"\n", b"\r\n"))
    assert source_files("my_scores") == before
    assert not any(str(home) in name for name in before)


def test_a_module_in_a_package_brings_its_packages(home: Path) -> None:
    importlib.import_module("lib.shapes")
    assert list(source_files("lib.shapes")) == [
        "lib/__init__.py",
        "lib/colours.py",
        "lib/shapes.py",
    ]
    importlib.import_module("deeper.still")
    assert "deeper/beside.py" in source_files("deeper.still")


def test_of_an_installed_scorer_its_own_package_counts() -> None:
    import rouge_score.rouge_scorer

    found = source_files(rouge_score.rouge_scorer.__name__)
    assert "rouge_score/rouge_scorer.py" in found
    assert all(name.startswith("rouge_score/") for name in found)
    assert len(found) > 1


def test_what_has_no_file_has_no_source() -> None:
    assert source_files("sys") == {}
