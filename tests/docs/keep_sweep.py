"""Puts a sweep's ledger into `sweeps.tar.xz`, so that the pages may show what commands print of it.

`python -m tests.docs.keep_sweep sweeps/quickstart`; the earlier ledger of that name is replaced.
Adapters and answers stay out. The folder of the machine is taken out of the tables' logs.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ARCHIVE = Path(__file__).with_name("sweeps.tar.xz")


def keep(sweep: Path) -> None:
    """Replace a sweep in the archive."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(root, filter="data")
        kept = root / "sweeps" / sweep.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(sweep / "ledger", kept / "ledger")
        shutil.copy(sweep / "spec.json", kept)
        place = re.compile(rf"file://[^\"]*/(?={re.escape(sweep.name)}/ledger/)")
        for path in kept.rglob("_delta_log/*.json"):
            text = path.read_text(encoding="utf-8")
            path.write_text(place.sub("file:///sweeps/", text), encoding="utf-8")
        spec = json.loads((kept / "spec.json").read_text(encoding="utf-8"))
        text = json.dumps(spec | {"storage": "sweeps"}, indent=1)
        (kept / "spec.json").write_text(text, encoding="utf-8")
        with tarfile.open(ARCHIVE, "w:xz") as archive:
            archive.add(root / "sweeps", "sweeps", filter=_of_nobody)


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
