from __future__ import annotations

import dataclasses
import json
import warnings
from typing import Any

import pytest

from paretoflow.core.views import SweepView
from paretoflow.report.figures import front_figures, growth_figures, plane_figure
from tests.views import changed, three_objectives, two_objectives


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_two_objectives_make_a_plane_and_three_a_space() -> None:
    assert list(front_figures(two_objectives())) == ["front"]
    assert list(front_figures(three_objectives())) == ["front", "parallel"]


def test_the_plane_separates_front_dominated_and_base() -> None:
    figure = plane_figure(two_objectives())
    assert named(figure, "dominated")["x"] == [0.33, 0.22]
    assert named(figure, "base model")["x"] == [0.31]
    assert named(figure, "front, weighted")["x"] == [0.52, 0.35, 0.14]
    assert named(figure, "front, weighted")["error_y"]["array"] == [1.3] * 3
    assert named(figure, "front, constrained")["text"] == ["2", "4"]


def test_axes_are_turned_so_that_better_is_up_and_right() -> None:
    layout = plane_figure(two_objectives())["layout"]
    assert layout["xaxis"]["range"][0] < layout["xaxis"]["range"][1]
    assert layout["yaxis"]["range"][0] > layout["yaxis"]["range"][1]


def test_the_shaded_region_has_the_area_of_the_hypervolume() -> None:
    view = two_objectives()
    region = named(plane_figure(view), "hypervolume")
    corners = list(zip(region["x"], region["y"], strict=True))
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)) / 2
    assert area == pytest.approx(view.front.hypervolume)


def test_a_base_on_the_front_is_drawn_once_as_the_base() -> None:
    view = two_objectives()
    base = changed(
        view.front.points[2], snapshot_id="base", run_id="base", kind="base", proposal=None
    )
    points = (*view.front.points[:2], base, *view.front.points[3:])
    shown = dataclasses.replace(view, front=dataclasses.replace(view.front, points=points))
    figure = plane_figure(shown)
    assert named(figure, "base model")["x"] == [0.31]
    assert "front, base" not in {trace["name"] for trace in figure["data"]}


def test_parallel_lines_are_shares_of_the_frozen_ranges() -> None:
    """Point 1 is (0.52, 47.5, 0.55); the ranges are 0.1..0.6, 55..5 and 0.2..1."""
    parallel = front_figures(three_objectives())["parallel"]
    assert named(parallel, "front")["y"] == pytest.approx([0.84, 0.15, 0.4375])


def test_growth_has_one_step_for_each_finished_run_and_the_base() -> None:
    figures = growth_figures(two_objectives())
    assert figures["growth-runs"]["data"][0]["x"] == list(range(8))
    assert figures["growth-cost"]["data"][0]["x"][0] == 6.0


def test_hover_texts_carry_provenance_and_are_escaped() -> None:
    view = two_objectives()
    run = view.runs[3]
    proposal = dataclasses.replace(run.proposal, reason="<img src=x onerror=alert(1)>")
    runs = tuple(dataclasses.replace(r, proposal=proposal) if r is run else r for r in view.runs)
    figure = plane_figure(dataclasses.replace(view, runs=runs))
    text = named(figure, "front, constrained")["hovertext"][0]
    assert "constrained, weights coverage 0.70, length 0.30" in text
    assert "reaching for length ≤ 36" in text.replace("&lt;", "<")
    assert "<img" not in text
    assert "&lt;img" in text


@pytest.mark.parametrize("view", [two_objectives(), three_objectives()], ids=["two", "three"])
def test_plotly_accepts_every_figure(view: SweepView) -> None:
    """Colours are CSS variables, which only the page resolves: they are put back first."""
    graph_objects = pytest.importorskip("plotly.graph_objects")
    figures = json.dumps(front_figures(view) | growth_figures(view))
    for token in {part.split(")")[0] for part in figures.split("var(")[1:]}:
        figures = figures.replace(f"var({token})", "#123456")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for figure in json.loads(figures).values():
            assert len(graph_objects.Figure(figure).data) == len(figure["data"])


def test_an_empty_front_still_draws() -> None:
    for view in (two_objectives(), three_objectives()):
        empty = dataclasses.replace(view, front=dataclasses.replace(view.front, points=()))
        names = {t["name"] for t in front_figures(empty)["front"]["data"]}
        assert names == {"dominated", "base model"}
