"""Checks whether a manifest's results on fresh prompts follow from its scores there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paretoflow.exporters.manifest import MANIFEST
from paretoflow.exporters.values import Manifest
from paretoflow.front.dominance import dominates
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains

TOLERANCE = 1e-9
"""Relative tolerance: sums of many numbers may round differently on another machine."""


def confirmation_faults(manifest: Manifest) -> Iterator[str]:
    """Yield each hypervolume or beaten point that does not follow from the confirmed scores.

    The interval is not recomputed: that needs the scores of single prompts.
    """
    found, problem = manifest.confirmation, manifest.problem
    if found is None:
        return
    reported = {p.snapshot_id: p.scores for p in manifest.points}
    strangers = sorted(found.scores.keys() - reported.keys())
    if strangers:
        yield f"{MANIFEST}: confirms {', '.join(strangers)}, which the front does not have"
        return
    names = list(found.scores)
    was, now = (
        gains_of(np.array([each[n] for n in names]).reshape(-1, problem.m), problem)
        for each in (reported, found.scores)
    )
    for told, gains, what in ((found.reported, was, "eval"), (found.hypervolume, now, "fresh")):
        volume = hypervolume(gains, ref_gains(problem))
        if not np.isclose(volume, told, rtol=TOLERANCE, atol=0):
            yield (
                f"{MANIFEST}: hypervolume {told!r} of the confirmed points on {what} prompts, "
                f"their scores give {volume!r}"
            )
    for index, name in enumerate(names):
        rivals = [n for other, n in zip(now, names, strict=True) if dominates(other, now[index])]
        rival = found.beaten_by[name]
        if bool(rival) != bool(rivals) or (rival and rival not in rivals):
            yield f"{MANIFEST}: {name} is not told rightly as beaten or not on fresh prompts"
