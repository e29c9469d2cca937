from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from paretoflow.core.curves import CurvePoint
from paretoflow.core.views import CurvesView
from paretoflow.ledger.curves import read_curves, write_chunk
from paretoflow.report.curves import MOST, curves_data, curves_html, thinned
from paretoflow.report.page import json_for_html


def view(root: Path, points: list[CurvePoint]) -> CurvesView:
    write_chunk(root, ("r0000-aaaaaa", 1), 0, points)
    return CurvesView(read_curves(root))


def test_a_long_line_keeps_its_ends_and_every_extreme_of_its_pieces() -> None:
    assert thinned([1, 5, 2, 0, 3, 4], 4) == [0, 1, 3, 5]
    assert thinned([3.0, 1.0], 4) == [0, 1]
    values = np.random.default_rng(0).normal(size=5000)
    values[[77, 4321]] = 50, -50
    kept = thinned(values.tolist(), MOST)
    assert len(kept) <= MOST
    assert {0, 77, 4321, 4999} <= set(kept)
    assert kept == sorted(set(kept))


def test_the_chart_has_finite_numbers_and_the_others_beside_them(tmp_path: Path) -> None:
    points = [CurvePoint(s, 0.0, {"loss": v}) for s, v in enumerate((1.0, math.nan, 3.0), 1)]
    curves = view(tmp_path, [*points, CurvePoint(4, 0.0, {"kl": math.inf})])
    data = json.loads(json_for_html(curves_data(curves)))
    assert [(line["name"], line["attempt"], line["x"], line["y"], line["bad"])
            for line in data["lines"]] == [
        ("loss", 1, [1, 3], [1.0, 3.0], [[2, "nan"]]), ("kl", 1, [], [], [[4, "inf"]]),
    ]  # fmt: skip
    page = curves_html(curves)
    assert "attempt 1: loss nan at step 2" in page
    assert "attempt 1: kl inf at step 4" in page


def test_names_that_a_program_chose_cannot_become_markup(tmp_path: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    curves = view(tmp_path, [CurvePoint(1, 0.0, {evil: math.nan})])
    assert "<img" not in curves_html(curves)
    assert "<img" not in json_for_html(curves_data(curves))


def test_a_sweep_without_curves_says_so() -> None:
    assert "No training curves were kept" in curves_html(None)
    assert curves_data(None)["lines"] == []
