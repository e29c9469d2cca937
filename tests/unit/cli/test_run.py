"""`run`, with a simulated backend in the place of Ray's."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.messages import Report
from paretoflow.engine.read.sweep import open_sweep_folder
from paretoflow.engine.session import run as session
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root
from tests.faults import only_printed
from tests.sim.oracles import BrokenOracle, CircleOracle, HopelessOracle
from tests.unit.cli.circle_job import CIRCLE


class Backend(SimulatedBackend):
    """Stands for the one on Ray; may send the process a signal, or use another oracle."""

    oracle: Any = CircleOracle
    patience = 10**6
    notice = signal.SIGINT
    addresses: list[str | None]
    folders: list[Path]

    def __init__(
        self,
        spec: SweepSpec,
        root: Root,
        address: str | None = None,
        *,
        executor: str,
        generation: int,
    ) -> None:
        self.addresses.append(address)
        self.folders.append(Path.cwd())
        super().__init__(
            SimulatedCluster(
                type(self).oracle(),
                declared_problem(spec.objectives),
                spec.engine,
                seed=spec.seed,
            )
        )

    def poll(self, timeout_s: float) -> list[Report]:
        type(self).patience -= 1
        if self.patience < 0:
            signal.raise_signal(type(self).notice)
        return super().poll(timeout_s)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Backend]]:
    """The current folder holds a job; `run` meets this backend instead of Ray's."""
    (tmp_path / "job.yaml").write_text(CIRCLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    class Fresh(Backend):
        addresses: list[str | None] = []  # noqa: RUF012
        folders: list[Path] = []  # noqa: RUF012

    monkeypatch.setattr(session, "_ray_backend", lambda: Fresh)
    before = signal.getsignal(signal.SIGTERM)
    yield Fresh
    signal.signal(signal.SIGTERM, before)


RUN = ["run", "job.yaml", "--no-fsync"]


def test_a_run_tells_what_happens_line_by_line(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(RUN) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0].endswith(" …")
    assert sum(" started: Opening stage: " in line for line in lines) >= 2
    assert sum(" finished in " in line for line in lines) == 6
    assert any(line.startswith("[6/6] ") for line in lines)
    assert "done: all 6 runs are launched" in lines
    assert "6 runs finished, 0 failed, 0 pending" in text
    assert ": paretoflow pick sweeps/circle --prefer left=0.5,right=0.5" in text
    assert "\x1b" not in text
    assert backend.addresses == [None]


def test_a_finished_sweep_is_not_run_again_and_can_grow(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(RUN) == 0
    capsys.readouterr()
    assert main(RUN) == 0
    again = capsys.readouterr().out.splitlines()
    assert ": 6 of 6 runs " in again[0]
    assert not any(" started" in line or " finished in" in line for line in again)
    assert main([*RUN, "--set", "stop.runs=7"]) == 0
    grown = capsys.readouterr().out.splitlines()
    assert ": 6 of 7 runs " in grown[0]
    assert sum(" finished in " in line for line in grown) == 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("notice", "status", "why"),
    [
        (signal.SIGINT, 130, "stopped by the user"),
        (signal.SIGTERM, 143, "stopped by a signal (SIGTERM)"),
        (signal.SIGHUP, 129, "stopped by a signal (SIGHUP)"),
    ],
)
def test_a_signal_stops_safely_and_the_same_command_goes_on(
    backend: type[Backend],
    capsys: pytest.CaptureFixture[str],
    notice: signal.Signals,
    status: int,
    why: str,
) -> None:
    backend.patience, backend.notice = 4, notice
    assert main(RUN) == status
    assert open_sweep_folder(Path("sweeps/circle")).state.closed == why
    text = capsys.readouterr().out
    assert ": paretoflow run job.yaml" in text.splitlines()[-1]
    backend.patience = 10**6
    assert main(RUN) == 0
    state = open_sweep_folder(Path("sweeps/circle")).state
    assert (state.finished, state.failed) == (6, 0)


def test_failed_runs_do_not_fail_the_command(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    backend.oracle = BrokenOracle
    assert main([*RUN, "--set", "engine.retries=0", "--set", "stop.runs=20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if " failed (objective): " in line]
    assert failed
    assert all("non-finite score for left" in line for line in failed)
    assert len(failed) + sum(" finished in " in line for line in lines) == 20


@pytest.mark.parametrize("extra", [[], ["--set", "stop.failures=null"], ["--set", "stop.runs=1"]])
def test_a_sweep_in_which_no_run_finished_fails_and_shows_why(
    backend: type[Backend], capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    backend.oracle = HopelessOracle
    assert main([*RUN, *extra]) == 1
    captured = capsys.readouterr()
    early = "stop.failures=null" not in extra
    assert f"error: {'stopped early' if early else 'no run finished'}: " in captured.err
    assert "at the boundary method: ValueError: this oracle knows nothing" in captured.err
    assert 'raise ValueError("this oracle knows nothing")' in captured.err
    assert "Traceback" not in captured.out
    assert f"paretoflow run job.yaml{' --set ' + extra[1] if extra else ''}" in captured.err
    assert ("failed alike: paretoflow run" in captured.err) == early
    assert sum(" failed (method): " in line for line in captured.out.splitlines()) == (
        1 if "stop.runs=1" in extra else 3 if early else 6
    )


def test_once_the_cause_is_mended_the_same_command_makes_the_failed_runs_again(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    backend.oracle = HopelessOracle
    assert main(RUN) == 1
    backend.oracle = CircleOracle
    assert main(RUN) == 0
    captured = capsys.readouterr()
    assert "6 runs finished, 0 failed, 0 pending" in captured.out
    assert "error" not in captured.out
    state = open_sweep_folder(Path("sweeps/circle")).state
    assert (len(state.runs), state.finished, state.failed) == (6, 6, 0)


def test_runs_that_failed_among_others_that_finished_are_told(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    backend.oracle = BrokenOracle
    assert main([*RUN, "--set", "engine.retries=0", "--set", "stop.runs=20"]) == 0
    captured = capsys.readouterr()
    failed = sum(" failed (objective): " in line for line in captured.out.splitlines())
    assert f"note: {failed} of 20 runs failed" in captured.err
    assert " objective (objective-not-finite): " in captured.err


def test_a_sweep_that_is_stopped_before_a_run_finished_has_not_failed(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    backend.patience = 0
    assert main(RUN) == 130
    assert "error" not in capsys.readouterr().err


def test_storage_and_address_are_passed_on(backend: type[Backend], tmp_path: Path) -> None:
    assert main([*RUN, "--storage", str(tmp_path / "else"), "--address", "auto"]) == 0
    assert (tmp_path / "else" / "circle" / "spec.json").is_file()
    assert not (tmp_path / "sweeps").exists()
    assert backend.addresses == ["auto"]


@pytest.mark.usefixtures("backend")
def test_another_sweep_of_that_name_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    assert main([*RUN, "--set", "seed=9"]) == 2
    only_printed(capsys.readouterr().err, "spec-fixed", "'circle'", "seed", "engine, stop")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("words", "code", "place"),
    [
        (["run", "nowhere.yaml"], "spec-missing-file", "nowhere.yaml: "),
        (["run", "job.yaml", "--set", "stop.rums=3"], "spec-unknown-key", "--set stop.rums: "),
        (["run", "job.yaml", "--set", "stop.runs=none"], "spec-wrong-type", "--set stop.runs: "),
    ],
)
def test_faults_of_the_user_end_with_2_and_no_traceback(
    words: list[str], code: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    only_printed(capsys.readouterr().err, code, place)
    assert not Path("sweeps").exists()


def test_help_tells_about_going_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("Finished work is not repeated", "--address", "--no-fsync", "--set"):
        assert part in text


def test_what_is_local_is_looked_at_before_anything_is_started(
    backend: type[Backend], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(CIRCLE + "method: {type: command, argv: [no-such-program]}\n")
    assert main(["run", "job.yaml", "--no-fsync"]) == 2
    told = only_printed(capsys.readouterr().err, "spec-missing-file", "'no-such-program'")
    assert " method.argv.0: " in told.line
    assert backend.addresses == []
    assert not Path("sweeps").exists()
    # on a cluster it need be there only
    assert main(["run", "job.yaml", "--no-fsync", "--address", "auto"]) == 0
    assert backend.addresses == ["auto"]
