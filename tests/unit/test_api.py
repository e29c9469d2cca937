from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import paretoflow
from paretoflow.core.errors import SweepNotFoundError, UserError
from paretoflow.core.views import SweepView
from paretoflow.engine.read import sweep as engine_sweep
from tests.views import changed, three_objectives, two_objectives


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "spec.json").write_text('{"name": "demo"}')
    return tmp_path


@pytest.fixture
def view(root: Path, monkeypatch: pytest.MonkeyPatch) -> SweepView:
    made = two_objectives(root)
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: made)
    return made


def test_the_promised_names_are_sorted_and_all_there() -> None:
    assert paretoflow.__all__ == sorted(paretoflow.__all__)
    assert len(paretoflow.__all__) == 12
    for name in paretoflow.__all__:
        assert getattr(paretoflow, name).__doc__
    assert set(paretoflow.__all__) <= set(dir(paretoflow))


def test_the_stub_tells_type_checkers_the_same_names() -> None:
    stub = Path(paretoflow.__file__).with_suffix(".pyi")
    imports = [n for n in ast.parse(stub.read_text()).body if isinstance(n, ast.ImportFrom)]
    told = {alias.asname: node.module for node in imports for alias in node.names}
    assert told == paretoflow._HOMES
    assert sorted(told) == paretoflow.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = paretoflow.nothing


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import paretoflow\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['paretoflow']"


def test_naming_the_api_imports_nothing_heavy() -> None:
    code = (
        "import sys, paretoflow\n"
        "for name in paretoflow.__all__: getattr(paretoflow, name)\n"
        "heavy = {'torch', 'transformers', 'ray', 'pandas', 'pymoo', 'plotly', 'deltalake'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_takes_overrides_as_text_or_values(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(
        "name: demo\nobjectives:\n"
        "  - {name: coverage, type: rouge}\n"
        "  - {name: words, type: length}\n"
    )
    spec = paretoflow.load(job, {"stop.runs": 7, "engine.worker_groups": 1}, storage="elsewhere")
    assert (spec.stop.runs, spec.engine.worker_groups, spec.storage) == (7, 1, "elsewhere")
    assert paretoflow.load(str(job), ["stop.runs=7"]).stop.runs == 7


def test_opening_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SweepNotFoundError):
        paretoflow.open_sweep(tmp_path / "nowhere")


def test_a_front_is_a_sequence_of_points(root: Path, view: SweepView) -> None:
    front = paretoflow.open_sweep(root).front()
    assert len(front) == 5
    assert list(front) == list(view.front.points) == list(front.points)
    assert front[0].scores == (0.52, 47.5)
    assert "5 points" in repr(front)
    assert front.hypervolume == 16.677


def test_pick_and_its_adapter(root: Path, view: SweepView) -> None:
    front = paretoflow.open_sweep(root).front()
    point = front.pick(prefer={"length": 1.0}, at_least={"coverage": 0.2})
    assert point.scores == (0.24, 14.8)
    adapter = front.adapter(point)
    assert adapter == (root / point.path).resolve()
    assert front.adapter(changed(point, path="")) is None
    with pytest.raises(UserError):
        front.pick()


@pytest.mark.usefixtures("view")
def test_tables(root: Path) -> None:
    sweep = paretoflow.open_sweep(root)
    assert sweep.front().to_arrow()["score_length"].to_pylist()[0] == 47.5
    assert sweep.evaluations().num_rows == 8
    pytest.importorskip("pandas")
    frame = sweep.front().to_pandas()
    assert list(frame["score_coverage"]) == [0.52, 0.46, 0.35, 0.24, 0.14]


def test_an_error_that_does_not_exist_is_null(root: Path, view: SweepView) -> None:
    front = paretoflow.open_sweep(root).front()
    alone = changed(front[0], stderr=(float("nan"), 1.0), n=1)
    assert front.point_dict(alone)["stderr"] == {"coverage": None, "length": 1.0}


@pytest.mark.parametrize("build", [two_objectives, three_objectives])
def test_a_notebook_shows_a_table_and_a_sketch(build: object) -> None:
    made = build()  # type: ignore[operator]
    front = dataclasses.replace(made.front, sweep="<b>demo")
    html = paretoflow.Front(front, Path("sweeps/demo"))._repr_html_()
    assert html.count("<tr>") == len(front.points) + 1
    assert "<svg" in html
    assert "&lt;b&gt;demo" in html


@pytest.mark.usefixtures("view")
def test_report_and_export_write_and_return_their_paths(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    pytest.importorskip("matplotlib")
    sweep = paretoflow.open_sweep(root)
    assert sweep.report() == root / "report.html"
    out = sweep.export(tmp_path / "out" / "front")
    assert (out / "manifest.json").is_file()


def test_run_opens_what_it_ran(
    root: Path, view: SweepView, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.engine.session import run as session

    ran: list[paretoflow.SweepSpec] = []
    accepted: list[bool] = []

    def run_sweep(spec: paretoflow.SweepSpec, *, accept_change: bool) -> None:
        ran.append(spec)
        accepted.append(accept_change)

    monkeypatch.setattr(session, "run_sweep", run_sweep)
    job = root / "job.yaml"
    job.write_text(
        "name: demo\nobjectives:\n"
        "  - {name: coverage, type: rouge}\n"
        "  - {name: words, type: length}\n"
    )
    by_path = paretoflow.run(job, storage=str(root))
    by_spec = paretoflow.run(paretoflow.load(job), storage=str(root), accept_change=True)
    assert accepted == [False, True]
    assert [spec.storage for spec in ran] == [str(root), str(root)]
    assert by_path.root.local == by_spec.root.local == root / "demo"
    assert repr(by_path) == f"Sweep({str(root / 'demo')!r})"
