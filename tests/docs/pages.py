"""The pages of the documentation, cut into blocks and links.

A block that follows `<!-- file: NAME -->` is a file of its page's examples. A console block that
follows `<!-- run -->` is run by the tests, and must print what it shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs.generated import pages as generated_pages
from docs.generated import slug

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>[^>]*?) -->\n(?P=indent))?"
    r"```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, the mark before it and its text."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """A page by its path from the root of the repository."""

    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        found = []
        for match in _FENCE.finditer(self.text):
            indent, text = len(match["indent"]), match["text"]
            plain = "\n".join(line[indent:] for line in text.splitlines())
            line = self.text.count("\n", 0, match.start("text"))
            found.append(Block(self.name, line, match["language"], match["mark"] or "", plain))
        return found

    @property
    def prose(self) -> str:
        """The text without fenced blocks; lines keep their numbers."""
        return _FENCE.sub(lambda match: "\n" * match[0].count("\n"), self.text)

    @property
    def words(self) -> str:
        """The prose without code in lines and without the targets of links."""
        return _LINK.sub("]", _CODE.sub("", self.prose))

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_CODE.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        return {slug(heading) for heading in _HEADING.findall(self.prose)}


def _read(path: Path) -> Page:
    return Page(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


@cache
def generated() -> dict[str, Page]:
    """Return the pages that are made from the code, by name."""
    made = generated_pages()
    return {f"docs/{name}": Page(f"docs/{name}", text) for name, text in made.items()}


@cache
def written() -> dict[str, Page]:
    """Return the pages that are written by hand, by name: at the root, and below docs/."""
    below = (p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
    paths = sorted([*ROOT.glob("*.md"), *below])
    pages = {page.name: page for page in map(_read, paths)}
    return {name: page for name, page in pages.items() if name not in generated()}


def readme() -> Page:
    return written()["README.md"]


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all written pages in some languages."""
    every = [block for page in written().values() for block in page.blocks]
    return [block for block in every if block.language in languages]
