"""Questions and answers drawn at run time from the documentation inside Python itself.

Sources are read as text (`ast`), never imported, so building the task runs no foreign code. The
result is a function of the Python version alone: files and symbols are visited in sorted order and
the split is a hash of the symbol. The objectives score the answers.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MIN_SENTENCES = 3
MAX_WORDS = 60
EVAL_SHARE = 8
"""One symbol in this many goes to the eval split."""

_SKIPPED_FOLDERS = frozenset(
    {
        "test",
        "tests",
        "idlelib",
        "lib2to3",
        "site-packages",
        "dist-packages",
        "turtledemo",
        "ensurepip",
        "__pycache__",
    }
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`'\"(])")
_BUILTIN_TYPES = (
    bytes,
    bytearray,
    dict,
    float,
    frozenset,
    int,
    list,
    memoryview,
    object,
    range,
    set,
    str,
    tuple,
    type,
)


@dataclass(frozen=True)
class PydocItem:
    """One documented symbol of Python as a question.

    The prompt shows the whole document; the reference is its leading half, so an answer can be too
    short (facts missing) and too long (nothing gained).
    """

    symbol: str
    question: str
    sentences: tuple[str, ...]

    @property
    def document(self) -> str:
        """Return the document the answer may draw on."""
        return " ".join(self.sentences)

    @property
    def prompt(self) -> str:
        """Return the plain-text prompt, ending where the answer begins."""
        return format_prompt(self.document, self.question)

    @property
    def reference(self) -> str:
        """Return the leading half of the document's sentences, rounded up."""
        return " ".join(self.sentences[: (len(self.sentences) + 1) // 2])

    @property
    def split(self) -> str:
        """Return "eval" or "train", decided by a hash of the symbol alone."""
        digest = hashlib.sha256(self.symbol.encode()).digest()
        return "eval" if digest[0] % EVAL_SHARE == 0 else "train"


def format_prompt(document: str, question: str) -> str:
    """Return the one prompt form that the embedded base was trained on."""
    return f"Document: {document}\nQuestion: {question}\nAnswer:"


def sentences_of(text: str) -> list[str]:
    """Split a docstring into its prose sentences, white space folded.

    Doctests, tables, signatures and option lists are left out: a paragraph counts as prose when it
    starts with a letter, ends a sentence and is mostly words.
    """
    kept: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        folded = " ".join(paragraph.split())
        if ">>>" in folded or not folded[:1].isalpha() or "." not in folded:
            continue
        letters = sum(map(str.isalpha, folded)) + folded.count(" ")
        if letters < 0.85 * len(folded):
            continue
        kept.extend(
            s
            for s in _SENTENCE_END.split(folded)
            if s.endswith((".", "!", "?")) and len(s.split()) >= 3
        )
    return kept


def _question(symbol: str, kind: str) -> str:
    return f"What does {symbol} do?" if kind == "function" else f"What is {symbol}?"


def _docs_in_source(path: Path, module: str) -> Iterator[tuple[str, str, str]]:
    """Yield (symbol, kind, docstring) for a module file and all it defines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        # a vendored file in another syntax or encoding documents nothing here
        return
    stack: list[tuple[ast.AST, str]] = [(tree, module)]
    while stack:
        node, name = stack.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node)
            if doc:
                kind = (
                    "function"
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                    else "thing"
                )
                yield name, kind, doc
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                stack.append((child, f"{name}.{child.name}"))


def _docs_in_tree(root: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(_sources(root)):
        parts = path.relative_to(root).with_suffix("").parts
        if _SKIPPED_FOLDERS.isdisjoint(parts):
            yield from _docs_in_source(path, ".".join(p for p in parts if p != "__init__"))


def _sources(root: Path) -> Iterator[Path]:
    """Yield the Python files of a folder; installed packages, the most of them, are not entered."""
    for folder, below, names in os.walk(root):
        below[:] = set(below) - _SKIPPED_FOLDERS
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _docs_of_builtins() -> Iterator[tuple[str, str, str]]:
    for cls in _BUILTIN_TYPES:
        for name in ("", *sorted(vars(cls))):
            member = vars(cls)[name] if name else cls
            doc = getattr(member, "__doc__", None)
            if isinstance(doc, str):
                yield (
                    (f"{cls.__name__}.{name}" if name else cls.__name__),
                    ("function" if name else "thing"),
                    doc,
                )


def _docs_of_topics() -> Iterator[tuple[str, str, str]]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        paragraphs = [
            p for p in re.split(r"\n\s*\n", topics[name]) if len(sentences_of(p)) >= MIN_SENTENCES
        ]
        for index, paragraph in enumerate(paragraphs):
            yield f"{name} (note {index + 1})", "thing", paragraph


def items_from_docs(
    docs: Iterator[tuple[str, str, str]], max_words: int = MAX_WORDS
) -> Iterator[PydocItem]:
    """Turn each (symbol, kind, docstring) into an item.

    A document is cut to whole sentences of at most `max_words` words; one with fewer than
    `MIN_SENTENCES` sentences left is dropped, and so is every repeat of a text.
    """
    seen: set[tuple[str, ...]] = set()
    for symbol, kind, doc in docs:
        kept: list[str] = []
        for sentence in sentences_of(doc):
            if sum(len(s.split()) for s in kept) + len(sentence.split()) > max_words:
                break
            kept.append(sentence)
        if len(kept) >= MIN_SENTENCES and tuple(kept) not in seen:
            seen.add(tuple(kept))
            yield PydocItem(symbol, _question(symbol, kind), tuple(kept))


@lru_cache(maxsize=1)
def pydoc_items() -> tuple[PydocItem, ...]:
    """Return every item of the embedded task, in a fixed order for a given Python version."""

    def docs() -> Iterator[tuple[str, str, str]]:
        yield from _docs_in_tree(Path(sysconfig.get_paths()["stdlib"]))
        yield from _docs_of_builtins()
        yield from _docs_of_topics()

    return tuple(items_from_docs(docs()))


def package_docs(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (symbol, kind, docstring) of every module under a package's folder, read as text."""
    yield from _docs_in_tree(root)
