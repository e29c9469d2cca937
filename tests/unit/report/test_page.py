from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from paretoflow.core.views import SweepView
from paretoflow.report import page
from paretoflow.report.page import json_for_html, render
from paretoflow.report.samples import answers_in
from paretoflow.report.sections import spent
from tests.faults import raises
from tests.views import three_objectives, two_objectives

EVIL = "</script><script>alert('x')</script><img src=http://evil.example onerror=alert(1)>"


class Elements(HTMLParser):
    """Collects start tags with their attributes, and all visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "plotly_script", lambda: "/* plotly */")


def parsed(html: str) -> Elements:
    elements = Elements()
    elements.feed(html)
    return elements


def test_the_page_says_the_headline_numbers(tmp_path: Path) -> None:
    view = two_objectives(tmp_path)
    text = parsed(render(view, answers_in(tmp_path))).text
    for part in (
        "16.6",
        "16.68 as reported",
        "95 % interval 15.93 to 17.38",
        "coverage 0.05, length 60",
        "1 failed, 1 pending",
    ):
        assert part in text


def test_every_run_is_there_with_its_provenance(tmp_path: Path) -> None:
    view = three_objectives(tmp_path)
    text = parsed(render(view, answers_in(tmp_path))).text
    for run in view.runs:
        assert run.run_id in text
        assert f"seed {run.proposal.seed}" in text
        assert run.proposal.reason in text
    assert "loss is nan at step 12" in text
    assert "method" in text


def test_samples_stand_side_by_side_or_their_absence_is_told(tmp_path: Path) -> None:
    view = two_objectives(tmp_path)
    assert "What does <os.path.join> do?" in parsed(render(view, answers_in(tmp_path))).text
    assert "No answers were kept" in parsed(render(view, None)).text
    (tmp_path / "answers" / f"{view.front.points[0].snapshot_id}.arrow").unlink()
    assert "no answers were kept" in parsed(render(view, answers_in(tmp_path))).text


def poisoned(view: SweepView) -> SweepView:
    """Return a view with markup wherever text from a user, a model or a data set can be."""
    runs = tuple(
        dataclasses.replace(
            r, message=EVIL, proposal=dataclasses.replace(r.proposal, reason=EVIL, proposer=EVIL)
        )
        for r in view.runs
    )
    objectives = tuple(dataclasses.replace(o, unit=EVIL) for o in view.front.problem.objectives)
    problem = dataclasses.replace(view.front.problem, objectives=objectives)
    front = dataclasses.replace(view.front, sweep=EVIL, problem=problem)
    return dataclasses.replace(view, front=front, runs=runs, spec={**view.spec, "note": EVIL})


@pytest.mark.parametrize("build", [two_objectives, three_objectives])
def test_text_from_outside_never_becomes_markup(build: object) -> None:
    view = poisoned(build())  # type: ignore[operator]
    answer = {"prompt_id": EVIL, "prompt": EVIL, "reference": EVIL, "completion": EVIL}
    elements = parsed(render(view, lambda _: [answer]))
    first = next(attrs for tag, attrs in elements.tags if tag == "script")
    assert first["type"] == "application/json"
    assert sum(tag == "script" for tag, _ in elements.tags) == 4
    assert not any(tag == "img" for tag, _ in elements.tags)


def test_the_page_loads_nothing_and_forbids_loading(tmp_path: Path) -> None:
    html = render(two_objectives(tmp_path), answers_in(tmp_path))
    elements = parsed(html)
    assert not any({"src", "href", "srcset", "data"} & set(attrs) for _, attrs in elements.tags)
    policy = next(
        a["content"]
        for t, a in elements.tags
        if t == "meta" and "content" in a and "http-equiv" in a
    )
    nonce = re.search(r"'nonce-([0-9a-f]{32})'", str(policy))
    assert nonce is not None
    assert str(policy).startswith("default-src 'none'")
    runnable = [a for t, a in elements.tags if t == "script" and "type" not in a]
    assert [a["nonce"] for a in runnable] == [nonce[1], nonce[1]]
    assert "url(" not in html
    assert "@import" not in html


def test_the_same_view_gives_the_same_page(tmp_path: Path) -> None:
    view = two_objectives(tmp_path)
    assert render(view, answers_in(tmp_path)) == render(view, answers_in(tmp_path))


def test_figures_survive_their_way_into_the_page(tmp_path: Path) -> None:
    html = render(two_objectives(tmp_path), None)
    found = re.search(r'id="figures">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    assert set(json.loads(found[1])) == {"front", "growth-runs", "growth-cost"}


def test_json_cannot_end_its_script() -> None:
    value = {"a": "</script><!--", "b": [1.5, None, "&amp;"]}
    text = json_for_html(value)
    assert "<" not in text
    assert json.loads(text) == value


def test_the_money_of_judges_is_in_the_cost() -> None:
    plain = two_objectives()
    for price in (0.0, 3.0):
        spec = {**plain.spec, "engine": {"price": price}}
        view = dataclasses.replace(plain, spec=spec, judged=1.25)
        money = price * spent(view).device_s / 3600 + 1.25
        assert f"cost {money:.2f}, 1.25 of it for judges" in parsed(render(view)).text
    assert "judges" not in parsed(render(plain)).text


def test_cost_counts_every_run_and_the_base() -> None:
    """Eight runs, one of them failed, at 21.5 device seconds, and the base's evaluation at 6."""
    assert spent(two_objectives()).device_s == pytest.approx(8 * 21.5 + 6)


def test_without_plotly_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with raises("missing-extra", "paretoflow[report]"):
        page.plotly_script()


def test_reports_import_nothing_heavy() -> None:
    code = (
        "import sys, paretoflow.report.page, paretoflow.report.picture, paretoflow.report.sketch\n"
        "heavy = {'torch', 'transformers', 'ray', 'deltalake', 'pymoo', 'plotly', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("view", [two_objectives, three_objectives])
def test_every_chart_has_the_height_of_its_figure(view, tmp_path: Path) -> None:
    # a box without a height shrinks to nothing when the window is resized
    html = render(view(tmp_path))
    boxes = {
        attrs["id"]: attrs["style"]
        for _, attrs in parsed(html).tags
        if attrs.get("class") == "chart"
    }
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', html, re.S)[1])
    assert boxes == {
        name: f"height: {figure['layout']['height']}px" for name, figure in figures.items()
    }
    assert len(boxes) >= 3


def test_no_column_is_wider_than_a_telephone(tmp_path: Path) -> None:
    style = render(two_objectives(tmp_path)).partition("</style>")[0]
    least = [int(px) for px in re.findall(r"minmax\((\d+)px", style)]
    assert least
    assert max(least) <= 300


def test_notes_stand_above_the_charts_and_are_text() -> None:
    view = two_objectives()
    assert 'class="notes"' not in render(view)
    noted = dataclasses.replace(view.front, notes=("words is constant", EVIL))
    page = render(dataclasses.replace(view, front=noted))
    assert "<li>words is constant</li>" in page
    assert "<script>alert('x')" not in page
