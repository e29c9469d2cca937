"""Links lead somewhere, and every file that a page names exists."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from tests.docs.pages import ROOT, generated, written

PAGES = sorted(written())
_NAMED = re.compile(r"`((?:tests|jobs|paretoflow|cluster|docker|docs|\.github)/[\w./-]+?)`")


def _fault(page: str, link: str, known: dict[str, set[str]]) -> str | None:
    target, _, anchor = link.partition("#")
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / target).parts if target else [page]:
        parts = parts[:-1] if part == ".." else [*parts, part]
    name = "/".join(parts)
    if name not in known and not (ROOT / name).exists():
        return f"{page}: {link} leads to {name}, which is not there"
    if anchor and anchor not in known.get(name, set()):
        return f"{page}: {link}: {name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("name", PAGES)
def test_links_inside_the_repository_resolve(name: str) -> None:
    known = {n: page.anchors for n, page in (written() | generated()).items()}
    inside = [link for link in written()[name].links if not re.match(r"[a-z]+:", link)]
    faults = [fault for link in inside if (fault := _fault(name, link, known))]
    assert faults == []


def test_generated_pages_link_to_their_own_sections() -> None:
    known = {n: page.anchors for n, page in generated().items()}
    for name, page in generated().items():
        faults = [fault for link in page.links if (fault := _fault(name, link, known))]
        assert faults == []


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_exist(name: str) -> None:
    named = set(_NAMED.findall(written()[name].prose))
    generated_ones = {page.removesuffix("index.md") for page in generated()} | {"docs/_build/html"}
    missing = [path for path in named - generated_ones if not (ROOT / path).exists()]
    assert missing == []


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for page in (written() | generated()).values():
        for block in page.blocks:
            if block.language == "{toctree}":
                folder = PurePosixPath(page.name).parent
                entries = [line for line in block.text.splitlines() if line and line[0] != ":"]
                listed |= {str(folder / f"{entry}.md") for entry in entries}
    below = {name for name in written() | generated() if name.startswith("docs/")}
    assert below - listed == {"docs/index.md"}
