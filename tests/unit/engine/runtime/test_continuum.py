"""One run of a method that serves all preferences: from training to pick, exports and report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults import raises
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
POINTS, STEPS = 5, 2


class Told:
    """Takes what an executor tells; see `engine.runtime.protocols.Attempt`."""

    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.signs = 0

    def tell(self, report: Any) -> None:
        self.reports.append(report)

    def progress(self, step: int | None = None) -> None:
        self.signs += 1

    def stopping(self) -> bool:
        return False

    def suspended(self) -> str:
        return ""


def job(base: Path, home: Path) -> Any:
    served = {"points": POINTS, "select": {"type": "rps", "k": 2}}
    method = {"type": "ric", "steps": STEPS, "batch_size": 2, "checkpoint_every": 1}
    return small_sweep("all-in-one", base, home, {**method, "serve": served})


@pytest.fixture(scope="module")
def swept(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """Return the folder of a sweep of one run, and the reports of its executor."""
    from paretoflow.core.launch import Launch
    from paretoflow.core.values import LaunchKind, Proposal, WeightVector
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from tests.unit.engine.telling import opened, proposed, started

    spec = job(tiny_base_dir, tmp_path_factory.mktemp("home"))
    root = sweep_root(spec)
    enter_folder(spec, root)
    executor = Executor(spec, root, threads=1)
    rows = executor.prepare()
    choice = Proposal(LaunchKind.WEIGHTED, WeightVector((0.5, 0.5)), 1, "Because.", "by hand")
    told = Told()
    assert executor.execute(Launch("r0000-abcdef", 0, choice), told) is None
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    begun = [proposed("r0000-abcdef", choice), started("r0000-abcdef")]
    ledger.append([opened(), *rows, *begun, *(e for r in told.reports for e in r.events)])
    return Path(str(root)), told


def test_a_checkpoint_gives_a_row_for_each_preference_all_at_once(swept: Any) -> None:
    _, told = swept
    assert len(told.reports) == STEPS
    for step, report in enumerate(told.reports, start=1):
        rows = [e for e in report.events if e.kind.value == "evaluated"]
        assert [e.snapshot_id for e in rows] == [
            f"r0000-abcdef-a0-s{step:04d}-c{c:02d}" for c in range(POINTS)
        ]
        assert len({(e.path, e.digest) for e in rows}) == 1
        assert [e.weights for e in rows] == [(c / 4, 1 - c / 4) for c in range(POINTS)]
        assert all(e.payload["condition"]["select"]["k"] == 2 for e in rows)
        assert all("given" not in e.payload for e in rows)
    assert [e.kind.value for r in told.reports for e in r.events].count("finished") == 1
    assert told.reports[-1].events[-1].kind.value == "finished"
    assert told.signs >= STEPS * (POINTS + 1)


def test_training_is_charged_once_and_every_evaluation_for_itself(swept: Any) -> None:
    _, told = swept
    for report in told.reports:
        first, *others = [e for e in report.events if e.kind.value == "evaluated"]
        answers = [4 * 2 * 9] * len(others)  # prompts, draws, tokens at most
        assert all(0 < e.tokens <= most for e, most in zip(others, answers, strict=True))
        assert first.tokens > max(e.tokens for e in others)
        assert all(e.wall_s > 0 for e in others)


def test_the_rows_of_a_checkpoint_are_in_one_fragment(swept: Any) -> None:
    from paretoflow.ledger.fragments import read_fragments

    root, told = swept
    fragments = [p for p in (root / "fragments").rglob("*") if p.is_file()]
    assert len(fragments) == STEPS
    found = Counter(e.event_id for e in read_fragments(root, known=frozenset()))
    assert found == Counter(e.event_id for r in told.reports for e in r.events)


def test_every_preference_keeps_its_answers(swept: Any) -> None:
    root, told = swept
    ids = {e.snapshot_id for r in told.reports for e in r.events if e.snapshot_id}
    assert {p.stem for p in (root / "answers").iterdir()} == {"base", *ids}


def test_pick_returns_the_condition_and_how_to_use_it(swept: Any, capsys: Any) -> None:
    from paretoflow.api import open_sweep
    from paretoflow.cli.main import main

    root, _ = swept
    front = open_sweep(str(root)).front()
    asked = [p for p in front if p.condition is not None]
    assert asked  # how many of the points of a random model are on the front is chance
    assert all(p.weights != (0.5, 0.5) or p.snapshot_id.endswith("c02") for p in asked)
    point = max(asked, key=lambda p: p.scores[1])
    assert main(["pick", str(root), "--prefer", "vowels=1", "--format", "json"]) == 0
    picked = json.loads(capsys.readouterr().out)
    assert picked["condition"] == point.condition
    assert picked["weights"] == list(point.weights)
    assert Path(picked["adapter"]).is_dir()
    assert main(["pick", str(root), "--prefer", "vowels=1"]) == 0
    text = capsys.readouterr().out
    assert "asked for brevity" in text
    assert "# keep the best of 2 answers" in text
    assert main(["front", str(root)]) == 0
    assert "rps of 2" in " ".join(capsys.readouterr().out.split())


@pytest.mark.few(3)
@pytest.mark.parametrize("tag", ["folder", "hub-folder", "vllm", "csv", "json", "arrow", "parquet"])
def test_exports_hold_the_adapter_once_and_verify(tag: str, swept: Any, tmp_path: Path) -> None:
    from paretoflow.api import open_sweep
    from paretoflow.exporters.reading import read_manifest
    from paretoflow.exporters.verify import verify_export

    root, _ = swept
    sweep = open_sweep(str(root))
    out = sweep.export(tmp_path / "out", format=tag)
    verified = verify_export(out)
    points = [p for p in sweep.front() if p.condition is not None]
    held = {p.adapter_name for p in points} if tag in ("folder", "hub-folder", "vllm") else set()
    assert verified.adapters == len(held)
    assert {p.parent.name for p in out.rglob("adapter_model.safetensors")} == held
    told = {p.snapshot_id: p.condition for p in read_manifest(out).points}
    for point in points:
        assert json.loads(told[point.snapshot_id]) == point.condition


def test_vllm_routes_to_one_model_and_says_how_to_ask(swept: Any, tmp_path: Path) -> None:
    from paretoflow.api import open_sweep

    root, _ = swept
    sweep = open_sweep(str(root))
    out = sweep.export(tmp_path / "out", format="vllm")
    routing = json.loads((out / "routing.json").read_text())
    conditions = {p.snapshot_id: (p.adapter_name, p.condition) for p in sweep.front()}
    asked = [row for row in routing["table"] if "condition" in row]
    assert asked
    assert all(conditions[r["point"]] == (r["model"], r["condition"]) for r in asked)
    names = {name for name, condition in conditions.values() if condition is not None}
    serve = (out / "serve.sh").read_text()
    assert all(serve.count(f"{name}=adapters/{name}") == 1 for name in names)


def test_a_changed_condition_is_found(swept: Any, tmp_path: Path) -> None:
    from paretoflow.api import open_sweep
    from paretoflow.exporters.verify import verify_export

    root, _ = swept
    out = open_sweep(str(root)).export(tmp_path / "out", format="json")
    manifest = json.loads((out / "manifest.json").read_text())
    next(p for p in manifest["points"] if p["condition"])["condition"]["prefix"] = "Lie: "
    (out / "manifest.json").write_text(json.dumps(manifest))
    with raises("export-damaged", "r0000-abcdef"):
        verify_export(out)


def test_the_report_labels_each_point_with_what_was_asked(swept: Any, tmp_path: Path) -> None:
    from paretoflow.api import open_sweep

    root, _ = swept
    page = open_sweep(str(root)).report(tmp_path / "report.html").read_text()
    assert "asked with rps of 2" in page
    assert "asked for brevity" in page
