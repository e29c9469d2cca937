"""What every exporter promises, whatever it writes; then what its own format promises."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from paretoflow.core.ids import digest_of_folder
from paretoflow.core.views import SweepView
from paretoflow.exporters import TAGS, Exporter, build_exporter, exporter_of
from paretoflow.exporters.verify import verify_export
from paretoflow.spec.exporters import (
    ArrowExportSpec,
    CsvExportSpec,
    ExporterSpec,
    FolderExportSpec,
    HubFolderExportSpec,
    JsonExportSpec,
    ParquetExportSpec,
    VllmExportSpec,
)
from tests.faults import raises
from tests.views import changed, measured, three_objectives, two_objectives

EXAMPLES: dict[str, ExporterSpec] = {
    "folder": FolderExportSpec(),
    "parquet": ParquetExportSpec(),
    "json": JsonExportSpec(),
    "csv": CsvExportSpec(),
    "arrow": ArrowExportSpec(),
    "hub-folder": HubFolderExportSpec(),
    "vllm": VllmExportSpec(),
}
WITH_ADAPTERS = ("folder", "hub-folder", "vllm")


def PICTURE() -> bytes:  # noqa: N802 - used like a constant
    return b"\x89PNG a picture"


@pytest.fixture
def view(tmp_path: Path) -> SweepView:
    return measured(two_objectives(tmp_path / "sweeps" / "demo"))


@pytest.fixture
def exporter(tag: str) -> Exporter:
    return build_exporter(EXAMPLES[tag])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "exports" / "mine"


def repointed(view: SweepView, **changes: object) -> SweepView:
    """Return the view with its first point changed."""
    point = changed(view.front.points[0], **changes)
    front = dataclasses.replace(view.front, points=(point, *view.front.points[1:]))
    return dataclasses.replace(view, front=front)


def test_tags_union_and_examples_are_the_same() -> None:
    union, _ = typing.get_args(ExporterSpec)
    members = typing.get_args(union)
    tags = {member.model_fields["type"].default for member in members}
    assert tags == set(TAGS) == set(EXAMPLES)


def test_an_unknown_tag_is_refused_with_the_nearest() -> None:
    spec = FolderExportSpec.model_construct(type="foldr")  # type: ignore[arg-type]
    with raises("plugin-unknown", "'foldr'", "folder?"):
        build_exporter(spec)
    with raises("plugin-unknown", "'parket'", "parquet?"):
        exporter_of("parket")


@pytest.mark.parametrize("tag", sorted(EXAMPLES))
class TestEveryExporter:
    def test_its_tag_alone_builds_it(self, exporter: Exporter, tag: str) -> None:
        assert type(exporter_of(tag)) is type(exporter)

    @pytest.mark.parametrize("made", [two_objectives, three_objectives])
    def test_what_it_writes_verifies(
        self, exporter: Exporter, made: typing.Any, tmp_path: Path, out: Path, tag: str
    ) -> None:
        view = measured(made(tmp_path / "sweep"))
        exporter.export(view, out, PICTURE, force=False)
        found = verify_export(out)
        assert found.manifest.tag == tag
        assert found.evaluations == len(view.evaluations)
        assert found.interval
        assert found.adapters == (len(view.front.points) if tag in WITH_ADAPTERS else 0)

    def test_it_writes_out_and_nothing_beside_it(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        exporter.export(view, out, PICTURE, force=False)
        assert [p.name for p in out.parent.iterdir()] == ["mine"]

    def test_it_leaves_the_sweep_as_it_was(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        before = digest_of_folder(Path(view.root))
        exporter.export(view, out, PICTURE, force=False)
        assert digest_of_folder(Path(view.root)) == before

    def test_an_earlier_export_is_replaced_only_by_force(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        exporter.export(view, out, PICTURE, force=False)
        (out / "note").write_bytes(b"older")
        with raises("usage-occupied", str(out), "--force"):
            exporter.export(view, out, PICTURE, force=False)
        assert (out / "note").read_bytes() == b"older"
        exporter.export(view, out, PICTURE, force=True)
        assert not (out / "note").exists()
        assert [p.name for p in out.parent.iterdir()] == ["mine"]

    def test_force_never_replaces_anything_else(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        out.mkdir(parents=True)
        (out / "thesis.txt").write_text("precious")
        with raises("usage-occupied", str(out)):
            exporter.export(view, out, PICTURE, force=True)
        link = out.parent / "link"
        link.symlink_to(out)
        with raises("usage-occupied", str(link)):
            exporter.export(view, link, PICTURE, force=True)
        assert (out / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("tag", WITH_ADAPTERS)
class TestExportersOfAdapters:
    def test_a_changed_adapter_is_refused_and_nothing_is_left(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        adapter = Path(view.root) / view.front.points[0].path / "adapter_model.safetensors"
        adapter.write_bytes(b"other weights")
        with raises("adapter-changed", "adapter_model.safetensors"):
            exporter.export(view, out, PICTURE, force=False)
        assert list(out.parent.iterdir()) == []

    def test_a_missing_adapter_is_refused(
        self, exporter: Exporter, view: SweepView, out: Path
    ) -> None:
        folder = Path(view.root) / view.front.points[0].path
        folder.rename(folder.with_name("elsewhere"))
        with raises("adapter-gone", str(folder)):
            exporter.export(view, out, PICTURE, force=False)

    def test_links_are_not_followed(
        self, exporter: Exporter, view: SweepView, out: Path, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("secret")
        (Path(view.root) / view.front.points[0].path / "extra").symlink_to(secret)
        with raises("model-export", "links"):
            exporter.export(view, out, PICTURE, force=False)

    @pytest.mark.parametrize("name", ["../../escaped", "/etc/escaped", "..", ".hidden", "a/b", ""])
    def test_names_cannot_leave_the_export(
        self, exporter: Exporter, view: SweepView, out: Path, name: str
    ) -> None:
        with raises("model-export", repr(name)):
            exporter.export(repointed(view, snapshot_id=name), out, PICTURE, force=False)
        assert list(out.parent.iterdir()) == []

    def test_adapters_outside_the_sweep_are_refused(
        self, exporter: Exporter, view: SweepView, out: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        with raises("model-export", "../../other"):
            exporter.export(repointed(view, path="../../other"), out, PICTURE, force=False)


def exported(view: SweepView, out: Path) -> Path:
    build_exporter(FolderExportSpec()).export(view, out, PICTURE, force=False)
    return out


def test_folder_holds_what_it_says(view: SweepView, out: Path) -> None:
    names = {p.name for p in exported(view, out).iterdir()}
    assert names == {
        "README.md",
        "adapters",
        "evaluations.parquet",
        "front.parquet",
        "front.png",
        "manifest.json",
        "spec.json",
        "spec.yaml",
    }
    assert {p.name for p in (out / "adapters").iterdir()} == {
        p.snapshot_id for p in view.front.points
    }


def test_folder_manifest_vouches_for_every_file(view: SweepView, out: Path) -> None:
    manifest = json.loads((exported(view, out) / "manifest.json").read_text())
    there = {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in out.rglob("*")
        if p.is_file() and p.name != "manifest.json"
    }
    assert manifest["files"] == there
    assert (manifest["sweep"], manifest["snapshot"]) == ("demo", 3)
    assert manifest["ref_point"] == [0.05, 60.0]
    assert manifest["hypervolume_ci"] == list(view.front.hypervolume_ci)
    for point in manifest["points"]:
        assert digest_of_folder(out / point["adapter"]) == point["adapter_digest"]


def test_folder_spec_is_the_same_in_both_notations(view: SweepView, out: Path) -> None:
    exported(view, out)
    assert json.loads((out / "spec.json").read_text()) == view.spec
    assert yaml.safe_load((out / "spec.yaml").read_text()) == view.spec


def test_folder_front_table_has_scores_errors_and_provenance(tmp_path: Path, out: Path) -> None:
    view = three_objectives(tmp_path / "sweep")
    rows = pq.read_table(exported(view, out) / "front.parquet").to_pylist()
    assert [r["snapshot_id"] for r in rows] == [p.snapshot_id for p in view.front.points]
    first, second = rows[0], rows[1]
    assert (first["score_coverage"], first["stderr_length"]) == (0.52, 1.3)
    assert first["threshold_length"] is None
    assert second["kind"] == "constrained"
    assert (second["target"], second["threshold_length"]) == ("coverage", 36.0)
    assert (second["weight_coverage"], second["weight_grounding"]) == (0.5, 0.5)
    assert second["parent"] == view.runs[0].run_id + "-a0-s0040"
    assert second["seed"] == 1005
    assert (out / second["adapter"]).is_dir()
    assert second["diagnostic_kl"] == pytest.approx(2.4)


def test_folder_evaluations_keep_every_prompt(view: SweepView, out: Path) -> None:
    table = pq.read_table(exported(view, out) / "evaluations.parquet")
    assert table.num_rows == len(view.evaluations)
    base = table.to_pylist()[0]
    assert base["run_id"] == "base"
    assert base["weight_coverage"] is None
    assert base["prompt_scores_length"] == pytest.approx(view.evaluations[0].prompt_scores[1])
    assert sum(table["on_front"].to_pylist()) == len(view.front.points)


def test_folder_card_shows_the_points_and_how_to_load_one(view: SweepView, out: Path) -> None:
    card = (exported(view, out) / "README.md").read_text()
    assert card.startswith("# demo: a Pareto front of adapters")
    assert "| 1 | 0.52 ± 0.018 | 47.5 ± 1.3 | 1.00, 0.00 |" in card
    assert f'PeftModel.from_pretrained(base, "adapters/{view.front.points[2].snapshot_id}")' in card
    assert "TINY_BASE_DIR" in card


def test_folder_card_names_a_pretrained_base(view: SweepView, out: Path) -> None:
    model = {"type": "pretrained", "path": "org/model", "revision": "abc"}
    card = exported(dataclasses.replace(view, spec={**view.spec, "model": model}), out)
    line = "base = AutoModelForCausalLM.from_pretrained('org/model', revision='abc')"
    assert line in (card / "README.md").read_text()


def test_folder_of_a_front_with_only_the_base(view: SweepView, out: Path) -> None:
    base = changed(
        view.front.points[0],
        snapshot_id="base",
        run_id="base",
        kind="base",
        weights=None,
        path="",
        digest="",
        proposal=None,
    )
    front = dataclasses.replace(view.front, points=(base,))
    folder = exported(dataclasses.replace(view, front=front), out)
    assert not (folder / "adapters").exists()
    assert "nothing to load" in (folder / "README.md").read_text()
    assert pq.read_table(folder / "front.parquet")["adapter"].to_pylist() == [None]


def test_folder_without_prompt_scores_as_simulations_have_none(view: SweepView, out: Path) -> None:
    import numpy as np

    rows = tuple(dataclasses.replace(e, prompt_scores=np.empty(0), n=0) for e in view.evaluations)
    folder = exported(dataclasses.replace(view, evaluations=rows), out)
    table = pq.read_table(folder / "evaluations.parquet")
    assert table["prompt_scores_coverage"].null_count == len(rows)
