"""Settings of launches, wherever weights are shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paretoflow.core.views import SweepView
from paretoflow.exporters.tables import front_table
from paretoflow.report.hover import Hover
from paretoflow.report.sections import points_html, runs_html
from tests.views import changed, two_objectives

SETTINGS = (("learning_rate", 0.00123), ("rank", 8))


@pytest.fixture
def view() -> SweepView:
    """A view whose first run, and its points, have settings."""
    plain = two_objectives()
    run = plain.runs[0]
    found = replace(run, proposal=replace(run.proposal, settings=SETTINGS))
    points = tuple(
        replace(p, proposal=found.proposal) if p.run_id == run.run_id else p
        for p in plain.front.points
    )
    front = replace(plain.front, points=points)
    return replace(plain, front=front, runs=(found, *plain.runs[1:]))


def test_tables_and_pictures_show_them(view: SweepView) -> None:
    text = "learning_rate 0.00123, rank 8"
    own = [e for e in view.evaluations if e.run_id == view.runs[0].run_id]
    assert runs_html(view).count(text) == 1
    assert text in points_html(view.front)
    assert f"with {text}" in Hover(view).text(own[0].snapshot_id, "here")


def test_the_export_has_them_as_json(view: SweepView) -> None:
    rows = front_table(view.front).to_pylist()
    told = {r["run_id"]: r["settings"] for r in rows}
    assert json.loads(told.pop(view.runs[0].run_id)) == dict(SETTINGS)
    assert set(told.values()) == {None}


def test_a_point_asked_otherwise_has_the_adapter_of_its_own_name(view: SweepView) -> None:
    point = view.front.points[0]
    cool = changed(point, snapshot_id="r0001-c12345-a0-s0040", condition={"temperature": 0.5})
    assert cool.adapter_name == "r0001-c12345-a0-s0040"
    served = changed(cool, snapshot_id="r0001-c12345-a0-s0040-c03")
    assert served.adapter_name == "r0001-c12345-a0-s0040"
