"""Digests of the files of a saved model that decide its answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

_READ = re.compile(
    r".*\.(safetensors|py|jinja|model|tiktoken)"
    r"|(.*\.index|config|generation_config|tokenizer.*|special_tokens_map|added_tokens"
    r"|chat_template.*|vocab.*|merges.*)\.(json|txt)"
)
"""Files that transformers reads from a folder; other files, such as notes and logs, do not
count."""


def model_files(
    path: str, commit: str | None, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the SHA-256 of each file of a model, by its name in the folder.

    Args:
        path: Folder, or hub id.
        commit: Commit of a model from the hub, if known.
        known: Digests computed earlier: weights may be large.
    """
    folder = Path(path)
    if not folder.is_dir():
        return {"the revision": commit or ""}
    files = sorted([*folder.iterdir(), *folder.glob("additional_chat_templates/*")])
    names = {p.relative_to(folder).as_posix(): p for p in files if _READ.fullmatch(p.name)}
    known = known or {}
    return {n: known.get(n) or digest_of_file(p) for n, p in names.items() if p.is_file()}


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
