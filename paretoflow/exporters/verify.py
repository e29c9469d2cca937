"""Verifies an export: its files, and the front that its evaluations give.

Digests detect changes by accident, or by someone who did not change the manifest. Recomputing the
front, its volume and its interval from the evaluations detects a changed manifest or table. A
person who changes the scores of all prompts, all results and all digests consistently is detected
only by a digest of the manifest that is kept elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paretoflow.core.errors import ExportError
from paretoflow.core.evaluation import Evaluation
from paretoflow.exporters.confirmed_faults import confirmation_faults
from paretoflow.exporters.manifest import MANIFEST
from paretoflow.exporters.plain_files import MOST_FILES, digest_in, folder_digest
from paretoflow.exporters.reading import (
    CHANGED,
    exported_evaluations,
    front_cells,
    marked_as_front,
    read_manifest,
)
from paretoflow.exporters.recomputed import mark_faults, recomputed_faults, rows_of_front
from paretoflow.exporters.values import Manifest, ManifestPoint

SHOWN = 50
"""Largest number of faults in a message."""


@dataclass(frozen=True)
class Verified:
    """Summary of the checks of a valid export.

    Args:
        files: Number of files whose SHA-256 was checked.
        adapters: Number of adapters whose SHA-256 was checked.
        rewritten: Number of these adapters that were checked as written in the export, not as
            evaluated: the same deltas, for other machines or programs.
        interval: Whether the bootstrap interval was recomputed; this needs scores of each prompt.
        digest: SHA-256 of the manifest.
    """

    manifest: Manifest
    files: int
    adapters: int
    rewritten: int
    evaluations: int
    interval: bool
    digest: str


def verify_export(out: Path, digest: str = "", besides: str = "") -> Verified:
    """Check every file of an export and recompute its front.

    Args:
        out: Folder of the export.
        digest: Required SHA-256 of the manifest, as kept elsewhere; empty for none.
        besides: A folder in it that is not checked, since the caller rewrites it; empty for none.

    Raises:
        ExportError: Lists all differences from the export as written.
    """
    manifest = read_manifest(out)
    faults = []
    if digest and manifest.digest != digest.lower():
        faults.append(f"{MANIFEST}: its SHA-256 is {manifest.digest}, not {digest.lower()}")
    plain, odd = _listing(out)
    if besides:
        manifest, plain = _without(manifest, plain, f"{besides}/")
    digests = _digests(out, manifest.files.keys() & plain, odd)
    faults += _file_faults(manifest, plain, odd, digests)
    faults += _adapter_faults(manifest, odd, digests)
    rows: list[Evaluation] = []
    try:
        if all(digests.get(name) == manifest.files.get(name) for name in manifest.tables.values()):
            faults += _front_faults(manifest, front_cells(manifest, out))
            rows = exported_evaluations(manifest, out)
            faults += recomputed_faults(manifest, rows)
            faults += mark_faults(manifest, rows, marked_as_front(manifest, out))
            faults += confirmation_faults(manifest)
    except ExportError as error:
        faults.append(f"{Path(error.where).name}: {error.what}")
    if faults:
        raise _tampered(out, faults)
    return Verified(
        manifest=manifest,
        files=len(manifest.files),
        adapters=len({p.adapter for p in manifest.points if p.adapter is not None}),
        rewritten=len({p.adapter for p in manifest.points if p.served}),
        evaluations=len(rows),
        interval=rows_of_front(manifest, rows) is not None,
        digest=manifest.digest,
    )


def _without(manifest: Manifest, there: set[str], folder: str) -> tuple[Manifest, set[str]]:
    files = {k: v for k, v in manifest.files.items() if not k.startswith(folder)}
    return replace(manifest, files=files), {n for n in there if not n.startswith(folder)}


def _tampered(out: Path, faults: Sequence[str]) -> ExportError:
    shown = [f"\n  {fault}" for fault in faults[:SHOWN]]
    more = f"\n  … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    count = f"{len(faults)} things are" if len(faults) > 1 else "one thing is"
    what = f"{count} not as exported:{''.join(shown)}{more}"
    hint = "do not use it; export it again, or fetch a whole copy"
    return ExportError(what, str(out), hint, code="export-damaged")


def _digests(out: Path, names: Iterable[str], odd: dict[str, str]) -> dict[str, str]:
    """Return the SHA-256 of files by name; add unreadable files to `odd`."""
    digests = {}
    for name in sorted(names):
        try:
            digests[name] = digest_in(out, name)
        except ExportError as error:
            odd[name] = error.what
        except OSError as error:
            odd[name] = f"cannot be read: {error.strerror or error}"
    return digests


def _file_faults(
    manifest: Manifest, there: set[str], odd: dict[str, str], digests: dict[str, str]
) -> Iterator[str]:
    """Yield faults of files: links, missing, changed and added files."""
    yield from (f"{name}: {what}" for name, what in sorted(odd.items()))
    for name, digest in sorted(manifest.files.items()):
        if name not in there:
            if name not in odd:
                yield f"{name}: is missing"
        elif name in digests and digests[name] != digest:
            yield f"{name}: {CHANGED}"
    yield from (f"{name}: was added" for name in sorted(there - manifest.files.keys() - {MANIFEST}))


def _listing(out: Path) -> tuple[set[str], dict[str, str]]:
    """Return the plain files of a folder, and all other entries; follow no link."""
    plain: set[str] = set()
    odd: dict[str, str] = {}
    for folder, folders, files in os.walk(out):
        for entry in [*folders, *files]:
            path = Path(folder) / entry
            name = path.relative_to(out).as_posix()
            if len(plain) + len(odd) >= MOST_FILES:
                return plain, odd | {".": f"holds more than {MOST_FILES:,} files"}
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                odd[name] = "is a link, an export has none"
            elif stat.S_ISREG(mode):
                plain.add(name)
            elif not stat.S_ISDIR(mode):
                odd[name] = "is no plain file"
    return plain, odd


def _adapter_faults(
    manifest: Manifest, odd: dict[str, str], digests: dict[str, str]
) -> Iterator[str]:
    """Yield the adapters that differ from the evaluated ones, or from those written."""
    for point in manifest.points:
        if point.adapter is None:
            continue
        inside = f"{point.adapter}/"
        if not any(name.startswith(inside) for name in [*digests, *odd]):
            yield f"{point.adapter}: the adapter is missing"
        elif any(name.startswith(inside) for name in odd):
            continue  # reported already
        elif folder_digest(digests, point.adapter) != (point.served or point.digest):
            yield f"{point.adapter}: the adapter is not the one that was evaluated"


def _front_faults(manifest: Manifest, rows: Sequence[ManifestPoint]) -> Iterator[str]:
    """Yield differences between the table of the front and the manifest, in any order."""
    table = manifest.tables["front"]
    ours = {p.snapshot_id: p for p in manifest.points}
    theirs = {p.snapshot_id: p for p in rows}
    if len(theirs) != len(rows):
        yield f"{table}: a point is there twice"
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            missing = MANIFEST if name not in ours else table
            yield f"{missing}: lacks the point {name}"
        elif ours[name].scores != theirs[name].scores:
            yield f"{table}: the scores of {name} are not those of {MANIFEST}"
        elif ours[name] != theirs[name]:
            yield f"{table}: the run, adapter or condition of {name} is not that of {MANIFEST}"
