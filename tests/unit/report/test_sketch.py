from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree

from paretoflow.report.sketch import COLUMNS, LINES, characters, overlay, svg
from tests.views import changed, two_objectives


def test_points_run_from_top_left_to_bottom_right() -> None:
    """The best length is top left, the best coverage bottom right: better is up and right."""
    lines = characters(two_objectives().front).splitlines()
    assert lines[0] == "length [words], less is better"
    assert lines[1] == "│5"
    assert lines[LINES] == "│" + " " * (COLUMNS - 1) + "1"
    found = re.findall(r"\d", "".join(lines[1 : LINES + 1]))
    assert found == ["5", "4", "3", "2", "1"]


def test_a_single_point_sits_in_the_middle() -> None:
    front = two_objectives().front
    alone = dataclasses.replace(front, points=front.points[:1])
    assert "1" in characters(alone)
    assert svg(alone).count("<circle") == 1
    assert svg(dataclasses.replace(front, points=())).count("<circle") == 0


def test_the_svg_is_well_formed_and_escaped() -> None:
    front = two_objectives().front
    points = tuple(changed(p, snapshot_id="<b>&") for p in front.points)
    root = ElementTree.fromstring(svg(dataclasses.replace(front, points=points)))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 5
    ends = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in (circles[0], circles[-1])]
    assert ends[0][0] > ends[1][0]
    assert ends[0][1] > ends[1][1]


def test_fronts_over_each_other_go_by_letters_and_meet_in_a_star() -> None:
    front = two_objectives().front
    points = [p.evaluation for p in front.points]
    text = overlay({"A": points, "B": points[1:3]}, front.problem)
    drawn = "".join(text.splitlines()[1 : LINES + 1])
    assert sorted(re.findall(r"[AB*]", drawn)) == ["*", "*", "A", "A", "A"]
