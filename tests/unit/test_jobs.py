"""Every YAML in jobs/ loads, and opens with its commands and its cost."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.load import load_spec, load_spec_text
from paretoflow.spec.objectives import ImportObjectiveSpec
from tests.faults import raises

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").rglob("*.yaml"))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n")


def test_the_three_jobs_are_there():
    assert {path.name for path in JOBS} >= {"quickstart.yaml", "qa_feedback.yaml", "hh_rlhf.yaml"}


@pytest.mark.parametrize("path", JOBS, ids=lambda p: p.stem)
def test_a_job_loads_and_is_named_as_its_file(path, elsewhere):
    named = "type: jsonl" in path.read_text()  # a file, which is not in the folder of this test
    spec = load_spec(path, ["data.path=rows.jsonl"] if named else [])
    assert spec.name == path.stem
    assert len(spec.objectives) >= 2


@pytest.mark.parametrize("path", JOBS, ids=lambda p: p.stem)
def test_a_job_opens_with_its_commands_and_its_cost(path):
    opening = path.read_text().partition("\nname:")[0]
    assert all(line.startswith("#") for line in opening.splitlines())
    assert f"paretoflow check jobs/{path.name}" in opening
    assert f"paretoflow run jobs/{path.name}" in opening
    assert "# Cost: " in opening


def test_the_messages_of_the_real_model_are_enough_and_differ():
    data = load_spec(ROOT / "jobs" / "smollm2.yaml", [f"data.path={ROOT}/jobs/smollm2.jsonl"]).data
    rows = [json.loads(line) for line in (ROOT / "jobs/smollm2.jsonl").read_text().splitlines()]
    assert len({row["message"] for row in rows}) == len(rows)
    assert len(rows) >= data.train + data.eval + data.validation
    for row in rows:
        (turn,) = row["messages"]
        assert turn["content"].endswith(f":\n{row['message']}")


def test_the_real_model_without_its_extra_says_what_installs_it(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setitem(sys.modules, "profanity_check", None)
    spec = ImportObjectiveSpec(type="import", name="toxicity", path="jobs.smollm2:toxicity")
    with raises("missing-extra", "profanity_check", "make smollm2", "smollm2]"):
        ObjectivePanel(["toxicity"], [build(spec)]).score([Prompt("p", "Hello")], ["Hello."])


def test_the_command_job_runs_a_script_that_is_there():
    python, script, request = load_spec(ROOT / "jobs" / "command.yaml").method.argv
    assert (python, request) == ("{python}", "{request}")
    assert (ROOT / script).is_file()


def test_the_quickstart_fits_on_one_screen():
    assert len((ROOT / "jobs" / "quickstart.yaml").read_text().splitlines()) <= 45


def test_a_resolved_spec_loads_again_as_it_is(elsewhere):
    spec = load_spec(ROOT / "jobs" / "quickstart.yaml")
    assert load_spec_text(spec.model_dump_json(), "spec.json") == spec


@pytest.mark.few(2)
@pytest.mark.parametrize("seed", range(4))
def test_a_job_with_typing_accidents_loads_or_is_explained(seed, elsewhere):
    rng = random.Random(seed)
    accidents = ["", "\t", "{", "]", ": ", "- ", "*x ", "&x ", "!t ", "<<: ", "~", "'", "\n"]
    found = []
    for _ in range(60):
        text = rng.choice(JOBS).read_text()
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(accidents) + text[at + rng.randint(0, 12) :]
        try:
            load_spec_text(text, "job.yaml")
        except SpecError as error:
            found += error.faults
    assert len(found) > 30
    assert all(f.what and f.hint and f.where.startswith("job.yaml:") for f in found)
