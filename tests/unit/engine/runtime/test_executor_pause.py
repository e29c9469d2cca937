"""An executor pauses a run where it is, and the next attempt ends it as if nothing had been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.curves import attempts_in
from paretoflow.core.launch import Launch
from paretoflow.ledger.curves import read_curves
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.tables import Event, EventKind
from tests.method_bench import weighted
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
METHOD = {"type": "dpo", "steps": 4, "batch_size": 2, "checkpoint_every": 2}
DISTURBED, CALM = "r0001-aaaaaa", "r0001-bbbbbb"


class _Attempt:
    """Is asked to pause after some steps."""

    def __init__(self, pause_after: int = 99) -> None:
        self.events: list[Event] = []
        self.left = pause_after

    def tell(self, report: Any) -> None:
        self.events += report.events

    def progress(self, step: int | None = None) -> None:
        self.left -= step is not None

    def stopping(self) -> bool:
        return self.left <= 0

    def suspended(self) -> str:
        return "two are ahead" if self.stopping() else ""


@pytest.fixture(scope="module")
def swept(
    tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event], list[Event], list[Event]]:
    """Return the sweep's folder, and reports of a paused, a resumed and an undisturbed attempt."""
    from paretoflow.engine.runtime.executor import Executor

    home = tmp_path_factory.mktemp("pausing")
    executor = Executor(small_sweep("tiny", tiny_base_dir, home, METHOD), home / "tiny", threads=1)
    executor.prepare()
    first, again, calm = _Attempt(pause_after=3), _Attempt(), _Attempt()
    assert executor.execute(Launch(DISTURBED, 0, weighted(0.5, 0.5)), first) is None
    states = list((home / "tiny" / "adapters" / DISTURBED).rglob("checkpoint-3"))
    assert len(states) == 1, "the state of a paused run is kept"
    assert executor.execute(Launch(DISTURBED, 1, weighted(0.5, 0.5)), again) is None
    assert executor.execute(Launch(CALM, 0, weighted(0.5, 0.5)), calm) is None
    return home / "tiny", first.events, again.events, calm.events


def test_a_paused_attempt_ends_with_a_row_that_is_durable(swept: Any) -> None:
    root, first, *_ = swept
    assert [(e.kind, e.step) for e in first] == [(EventKind.EVALUATED, 2), (EventKind.PAUSED, 3)]
    assert first[1].message == "two are ahead"
    assert first[1].device_s > 0
    found = read_fragments(root, run_id=DISTURBED)
    assert [e.event_id for e in found if e.attempt == 0] == [e.event_id for e in first]


def test_the_curve_of_each_attempt_has_its_own_steps(swept: Any) -> None:
    curves = read_curves(swept[0])
    found = [(a.run_id, a.number, a.steps) for a in attempts_in(curves)]
    assert found == [(DISTURBED, 0, [1, 2, 3]), (DISTURBED, 1, [4]), (CALM, 0, [1, 2, 3, 4])]
    loss = curves["loss"].to_pylist()
    assert loss[:4] == loss[4:], "together they are the curve of the undisturbed run"
    assert {"learning_rate", "grad_norm"} <= set(curves.column_names)


def test_a_paused_run_that_goes_on_ends_as_one_that_was_never_paused(swept: Any) -> None:
    root, first, again, calm = swept
    assert [(e.kind, e.step) for e in again] == [(EventKind.EVALUATED, 4), (EventKind.FINISHED, 0)]
    for one, other in ((first[0], calm[0]), (again[0], calm[1])):
        assert (one.step, one.scores) == (other.step, other.scores)
    names = [
        (root / e.path / "adapter_model.safetensors").read_bytes() for e in (again[0], calm[1])
    ]
    assert names[0] == names[1]
    assert not list(root.rglob("checkpoint-*")), "the state of a finished run is not"
