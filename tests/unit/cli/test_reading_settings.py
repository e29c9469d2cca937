"""front, pick and the routing of vLLM, where launches have settings of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.views import SweepView
from paretoflow.engine.read import sweep as engine_sweep
from paretoflow.exporters.routing import routing_of
from paretoflow.exporters.vllm_card import vllm_card
from tests.views import changed, two_objectives

SETTINGS = (("rank", 8), ("temperature", 0.5))


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepView:
    plain = two_objectives(tmp_path)
    points = tuple(
        changed(
            p,
            proposal=replace(p.proposal, settings=SETTINGS),
            condition={"temperature": 0.5},
        )
        for p in plain.front.points
        if p.proposal
    )
    made = replace(plain, front=replace(plain.front, points=points))
    (tmp_path / "spec.json").write_text('{"name": "demo"}')
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: made)
    monkeypatch.setenv("COLUMNS", "160")
    return made


def test_front_and_pick_say_what_the_launch_set(
    view: SweepView, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["front", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("rank 8, temperature 0.5") == len(view.front.points)
    assert view.front.points[0].snapshot_id in shown
    assert main(["pick", str(tmp_path), "--prefer", "coverage=1"]) == 0
    picked = capsys.readouterr().out
    assert "  with rank 8, temperature 0.5\n" in picked
    assert '# ask it with {"temperature": 0.5}' in picked


def test_a_request_to_vllm_draws_as_the_evaluation_did(view: SweepView) -> None:
    card = vllm_card(view, "vllm serve", routing_of(view.front, "base"))
    assert '"temperature": 0.5' in card
