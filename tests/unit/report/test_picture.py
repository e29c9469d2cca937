from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import ObjectiveInfo, Problem
from paretoflow.core.views import SweepView
from paretoflow.report.picture import static_plot
from tests.views import GROUNDING, three_objectives, two_objectives

pytest.importorskip("matplotlib")


def four_objectives() -> SweepView:
    """Return three objectives and a copy of the last under another name."""
    view = three_objectives()
    extra: ObjectiveInfo = dataclasses.replace(GROUNDING, name="tone")
    problem = Problem((*view.front.problem.objectives, extra))

    def wider(row: Evaluation) -> Evaluation:
        return dataclasses.replace(
            row, scores=np.append(row.scores, 0.5), stderr=np.append(row.stderr, 0.1)
        )

    points = tuple(
        dataclasses.replace(p, evaluation=wider(p.evaluation)) for p in view.front.points
    )
    front = dataclasses.replace(view.front, problem=problem, points=points)
    return dataclasses.replace(
        view, front=front, evaluations=tuple(wider(e) for e in view.evaluations)
    )


@pytest.mark.few(2)
@pytest.mark.parametrize("build", [two_objectives, three_objectives, four_objectives])
def test_a_png_for_any_number_of_objectives(build: object) -> None:
    data = static_plot(build())  # type: ignore[operator]
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = np.frombuffer(data[16:24], dtype=">u4")
    assert width > height > 300


def test_an_svg_that_repeats_itself() -> None:
    view = two_objectives()
    first = static_plot(view, "svg")
    assert b"<svg" in first
    assert first == static_plot(view, "svg")


def test_an_empty_front_still_draws() -> None:
    view = two_objectives()
    empty = dataclasses.replace(view, front=dataclasses.replace(view.front, points=()))
    assert static_plot(empty).startswith(b"\x89PNG")


def test_dollar_signs_are_no_formulas() -> None:
    view = two_objectives()
    objectives = tuple(dataclasses.replace(o, unit="$^{$") for o in view.front.problem.objectives)
    front = dataclasses.replace(view.front, problem=Problem(objectives))
    assert static_plot(dataclasses.replace(view, front=front)).startswith(b"\x89PNG")
