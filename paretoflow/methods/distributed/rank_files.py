"""Transfer of trainer state between ranks without a shared disk; rank 0 keeps the files.

Under DeepSpeed every rank writes its part of the state. With one shared folder there is nothing to
do. Where a worker group spans machines without a shared file system, the parts are sent to rank 0
when a state is saved, and back when a run resumes from it. A LoRA adapter's state is small.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import distributed

from paretoflow.methods.distributed.ranks import Ranks


def collect(folder: Path, ranks: Ranks) -> list[str]:
    """Copy the files of every rank to rank 0's disk; every rank must call it.

    A rank with a disk of its own deletes its files.

    Returns:
        Names of all files, in order: rank 0's directory may list them late on a network disk.
    """
    mine = _names(folder)
    if ranks.parallel.ranks == 1:
        return mine
    apart = not _sees_main_disk(folder.parent, ranks)
    listings: list[list[str]] = [[] for _ in range(ranks.parallel.ranks)]
    distributed.all_gather_object(listings, mine)  # every rank has written by now
    if ranks.any(flag=apart):
        parts: list[dict[str, bytes]] = [{} for _ in listings]
        own = _read(folder, mine) if apart else {}
        distributed.gather_object(own, parts if ranks.main else None, dst=0)
        for part in parts:
            _write(folder, part)
        if apart:
            shutil.rmtree(folder, ignore_errors=True)  # a neighbour may delete it too
    return sorted({name for listing in listings for name in listing})


@contextmanager
def lent(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Lend rank 0's files of a folder to the ranks without it, for the block."""
    borrowed = False
    if ranks.parallel.ranks > 1:
        here = folder.is_dir()
        if ranks.any(flag=not here):
            files = [_read(folder, _names(folder)) if ranks.main else {}]
            distributed.broadcast_object_list(files, src=0)
            borrowed = not here
            if borrowed:
                _write(folder, files[0])
            ranks.any(flag=False)  # a neighbour may write the same files, and be slower
    try:
        yield
    finally:
        if borrowed:
            shutil.rmtree(folder, ignore_errors=True)


def _sees_main_disk(folder: Path, ranks: Ranks) -> bool:
    """Return whether this rank's folder is rank 0's; a uniquely named file bypasses NFS caching."""
    token = [uuid.uuid4().hex]
    distributed.broadcast_object_list(token, src=0)
    mark = folder / f".disk-{token[0]}"
    if ranks.main:
        mark.touch()
    ranks.any(flag=False)
    seen = mark.exists()
    ranks.any(flag=False)
    if ranks.main:
        mark.unlink()
    return seen


def _names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _read(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
