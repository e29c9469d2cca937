"""`paretoflow verify`: check that an export is unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo
from paretoflow.cli.options import Format, FormatOption

if TYPE_CHECKING:
    from paretoflow.exporters.values import ManifestConfirmation
    from paretoflow.exporters.verify import Verified


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of an export.")],
    digest: Annotated[
        str,
        typer.Option(
            "--digest",
            metavar="SHA256",
            help="What `paretoflow export` printed: finds even a manifest that was rewritten.",
            show_default=False,
        ),
    ] = "",
    format: FormatOption = Format.TEXT,
) -> None:
    """Check every file of an export, and recompute its front from the exported evaluations.

    It compares the SHA-256 of every file and adapter, the non-dominated points, the hypervolume and
    its interval. It needs no sweep and no network. Exit status 2 if anything differs; all
    differences are listed.

    Only --digest detects an export in which the scores of every prompt, everything derived from
    them and all digests were rewritten consistently.
    """
    from paretoflow.exporters.manifest import MANIFEST
    from paretoflow.exporters.verify import verify_export

    found = verify_export(out, digest)
    if format is Format.JSON:
        echo(json.dumps(_facts(out, found), indent=1))
        return
    manifest = found.manifest
    low, high = manifest.interval
    interval = f" (95 % {low:.4g} to {high:.4g})" if found.interval else ""
    echo(f"{out} is as exported: {manifest.front_name}")
    echo(f"  {found.files} files and {found.adapters} adapters have their SHA-256")
    if found.rewritten:
        echo(f"  {found.rewritten} of them: as written, not as evaluated; {MANIFEST} has both")
    echo(
        f"  {found.evaluations} evaluations give the same {len(manifest.points)} points and the "
        f"same hypervolume {manifest.hypervolume:.4g}{interval}"
    )
    if not found.interval:
        echo("  the interval was not computed: scores of single prompts were not kept")
    if manifest.confirmation is not None:
        _tell_confirmed(manifest.confirmation)
    if not digest:
        echo(f"  not asked: whether all was rewritten alike; --digest {found.digest}")


def _tell_confirmed(found: ManifestConfirmation) -> None:
    low, high = found.interval
    points = "1 point" if len(found.scores) == 1 else f"{len(found.scores)} points"
    echo(
        f"  confirmed on {found.prompts} fresh prompts: the scores of {points} give "
        f"hypervolume {found.hypervolume:.4g} (95 % {low:.4g} to {high:.4g}), reported "
        f"{found.reported:.4g}"
    )


def _facts(out: Path, found: Verified) -> dict[str, object]:
    from paretoflow.core.views import front_number

    manifest, confirmed = found.manifest, found.manifest.confirmation
    return {
        "export": str(out),
        "format": manifest.tag,
        "sweep": manifest.sweep,
        **front_number(manifest.snapshot, manifest.after),
        "files": found.files,
        "adapters": found.adapters,
        "adapters_rewritten": found.rewritten,
        "evaluations": found.evaluations,
        "points": len(manifest.points),
        "hypervolume": manifest.hypervolume,
        "hypervolume_ci": list(manifest.interval),
        "interval_recomputed": found.interval,
        "confirmed": None if confirmed is None else confirmed.hypervolume,
        "manifest_digest": found.digest,
    }
