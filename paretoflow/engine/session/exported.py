"""Reads an export as a front that can be scored again: its adapters, base and scorers.

An export leaves out private inputs. A base in a folder is taken from the variable `BASE`, as its
card says. The owner's data cannot be drawn, so the user must give fresh prompts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paretoflow.core.confirmed import ConfirmedFront
from paretoflow.core.cost import Cost
from paretoflow.core.errors import ExportError, UserError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.views import FrontView
from paretoflow.engine.read.confirmations import FOLDER
from paretoflow.engine.session.confirm import Subject
from paretoflow.exporters.base_model import VARIABLE
from paretoflow.exporters.confirming import write_confirmation
from paretoflow.exporters.plain_files import LARGEST_TEXT, content_of
from paretoflow.exporters.reading import exported_evaluations
from paretoflow.exporters.values import Manifest, ManifestPoint
from paretoflow.exporters.verify import verify_export
from paretoflow.lm.start_files import START
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.public import PRIVATE
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder

SPEC_FILE = "spec.json"
_WHOLE = "confirm the sweep that it was exported from, or export it again as a folder"


def exported_subject(out: Path, *, own_data: bool, overrides: Sequence[str] = ()) -> Subject:
    """Return the front of an intact export, with the inputs to score it again.

    Args:
        out: Folder of the export.
        own_data: Whether fresh prompts come from a file of the user's.
        overrides: Each as `a.b=value`, for keys that the export leaves out.

    Raises:
        ExportError: If the export was changed, or holds no adapters or no spec.
        UserError: If an input that scoring needs is private to the export's owner.
        SpecError: If its spec cannot be read, or an override is faulty.
    """
    manifest = verify_export(out, besides=FOLDER).manifest
    if not any(p.adapter for p in manifest.points):
        what = f"holds no adapters: an export as {manifest.tag} is tables alone"
        raise ExportError(what, str(out), _WHOLE, code="export-incomplete")
    rows = {row.snapshot_id: row for row in exported_evaluations(manifest, out)}
    base = next((row for row in rows.values() if not row.digest), None)
    if base is None:
        raise ExportError(
            "holds no evaluation of the base", str(out), _WHOLE, code="export-incomplete"
        )
    spec, private = _spec_of(out, own_data, overrides)
    data = {rows[p.snapshot_id].data for p in manifest.points}
    return Subject(
        root=as_folder(out),
        front=_front_of(manifest, rows),
        base=base,
        spec=spec,
        settings={p.snapshot_id: p.settings for p in manifest.points},
        known=manifest.inputs,
        prompts=data.pop() if len(data) == 1 else "",
        private=private,
    )


def write_exported(out: Path, found: ConfirmedFront | None) -> None:
    """Write the confirmation into the export; see `write_confirmation`."""
    write_confirmation(out, found, FOLDER)


def _front_of(manifest: Manifest, rows: Mapping[str, Evaluation]) -> FrontView:
    points = [_point(p, rows[p.snapshot_id]) for p in manifest.points]
    return FrontView(
        sweep=manifest.sweep,
        snapshot=manifest.snapshot,
        problem=manifest.problem,
        hypervolume=manifest.hypervolume,
        hypervolume_ci=manifest.interval,
        points=tuple(points),
        finished=0,
        failed=0,
        pending=0,
        after=manifest.after,
        hypervolume_corrected=manifest.corrected,
    )


def _point(point: ManifestPoint, row: Evaluation) -> FrontPoint:
    return FrontPoint(
        evaluation=replace(
            row,
            run_id=point.run_id,
            path=point.adapter or "",
            digest=point.served or point.digest,
            condition=json.loads(point.condition) if point.condition else None,
        ),
        kind="",
        weights=None,
        proposal=None,
        cost=Cost(),
    )


def _spec_of(out: Path, own_data: bool, overrides: Sequence[str]) -> tuple[SweepSpec, bool]:
    """Return the spec with the user's overrides, and whether the source of the data is private."""
    where = f"{out}/{SPEC_FILE}"
    try:
        plain = json.loads(content_of(out, SPEC_FILE, LARGEST_TEXT))
    except FileNotFoundError:
        raise ExportError(
            "holds no spec, so nothing says what scored it",
            str(out),
            _WHOLE,
            code="export-incomplete",
        ) from None
    if plain["model"].get("path") == PRIVATE and os.environ.get(VARIABLE):
        plain["model"]["path"] = os.environ[VARIABLE]
    if plain["model"].get("adapter"):
        plain["model"]["adapter"] = str(out / START)
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    spec = load_spec_text(text, where, overrides, ".", files=False, stored=True)
    if _is_private(spec.model.model_dump(mode="json")):
        what = "its base is on no hub, and the export leaves out where it is"
        raise UserError(
            what, str(out), f"set {VARIABLE} to the folder of the base model", code="usage-private"
        )
    _require_trust(spec, out, {text.partition("=")[0].strip() for text in overrides})
    for number, objective in enumerate(spec.objectives):
        if _is_private(objective.model_dump(mode="json")):
            what = f"the export leaves out what is private of the objective {objective.name}"
            hint = f"give it, as in --set objectives.{number}.path=…; or confirm the sweep itself"
            raise UserError(what, str(out), hint, code="usage-private")
    private = _is_private(spec.data.model_dump(mode="json"))
    if private and not own_data:
        what = "its data is private to its owner: no fresh prompts can be drawn from it"
        raise UserError(
            what, str(out), "name a file of fresh prompts: --data FILE", code="usage-private"
        )
    return spec, private


def _require_trust(spec: SweepSpec, out: Path, given: Collection[str]) -> None:
    """Refuse to run code that an export names, unless the user names it too.

    Raises:
        UserError: With the option to give.
    """
    asked = {}
    if getattr(spec.model, "trust_remote_code", False):
        asked["model.trust_remote_code=true"] = "its base runs code from the base's repository"
    for number, objective in enumerate(spec.objectives):
        key, who = f"objectives.{number}", f"its objective {objective.name}"
        if getattr(objective, "trust_remote_code", False):
            asked[f"{key}.trust_remote_code=true"] = f"{who} runs code from a model's repository"
        if objective.type == "import":
            what = f"{who} calls {objective.path} of this machine"
            asked[f"{key}.path={objective.path}"] = what
    for said, what in asked.items():
        if said.partition("=")[0] not in given:
            raise UserError(what, str(out), f"if you trust it, --set {said}", code="usage-private")


def _is_private(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_private(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_is_private(item) for item in value)
    return bool(value == PRIVATE)
