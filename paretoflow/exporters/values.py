"""What an export says, as values; `reading` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoflow.core.inputs import Inputs
from paretoflow.core.settings import Settings
from paretoflow.core.values import Problem
from paretoflow.core.views import NamedFront


@dataclass(frozen=True)
class ManifestPoint:
    """One point as the manifest tells it.

    Args:
        adapter: A path in the export, or None.
        digest: Of the adapter that was evaluated.
        condition: How the adapter is asked for it, as JSON text; empty where it serves one point.
        served: Digest of the adapter as it is written here; empty where that is the same.
        settings: What its launch set beside the weights.
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
    """What the manifest says of the front on fresh prompts.

    Args:
        prompts: How many there were.
        reported: Hypervolume of the confirmed points on the eval prompts.
        hypervolume: On the fresh ones, with its 95 % interval.
        scores: By snapshot, raw means on the fresh prompts.
        beaten_by: By snapshot, which confirmed point dominates it there; empty for none.
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
        corrected: Hypervolume without the luck of being selected; None where there is none.
        selected: Whether `interval` is that of `front.worth`; else only the front's own points were
            redrawn, as earlier versions did.
        rule: Number of the rule in `front.worth` by which the luck of selection was taken off.
        tables: Files of the tables `front` and `evaluations`.
        files: SHA-256 of every other file, by path.
        digest: SHA-256 of the manifest itself.
        inputs: Files and libraries that scores depended on; None where none were noted.
        confirmation: None where no point was confirmed.
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
