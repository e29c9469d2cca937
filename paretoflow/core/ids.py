"""Content-derived identities: the same content always has the same name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value (mappings in any order), as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_folder(folder: Path) -> str:
    """Return one SHA-256 over the names and bytes of every file below a folder."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def run_id_of(index: int, proposal: Mapping[str, Any]) -> str:
    """Return the name of the sweep's `index`-th run, for instance `r0003-9f2c1a`."""
    return f"r{index:04d}-{digest_of(dict(proposal))[:6]}"


def snapshot_id_of(run_id: str, attempt: int, step: int, condition: int | None = None) -> str:
    """Return the name of a checkpoint, for instance `r0003-9f2c1a-a0-s0040`.

    Where a checkpoint serves many preferences, each has a name: the fourth is `...-s0040-c03`.
    """
    suffix = "" if condition is None else f"-c{condition:02d}"
    return f"{run_id}-a{attempt}-s{step:04d}{suffix}"


def seed_of(*parts: int | str) -> int:
    """Mix parts into a 32-bit seed that does not depend on the process or the platform."""
    digest = hashlib.sha256("\0".join(str(p) for p in parts).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def rng_of(*parts: int | str) -> np.random.Generator:
    """Return a generator seeded by `seed_of(*parts)`."""
    return np.random.default_rng(seed_of(*parts))
