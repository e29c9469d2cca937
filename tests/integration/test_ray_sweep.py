"""Kills and failures of one small sweep on a local Ray, by the command line and the ledger.

A start of Ray costs most of the time, so one sweep goes through everything, stage by stage, and
each test looks at one stage:

    killed  three runs asked for; the command is killed with -9 after its first result
    grown   six runs asked for; of those still to do one raises and one gives nan

`test_signals.py` has the signals that save and stop, `test_cluster_faults.py` workers that die.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from paretoflow.cli.main import main
from paretoflow.core.ids import digest_of_folder, seed_of
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.load import load_spec
from tests.integration.command import Command
from tests.small_data import small_data

pytestmark = [pytest.mark.ray, pytest.mark.train, pytest.mark.slow]

JOB = """
name: life
seed: 5
model: {{type: embedded, generation: {{max_new_tokens: 24}}}}
data: {{{data}, train: 8, eval: 6, validation: 4, candidates: 4}}
objectives:
  - {{name: coverage, type: rouge, variant: rouge1, range: [0, 1], ref: 0}}
  - {{name: brevity, type: import, path: "moody:brevity", kwargs: {{orders: {orders}, evals: 6}},
      range: [-24, 0], ref: -30, unit: words}}
method: {{type: dpo, steps: 12, learning_rate: 0.003}}
stop: {{runs: 3}}
storage: sweeps
"""
SCORER = '''
"""Fewer words are better; and whatever one of the orders says, once, at an evaluation."""

from pathlib import Path


def brevity(prompts, completions, orders, evals):
    scores = [-float(len(c.split())) for c in completions]
    if len(prompts) == evals:
        for order in sorted(Path(orders).iterdir()):
            try:
                order.unlink()  # of two workers one gets it
            except FileNotFoundError:
                continue
            if order.name == "1-raise":
                raise ValueError("no opinion on this one")
            scores[3] = float("nan")
            break
    return scores
'''


@dataclass(frozen=True)
class Stage:
    """Output and exit status of a command, and the ledger after it."""

    home: Path
    text: str
    status: int | None
    events: tuple[Event, ...]

    @property
    def root(self) -> Path:
        return self.home / "sweeps" / "life"

    def of_kind(self, kind: EventKind) -> list[Event]:
        return [e for e in self.events if e.kind is kind]

    def runs(self, kind: EventKind) -> list[str]:
        return [e.run_id for e in self.of_kind(kind)]


@contextmanager
def _running(home: Path, *changes: str) -> Iterator[Command]:
    words = ["run", "job.yaml", *(w for c in changes for w in ("--set", c))]
    command = Command(words, home)
    try:
        yield command
    finally:
        command.end()


def _stage(home: Path, command: Command, status: int | None) -> Stage:
    events = open_ledger(home / "sweeps" / "life", writer=False).events()
    return Stage(home, command.text, status, tuple(events))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    home = tmp_path_factory.mktemp("home")
    (home / "orders").mkdir()
    (home / "moody.py").write_text(SCORER)
    (home / "job.yaml").write_text(JOB.format(orders=home / "orders", data=small_data(home)))
    with _running(home, "engine.worker_groups=1") as command:
        command.wait_for(" finished in ")
        command.kill()
        assert command.workers_left(30) == []
        return _stage(home, command, None)


@pytest.fixture(scope="module")
def grown(killed: Stage) -> Stage:
    for order in ("1-raise", "2-nan"):
        (killed.home / "orders" / order).touch()
    changes = ("engine.worker_groups=1", "engine.retries=0", "stop.runs=6")
    with _running(killed.home, *changes) as command:
        return _stage(killed.home, command, command.wait())


def test_what_a_killed_command_said_was_finished_is_in_the_ledger(killed: Stage) -> None:
    told = [line.split()[1] for line in killed.text.splitlines() if " finished in " in line]
    assert told
    assert set(told) <= set(killed.runs(EventKind.FINISHED))


def test_the_command_goes_on_after_a_kill_and_may_ask_for_more(killed: Stage, grown: Stage) -> None:
    assert grown.status == 0
    assert grown.events[: len(killed.events)] == killed.events
    assert "continuing: " in grown.text
    assert "done: all 6 runs are launched" in grown.text
    before = killed.runs(EventKind.PROPOSED)
    assert before == grown.runs(EventKind.PROPOSED)[: len(before)]
    assert len(grown.runs(EventKind.PROPOSED)) == 6
    put_down = set(before) - set(killed.runs(EventKind.FINISHED))
    assert put_down <= set(grown.runs(EventKind.STARTED)[len(killed.runs(EventKind.STARTED)) :])


def test_nothing_that_finished_is_started_again(killed: Stage, grown: Stage) -> None:
    later = grown.events[len(killed.events) :]
    again = {e.run_id for e in later if e.kind is EventKind.STARTED}
    assert again.isdisjoint(killed.runs(EventKind.FINISHED))
    finished = grown.runs(EventKind.FINISHED)
    assert len(finished) == len(set(finished))
    assert [e.seq for e in grown.events] == list(range(len(grown.events)))


def test_the_base_is_evaluated_and_sampled_from_once(grown: Stage) -> None:
    assert grown.runs(EventKind.EVALUATED).count("base") == 1
    assert len(grown.of_kind(EventKind.CALIBRATED)) == 1
    kinds = Counter(p.name.split("-")[0] for p in (grown.root / "shared").iterdir())
    # of the prompts to train on, to validate and to evaluate; and no part is left
    assert kinds == {"answers": 3, "scores": 6}
    shared = [p.stat() for p in (grown.root / "shared").iterdir()]
    first_result = min(e.time_s for e in grown.of_kind(EventKind.FINISHED))
    assert max(s.st_mtime for s in shared) < first_result


def test_failures_are_rows_with_their_boundary_and_siblings_finish(
    grown: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    final = [e for e in grown.of_kind(EventKind.FAILED) if e.payload["final"]]
    assert Counter(e.boundary for e in final) == {"objective": 2}
    words = " | ".join(sorted(e.message for e in final))
    assert "objective brevity: raised ValueError: no opinion on this one" in words
    assert "objective brevity: returned nan for row 3" in words
    assert len(grown.runs(EventKind.FINISHED)) == 4
    assert main(["status", str(grown.root), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    runs = {"budget": 6, "finished": 4, "failed": 2, "pending": 0, "paused": 0}
    assert facts["runs"] == runs
    assert facts["failures"]["objective"] == 2
    assert facts["state"] == "ended"


def test_every_evaluation_has_its_answers_and_its_adapter(grown: Stage) -> None:
    for event in grown.of_kind(EventKind.EVALUATED):
        path = grown.root / "answers" / f"{event.snapshot_id}.arrow"
        table = pa.ipc.open_file(path.read_bytes()).read_all()
        assert table.num_rows == event.n == 6
        assert table["coverage"].to_pylist() == list(event.prompt_scores[0])
        if event.run_id != "base":
            assert digest_of_folder(grown.root / event.path) == event.digest


def test_an_adapter_loaded_again_reproduces_its_scores(grown: Stage) -> None:
    from paretoflow.data import load_prompts
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.base import load_base, render_chat
    from paretoflow.objectives import build
    from paretoflow.scoring.evaluate import Evaluator
    from paretoflow.scoring.panel import ObjectivePanel

    spec = load_spec(grown.home / "job.yaml")
    lm = load_base(spec.model, threads=1)
    prompts = load_prompts(spec.data, seed=spec.seed, render_chat=lambda t: render_chat(lm, t))
    coverage = build(spec.objectives[0], count_tokens=lambda texts: [], device="cpu")
    panel = ObjectivePanel(["coverage"], [coverage])
    evaluator = Evaluator(
        lm, spec.model.generation, panel, prompts.eval, seed_of(spec.seed, "eval")
    )
    last = grown.of_kind(EventKind.EVALUATED)[-1]
    with adapter_on(lm, grown.root / last.path) as model:
        again = evaluator.evaluate(model)
    np.testing.assert_allclose(again.prompt_scores[0], last.prompt_scores[0])
    with adapter_on(lm, None) as base:
        assert not np.allclose(evaluator.evaluate(base).prompt_scores[0], last.prompt_scores[0])


def test_front_pick_report_and_export_of_the_sweep(
    grown: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(grown.root)
    assert main(["front", root, "--format", "json"]) == 0
    front = json.loads(capsys.readouterr().out)
    assert front["runs"] == {"finished": 4, "failed": 2, "pending": 0}
    low, high = front["hypervolume_ci"]
    assert low <= front["hypervolume_corrected"] <= high
    evaluated = {e.snapshot_id: e for e in grown.of_kind(EventKind.EVALUATED)}
    for point in front["points"]:
        assert tuple(point["scores"].values()) == evaluated[point["snapshot_id"]].scores
    assert main(["pick", root, "--prefer", "brevity=1", "--format", "json"]) == 0
    picked = json.loads(capsys.readouterr().out)
    assert picked["snapshot_id"] != "base", "no run got shorter than the base"
    assert (Path(picked["adapter"]) / "adapter_model.safetensors").is_file()
    assert main(["report", root, "-o", str(tmp_path / "report.html")]) == 0
    assert "no opinion on this one" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert main(["export", root, "-o", str(tmp_path / "out")]) == 0
    assert list((tmp_path / "out").rglob("adapter_model.safetensors"))
