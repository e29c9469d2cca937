"""Writes the scores of a front on fresh prompts into its export: card, manifest and digests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from paretoflow.core.confirmed import ConfirmedFront
from paretoflow.core.shown import shown
from paretoflow.exporters.confirmed_card import HEADING, confirmed_lines
from paretoflow.exporters.manifest import MANIFEST, digest_of_file
from paretoflow.exporters.plain_files import LARGEST_TEXT, content_of
from paretoflow.storage.output import write_file

CARD = "README.md"
_BEFORE = ("## Use one", "## Check")
"""Headings of cards: the section is inserted before the first of them."""


def write_confirmation(out: Path, found: ConfirmedFront | None, folder: str) -> None:
    """Write the results on fresh prompts into the card and the manifest of an export.

    Only the digests of the card and of the scores behind it are renewed, so that `verify` still
    finds any other change. The manifest is written last.

    Args:
        out: The export; it was verified, except for that folder.
        found: The results; they replace earlier ones. None if no point has scores yet.
        folder: Folder in the export with the scores of single prompts; it may not exist yet.

    Raises:
        StorageError: If a file cannot be written.
    """
    plain = json.loads(content_of(out, MANIFEST, LARGEST_TEXT))
    kept = sorted(p.relative_to(out).as_posix() for p in (out / folder).glob("*"))
    if not kept:
        return
    card = content_of(out, CARD, LARGEST_TEXT).decode()
    if found is not None:
        write_file(out / CARD, shown(card_with(card, confirmed_lines(found))).encode())
        plain["confirmation"] = found.to_dict()
    files = {k: v for k, v in plain["files"].items() if not k.startswith(f"{folder}/")}
    files |= {name: digest_of_file(out / name) for name in (CARD, *kept)}
    plain["files"] = dict(sorted(files.items()))
    text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    write_file(out / MANIFEST, shown(text).encode())


def card_with(card: str, section: Sequence[str]) -> str:
    """Return a card with a new section on the confirmation, which replaces the present one.

    By hand: in `# a`, the section, `## Use one` the section is replaced; without one, the new
    section is inserted before `## Use one`.
    """
    lines = card.splitlines()
    if HEADING in lines:
        start = lines.index(HEADING)
        rest = range(start + 1, len(lines))
        end = next((i for i in rest if lines[i].startswith(("## ", "**"))), len(lines))
    else:
        start = next((i for i, line in enumerate(lines) if line in _BEFORE), len(lines))
        end = start
    return "\n".join([*lines[:start], *section, *lines[end:], ""])
