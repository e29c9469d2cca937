"""Finds phrases in pages, docstrings and comments that plain English has no need for.

`python -m tests.prose [FILE …]`; without files it reads the pages and the package. The phrases are
in `prose.txt` beside this file. Code, in blocks and in lines, and the targets of links are not
prose. A line with `<!-- prose: off -->` is left out.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHRASES = Path(__file__).with_suffix(".txt")
PAGES = ("*.md", ".github/*.md", "cluster/*.md", "docker/*.md", "docs/*.md", "docs/[a-z]*/*.md")
"""Where prose is, from the root; what `make docs` writes is made from docstrings."""
GENERATED = ("docs/reference/command-line.md",)

PACKAGE = "paretoflow/**/*.py"

_NO_PROSE = (
    re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL),
    re.compile(r"`[^`\n]*`"),
    re.compile(r"\]\([^)\s]*\)"),
    re.compile(r"^.*<!-- prose: off -->.*$", re.MULTILINE),
    re.compile(r"<!--.*?-->"),
)


_NAME = re.compile(r"^[a-z_]+: ")
"""A parameter or field that a docstring explains, at the beginning of a line."""


def phrases(text: str) -> list[tuple[re.Pattern[str], str]]:
    """Return each phrase as a pattern for whole words, with what to write instead."""
    found = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, advice = line.split(" => ")
            flags = re.IGNORECASE | re.MULTILINE
            whole = pattern if pattern.startswith("^") else rf"\b(?:{pattern})\b"
            found.append((re.compile(whole, flags), advice))
    return found


def faults(text: str, known: list[tuple[re.Pattern[str], str]]) -> Iterator[tuple[int, str, str]]:
    """Yield (line, phrase, advice) of each phrase in a page, in order."""
    for pattern in _NO_PROSE:  # blanked, so that lines keep their numbers
        text = pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
    hits = [
        (text.count("\n", 0, match.start()) + 1, match[0], advice)
        for pattern, advice in known
        for match in pattern.finditer(text)
    ]
    yield from sorted(hits)


def prose_of(code: str) -> str:
    """Return the docstrings and comments of a module, each on its own line; all else is blank."""
    lines = [""] * (code.count("\n") + 1)
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                for number, line in enumerate(text.split("\n"), node.lineno - 1):
                    lines[number] = _NAME.sub(": ", line.strip())
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] += token.string.removeprefix("# ")
    return "\n".join(lines)


def main(names: list[str]) -> int:
    """Print the faults of some files, or of all; return 1 if there are any."""
    known = phrases(PHRASES.read_text(encoding="utf-8"))
    pages = [Path(name) for name in names] or [
        p for glob in (*PAGES, PACKAGE) for p in ROOT.glob(glob)
    ]
    skipped = {ROOT / name for name in GENERATED}
    count = 0
    for page in sorted({p for p in pages if "_build" not in p.parts} - skipped):
        text = page.read_text(encoding="utf-8")
        for line, phrase, advice in faults(prose_of(text) if page.suffix == ".py" else text, known):
            sys.stdout.write(f"{page}:{line}: {phrase!r}; write: {advice}\n")
            count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
