"""One name means one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import paretoflow

CLASS = re.compile(r"^class ([A-Za-z]\w*)", re.MULTILINE)


def test_no_two_modules_define_a_public_class_of_one_name() -> None:
    root = Path(paretoflow.__file__).parent
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for name in CLASS.findall(path.read_text(encoding="utf-8")):
            found[name].append(path.relative_to(root).as_posix())
    assert len(found) > 500
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
