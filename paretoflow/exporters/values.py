"""Values of an export's manifest; `reading` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoflow.core.inputs import Inputs
from paretoflow.core.settings import Settings
from paretoflow.core.values import Problem
from paretoflow.core.views import NamedFront


@dataclass(frozen=True)
class ManifestPoint:
    """One point of the manifest.

    Args:
        adapter: A path in the export, or None.
        digest: Digest of the evaluated adapter.
        condition: Condition that selects this point of the adapter, as JSON text; empty if the
            adapter serves one point.
        served: Digest of the adapter as written in the export; empty if it is the same.
        settings: Settings of its launch beside the weights.
    """

    snapshot_id: str
    run_id: str
    scores: tuple[float, ...]
    adapter: str | None
    digest: str
    condition: str = ""
    served: str = field(default="", compare=False)
    settings: Settings = field(default=(), compare=False)


@dataclass(frozen=True)
class ManifestConfirmation:
    """Results of the front on fresh prompts.

    Args:
        prompts: Number of fresh prompts.
        reported: Hypervolume of the confirmed points on the eval prompts.
        hypervolume: Hypervolume on the fresh prompts, with its 95 % interval.
        scores: Raw means on the fresh prompts, by checkpoint.
        beaten_by: Confirmed point that dominates it there, by checkpoint; empty for none.
    """

    prompts: int
    reported: float
    hypervolume: float
    interval: tuple[float, float]
    scores: dict[str, tuple[float, ...]]
    beaten_by: dict[str, str]


@dataclass(frozen=True)
class Manifest(NamedFront):
    """A manifest as values.

    Args:
        tag: The exporter that wrote it.
        corrected: Hypervolume without the luck of selection; None if not known.
        selected: Whether `interval` is that of `front.worth`; else only the front's own points were
            redrawn, as in earlier versions.
        rule: Number of the rule in `front.worth` that corrected the luck of selection.
        tables: Files of the tables `front` and `evaluations`.
        files: SHA-256 of every other file, by path.
        digest: SHA-256 of the manifest itself.
        inputs: Files and libraries that scores depend on; None if none were recorded.
        confirmation: Results on fresh prompts; None if no point was confirmed.
    """

    tag: str
    sweep: str
    snapshot: int | None
    problem: Problem
    ref_point: tuple[float, ...]
    hypervolume: float
    interval: tuple[float, float]
    points: tuple[ManifestPoint, ...]
    tables: dict[str, str]
    files: dict[str, str]
    digest: str
    after: int | None = None
    corrected: float | None = None
    selected: bool = True
    rule: int = 1
    inputs: Inputs | None = None
    confirmation: ManifestConfirmation | None = None
