"""Keys with another name: the old one works, and a warning gives the new one and the place."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.errors import RenamedKeyWarning, SpecError
from paretoflow.spec.engine import EngineSpec
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.sweep import SweepSpec
from tests.faults import raises

GOOD = "name: x\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: length}\n"
OLD = GOOD + "engine:\n  retries: 0\n  workers: 3\n"


def test_the_old_name_works_and_the_warning_says_what_to_write_and_where() -> None:
    with pytest.warns(RenamedKeyWarning) as caught:
        spec = load_spec_text(OLD, "job.yaml")
    assert (spec.engine.worker_groups, spec.engine.retries) == (3, 0)
    assert [str(w.message) for w in caught] == [
        "job.yaml:7:3: `engine.workers` is deprecated; write `engine.worker_groups`, "
        "which means the same"
    ]


def test_an_override_may_have_the_old_name_too() -> None:
    with pytest.warns(RenamedKeyWarning, match=r"--set engine\.workers: .*worker_groups"):
        spec = load_spec_text(GOOD, "job.yaml", ["engine.workers=4"])
    assert spec.engine.worker_groups == 4


@pytest.mark.filterwarnings("ignore::paretoflow.core.errors.RenamedKeyWarning")
def test_a_new_name_in_an_override_goes_over_an_old_one_in_the_file() -> None:
    assert load_spec_text(OLD, "x", ["engine.worker_groups=5"]).engine.worker_groups == 5


def test_the_new_name_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = load_spec_text(OLD.replace("workers", "worker_groups"), "job.yaml")
    assert spec.engine.worker_groups == 3


def test_a_stored_spec_may_have_it_for_good() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = load_spec_text(GOOD, "x").model_dump(mode="json")
        plain["engine"]["workers"] = plain["engine"].pop("worker_groups") + 5
        read = SweepSpec.model_validate_json(json.dumps(plain), strict=True)
        stored = load_spec_text(json.dumps(plain), "spec.json", stored=True)
    assert read.engine == stored.engine == EngineSpec(worker_groups=7)


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(SpecError) as caught:
        load_spec_text(OLD + "  worker_groups: 2\n", "job.yaml")
    assert caught.value.where == "job.yaml:7:3 engine.workers"
    assert caught.value.hint == "remove `workers`"


def test_a_wrong_value_under_the_old_name_is_found_where_it_stands() -> None:
    with (
        pytest.warns(RenamedKeyWarning),
        raises("spec-not-allowed", "job.yaml:7:12", "engine.worker_groups", "0"),
    ):
        load_spec_text(OLD.replace("workers: 3", "workers: 0"), "job.yaml")


@pytest.mark.filterwarnings("default::paretoflow.core.errors.RenamedKeyWarning")
def test_the_command_line_shows_it_without_a_line_of_our_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(OLD, encoding="utf-8")
    assert main(["check", str(job)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "warning:" in told
    assert "job.yaml:7:3: `engine.workers` is deprecated" in told
    assert "renamed.py" not in told
