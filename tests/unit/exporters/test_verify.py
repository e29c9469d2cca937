"""Every kind of tampering is found and named; the sound export passes whatever the order."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paretoflow.core.errors import ExportError
from paretoflow.core.views import SweepView
from paretoflow.exporters import exporter_of
from paretoflow.exporters.verify import verify_export
from paretoflow.front.bootstrap import hypervolume_interval
from paretoflow.front.orient import gains_of, ref_gains
from tests.faults import raises
from tests.views import measured, three_objectives, two_objectives


def exported(view: SweepView, out: Path, tag: str = "folder") -> Path:
    exporter_of(tag).export(view, out, lambda: b"picture", force=False)
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return exported(measured(two_objectives(tmp_path / "sweep")), tmp_path / "out")


def edit_table(out: Path, table: str, column: str, row: int, value: Any) -> None:
    path = out / f"{table}.parquet"
    rows = pq.read_table(path)
    cells = rows[column].to_pylist()
    cells[row] = value
    index = rows.column_names.index(column)
    pq.write_table(rows.set_column(index, column, pa.array(cells, rows[column].type)), path)


def edit_manifest(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = out / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def sign_again(out: Path) -> None:
    """Give the manifest the digests of the files as they are now, as a careful forger would."""

    def change(manifest: dict[str, Any]) -> None:
        for name in manifest["files"]:
            manifest["files"][name] = hashlib.sha256((out / name).read_bytes()).hexdigest()

    edit_manifest(out, change)


def faults(out: Path, digest: str = "") -> str:
    with pytest.raises(ExportError) as caught:
        verify_export(out, digest)
    assert caught.value.where == str(out)
    assert caught.value.hint
    return caught.value.what


def test_a_sound_export_tells_what_was_checked(out: Path) -> None:
    found = verify_export(out)
    assert (found.files, found.adapters, found.evaluations) == (16, 5, 8)
    assert found.interval
    assert found.digest == hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
    assert verify_export(out, found.digest.upper()) == found


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda out: (out / "README.md").write_text("nicer"), "README.md: was changed"),
        (lambda out: (out / "spec.yaml").unlink(), "spec.yaml: is missing"),
        (lambda out: (out / "adapters" / "more").write_text("x"), "adapters/more: was added"),
        (lambda out: (out / "link").symlink_to("/etc/hosts"), "link: is a link"),
        (lambda out: os.mkfifo(out / "pipe"), "pipe: is no plain file"),
    ],
)
def test_files_that_changed_went_or_came(
    out: Path, tamper: Callable[[Path], None], said: str
) -> None:
    tamper(out)
    assert faults(out) == f"one thing is not as exported:\n  {said}" + (
        ", its SHA-256 is another" if "changed" in said else
        ", an export has none" if "link" in said else ""
    )  # fmt: skip


def test_a_removed_adapter_file_is_named_with_its_adapter(out: Path) -> None:
    adapter = next((out / "adapters").iterdir())
    (adapter / "adapter_model.safetensors").unlink()
    said = faults(out)
    assert f"adapters/{adapter.name}/adapter_model.safetensors: is missing" in said
    assert f"adapters/{adapter.name}: the adapter is not the one that was evaluated" in said
    assert said.startswith("2 things are not as exported")


def test_an_adapter_behind_a_link_is_not_followed(out: Path, tmp_path: Path) -> None:
    adapter = next((out / "adapters").iterdir())
    adapter.rename(tmp_path / "elsewhere")
    adapter.symlink_to(tmp_path / "elsewhere")
    said = faults(out)
    assert f"adapters/{adapter.name}: is a link" in said
    assert f"adapters/{adapter.name}: the adapter is missing" in said


def test_swapped_adapters_are_found_even_with_new_digests_of_files(out: Path) -> None:
    first, second = sorted((out / "adapters").iterdir())[:2]
    weights = (first / "adapter_model.safetensors").read_bytes()
    (second / "adapter_model.safetensors").write_bytes(weights)
    sign_again(out)
    assert f"adapters/{second.name}: the adapter is not the one" in faults(out)


def test_an_edited_front_table_is_found_with_and_without_new_digests(out: Path) -> None:
    edit_table(out, "front", "score_coverage", 0, 0.99)
    said = faults(out)
    assert said == (
        "one thing is not as exported:\n  front.parquet: was changed, its SHA-256 is another"
    )
    sign_again(out)
    assert faults(out).startswith("one thing is not as exported:\n  front.parquet: the scores of")


def test_an_edited_score_does_not_follow_from_its_prompts(out: Path) -> None:
    edit_table(out, "evaluations", "score_coverage", 2, 0.9)
    sign_again(out)
    said = faults(out)
    assert "is not the mean of its prompts" in said
    assert "the evaluations give" in said


def test_an_edited_off_front_evaluation_that_should_be_on_it_is_found(out: Path) -> None:
    rows = pq.read_table(out / "evaluations.parquet").to_pylist()
    row = next(k for k, r in enumerate(rows) if not r["on_front"] and r["run_id"] != "base")
    edit_table(out, "evaluations", "score_coverage", row, 0.59)
    edit_table(out, "evaluations", "prompt_scores_coverage", row, [0.59] * 48)
    sign_again(out)
    assert f"manifest.json: lacks {rows[row]['snapshot_id']}, which no evaluation" in faults(out)


def test_a_wrong_mark_and_a_missing_row_are_found(out: Path) -> None:
    edit_table(out, "evaluations", "on_front", 0, True)
    sign_again(out)
    assert "base is marked wrongly as on or off the front" in faults(out)
    path = out / "evaluations.parquet"
    pq.write_table(pq.read_table(path).slice(2), path)
    sign_again(out)
    assert "evaluations.parquet: lacks the point" in faults(out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(hypervolume=99.0), "hypervolume 99.0, the evaluations give 16."),
        (lambda m: m.update(hypervolume_ci=[1.0, 99.0]), "interval (1.0, 99.0), the evaluations"),
        (lambda m: m.update(hypervolume_corrected=9.0), "corrected hypervolume 9.0, the eval"),
        (lambda m: m.update(hypervolume_corrected=None), "corrected hypervolume None, the"),
        (lambda m: m.update(ref_point=[0.0, 60.0]), "its reference point is not that of"),
        (lambda m: m["points"].pop(), "manifest.json: lacks the point"),
        (lambda m: m["points"][0].update(adapter_digest="0" * 64), "the adapter is not the one"),
        (lambda m: m["objectives"][1].update(direction="maximize"), "hypervolume"),
    ],
)
def test_a_rewritten_manifest_contradicts_the_evaluations(
    out: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    edit_manifest(out, change)
    assert said in faults(out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("points"), "is damaged: KeyError 'points'"),
        (lambda m: m.update(format="other"), "its format is 'other'"),
        (lambda m: m.update(format_version=9), "written by a newer version: format 9"),
        (lambda m: m["files"].update({"../../x": "0"}), "files outside the export: '../../x'"),
        (lambda m: m["points"][0].update(adapter="/etc"), "lies outside the export"),
        (lambda m: m["points"][0]["scores"].update(coverage="1"), "'1' is no finite number"),
        (lambda m: m.update(tables={"front": "x.parquet"}), "not among its files"),
        (lambda m: m.update(objectives=[]), "names no objective"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    out: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    edit_manifest(out, change)
    with pytest.raises(ExportError, match=r"manifest\.json") as caught:
        verify_export(out)
    assert said in caught.value.what


def test_no_export_and_broken_json_are_said_plainly(tmp_path: Path, out: Path) -> None:
    with raises("export-not-found", "manifest.json"):
        verify_export(tmp_path / "nowhere")
    (out / "manifest.json").write_text("{")
    with raises("export-damaged", "JSONDecodeError"):
        verify_export(out)


@pytest.mark.parametrize("tag", ["parquet", "arrow", "json", "csv"])
def test_a_torn_table_is_named(tmp_path: Path, tag: str) -> None:
    out = exported(measured(three_objectives(tmp_path / "sweep")), tmp_path / "out", tag)
    path = out / f"evaluations.{tag}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert f"evaluations.{tag}: was changed" in faults(out)
    sign_again(out)
    assert f"evaluations.{tag}: was changed" not in faults(out)


def test_only_a_digest_kept_elsewhere_finds_a_consistent_forgery(out: Path, tmp_path: Path) -> None:
    known = verify_export(out).digest
    forged = measured(two_objectives(tmp_path / "sweep2"))
    rows = tuple(
        dataclasses.replace(e, cost=dataclasses.replace(e.cost, tokens=1))
        for e in forged.evaluations
    )
    other = exported(dataclasses.replace(forged, evaluations=rows), tmp_path / "forged")
    verify_export(other)
    assert "manifest.json: its SHA-256 is" in faults(other, known)


def test_equal_scores_are_one_point_and_either_may_stand_for_it(tmp_path: Path) -> None:
    view = measured(two_objectives(tmp_path / "sweep"))
    first = view.front.points[0]
    row = next(e for e in view.evaluations if e.snapshot_id == first.snapshot_id)
    twin = dataclasses.replace(row, snapshot_id="twin", run_id="base", path="", digest="")
    verify_export(
        exported(dataclasses.replace(view, evaluations=(twin, *view.evaluations)), tmp_path / "o")
    )


def test_without_scores_of_prompts_the_interval_is_not_computed(tmp_path: Path) -> None:
    view = measured(two_objectives(tmp_path / "sweep"))
    rows = tuple(dataclasses.replace(e, prompt_scores=np.empty(0), n=0) for e in view.evaluations)
    volume = view.front.hypervolume
    front = dataclasses.replace(
        view.front, hypervolume_ci=(volume, volume), hypervolume_corrected=None
    )
    bare = dataclasses.replace(view, evaluations=rows, front=front)
    found = verify_export(exported(bare, tmp_path / "out"))
    assert not found.interval


def test_an_export_of_the_first_version_can_be_checked(out: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["format_version"] = 1
        del manifest["tables"], manifest["export"]

    edit_manifest(out, change)
    assert verify_export(out).manifest.tag == "folder"


def test_an_export_of_before_the_correction_is_checked_by_its_own_rule(tmp_path: Path) -> None:
    view = measured(two_objectives(tmp_path / "sweep"))
    rows = {e.snapshot_id: e for e in view.evaluations}
    problem = view.front.problem
    own = [gains_of(rows[p.snapshot_id].prompt_scores.T, problem).T for p in view.front.points]
    interval = hypervolume_interval(np.stack(own), ref_gains(problem))

    def change(manifest: dict[str, Any]) -> None:
        del manifest["hypervolume_corrected"]
        manifest["hypervolume_ci"] = list(interval)

    out = exported(view, tmp_path / "out")
    edit_manifest(out, change)
    assert verify_export(out).manifest.interval == interval
    edit_manifest(out, lambda manifest: manifest.update(hypervolume_ci=[1.0, 2.0]))
    assert "interval (1.0, 2.0), the evaluations give" in faults(out)


def test_many_faults_are_counted_and_the_first_shown(out: Path) -> None:
    for k in range(60):
        (out / f"extra-{k:02d}").write_text("x")
    said = faults(out)
    assert said.startswith("60 things are not as exported")
    assert said.endswith("… and 10 more")


def test_what_a_manifest_says_of_fresh_prompts_follows_from_its_scores(tmp_path: Path) -> None:
    from paretoflow.core.confirmed import Confirmation, FreshFacts
    from paretoflow.core.evaluation import Evaluation
    from paretoflow.front.confirmed import confirmed_front

    view = measured(two_objectives(tmp_path / "sweep"))
    rng = np.random.default_rng(0)
    fresh = {
        p.snapshot_id: Evaluation.of_prompts(
            p.evaluation.scores[:, None] + rng.normal(size=(2, 9)) * [[0.02], [2]]
        )
        for p in view.front.points
    }
    facts = FreshFacts("here", 9, "", 0, 0.0)
    found = confirmed_front(view.front, Confirmation(facts, fresh))
    out = exported(dataclasses.replace(view, confirmation=found), tmp_path / "out")
    assert verify_export(out).manifest.confirmation is not None

    def told(change: Callable[[dict[str, Any]], None]) -> str:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        edit_manifest(copy, lambda manifest: change(manifest["confirmation"]))
        return faults(copy)

    assert "on fresh prompts, their scores give" in told(lambda c: c.update(hypervolume=9e9))
    assert "on eval prompts" in told(lambda c: c.update(hypervolume_reported=9e9))
    assert "beaten or not" in told(lambda c: c["points"][0].update(beaten_by="somebody"))
    assert "the front does not have" in told(lambda c: c["points"][0].update(snapshot_id="x"))


def test_an_export_that_was_judged_by_the_former_rule_is_sound_by_that(tmp_path: Path) -> None:
    from paretoflow.front.claimed import claimed_worth
    from paretoflow.front.worth import RULES

    view = measured(two_objectives(tmp_path / "sweep"))
    names = {p.snapshot_id for p in view.front.points}
    claimed = [k for k, row in enumerate(view.evaluations) if row.snapshot_id in names]
    former = claimed_worth(view.evaluations, claimed, view.front.problem, RULES[1])
    assert former is not None
    front = dataclasses.replace(
        view.front, hypervolume_ci=former.interval, hypervolume_corrected=former.corrected
    )
    out = exported(dataclasses.replace(view, front=front), tmp_path / "out")
    assert "corrected hypervolume" in faults(out)
    edit_manifest(out, lambda manifest: manifest.pop("hypervolume_rule"))
    assert verify_export(out).interval
    edit_manifest(out, lambda manifest: manifest.update(hypervolume_rule=99))
    with raises("export-damaged", "99", "hypervolume"):
        verify_export(out)
