from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from paretoflow.cli import progress as module
from paretoflow.cli.paces import duration
from paretoflow.cli.progress import ProgressLines
from paretoflow.core.cost import Cost
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.core.values import RunRecord
from paretoflow.engine.live import Doing, GroupPhase, GroupState
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import proposal


@dataclass
class State:
    runs: dict[str, RunRecord] = field(default_factory=dict)
    finished: int = 0
    failed: int = 0
    hypervolume: float = 1.25
    front_size: int = 3
    data_facts: DataFacts = field(default_factory=DataFacts)


def run(status: RunStatus, attempt: int = 0, **fields: object) -> RunRecord:
    return RunRecord("r0000-aaaaaa", proposal(), status, attempt, **fields)  # type: ignore[arg-type]


def loading(doing: Doing) -> GroupState:
    return GroupState(0, GroupPhase.LOADING, 0.0, doing=doing)


def busy(step: int, run_id: str = "r0000-aaaaaa", slot: int = 0) -> GroupState:
    return GroupState(slot, GroupPhase.BUSY, 0.0, run_id, 0, step)


class Shown:
    """A progress that writes to memory, its clock in the test's hands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False) -> None:
        self.out = io.StringIO()
        self.now = 0.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        console = Console(file=self.out, force_terminal=terminal, width=100, highlight=False)
        self.progress = ProgressLines(circle_spec(stop={"runs": 4}), console)

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_became_of_the_rows_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    shown.progress(State(), "preparing")
    facts = DataFacts(rows=9, left_out=1, why=("f:3: the prompt is empty",), repeated=2)
    for _ in range(2):
        shown.progress(State(data_facts=facts), "")
    assert shown.lines() == [
        "preparing …",
        "data: 1 of 9 rows were left out: f:3: the prompt is empty",
        "data: 2 rows ask what another row asks: each prompt is used once",
    ]


def test_every_change_of_a_run_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    state = State()
    with shown.progress as progress:
        progress(state, "preparing")
        progress(state, "preparing")
        state.runs["r"] = run(RunStatus.RUNNING)
        progress(state, "")
        progress(state, "")
        state.runs["r"] = run(
            RunStatus.PENDING, boundary=Boundary.WORKER, message="the worker died"
        )
        progress(state, "")
        state.runs["r"] = run(RunStatus.RUNNING, attempt=1)
        progress(state, "")
        state.runs["r"] = run(RunStatus.FINISHED, attempt=1, cost=Cost(61.0))
        state.finished = 1
        shown.now = 20.0
        progress(state, "")
    assert shown.lines() == [
        "preparing …",
        "[0/4] r0000-aaaaaa started: Because.",
        "[0/4] r0000-aaaaaa pending after a failure (worker): the worker died",
        "[0/4] r0000-aaaaaa started (attempt 2): Because.",
        "[1/4] r0000-aaaaaa finished in 1 min 01 s: front 3, hypervolume 1.25, "
        "about 1 min 00 s left",
    ]


def test_a_paused_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    shown.progress(State(), "")
    shown.progress(State({"r": run(RunStatus.PAUSED, message="two are ahead")}), "")
    assert shown.lines() == ["[0/4] r0000-aaaaaa paused: two are ahead"]


def test_a_failed_run_says_where_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    shown.progress(State(), "")
    broken = run(RunStatus.FAILED, boundary=Boundary.OBJECTIVE, message="tone returned [nan]")
    shown.progress(State({"r": broken}, failed=1), "")
    assert shown.lines() == ["[1/4] r0000-aaaaaa failed (objective): tone returned [nan]"]


def test_going_on_is_one_line_and_time_left_counts_this_session_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Shown(monkeypatch)
    old = RunRecord("old", proposal(), RunStatus.FINISHED)
    state = State({"old": old, "r": run(RunStatus.PENDING)}, finished=1)
    shown.progress(state, "")
    shown.now = 30.0
    state.runs["r"] = run(RunStatus.FINISHED, cost=Cost(30.0))
    state.finished = 2
    shown.progress(state, "")
    assert shown.lines() == [
        "continuing: 1 of 4 runs ended before",
        "[1/4] r0000-aaaaaa pending",
        "[2/4] r0000-aaaaaa finished in 30 s: front 3, hypervolume 1.25, about 1 min 00 s left",
    ]


def test_how_far_the_stage_is_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    shown.progress(State(), "preparing")
    for now, done in ((5.0, 16), (25.0, 32), (30.0, 48), (50.0, 64), (51.0, 80), (51.0, 96)):
        shown.now = now
        shown.progress.groups([loading(Doing("sampling answers", done, 96))])
        shown.progress.groups([loading(Doing("sampling answers", done, 96))])
    assert shown.lines() == [
        "preparing …",
        "sampling answers 32 of 96",
        "sampling answers 64 of 96",
        "sampling answers 96 of 96",
    ]


def test_a_terminal_shows_every_count(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, terminal=True)
    with shown.progress as progress:
        progress.groups([loading(Doing("scoring coverage", 8, 24))])
        progress(State(), "preparing")
        progress.groups([loading(Doing("scoring coverage", 16, 24))])
    assert "scoring coverage 16 of 24" in shown.out.getvalue()


def test_a_terminal_gets_a_bar_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, terminal=True)
    with shown.progress as progress:
        progress(State({"r": run(RunStatus.RUNNING)}), "")
    text = shown.out.getvalue()
    assert "0/4 runs, 1 in training" in text
    assert "Ctrl-C stops safely" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back


def test_a_terminal_shows_steps_and_the_time_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, terminal=True)
    steps = circle_spec().method.steps
    with shown.progress as progress:
        progress(State({"r": run(RunStatus.RUNNING)}), "")
        progress.groups([busy(0)])
        shown.now = 10.0
        progress.groups([busy(2)])
    text = shown.out.getvalue()
    assert f"step 2/{steps}" in text
    assert f"about {duration(5.0 * (steps - 2))} to its last step" in text


def test_plain_lines_are_not_filled_with_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch)
    shown.progress(State({"r": run(RunStatus.RUNNING)}), "")
    before = shown.lines()
    for step in range(30):
        shown.now += 30
        shown.progress.groups([busy(step)])
    assert shown.lines() == before
