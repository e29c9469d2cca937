"""What every tracker promises, proven with the library's own client and its own files."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import time
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.errors import MissingExtraError
from paretoflow.spec.tracking import (
    MlflowTrackerSpec,
    TensorboardTrackerSpec,
    TrackerSpec,
    WandbTrackerSpec,
)
from paretoflow.tracking import TAGS, Point, TrackedSweep, Tracker, build_tracker
from tests.faults import raises

SUBJECT = TrackedSweep(
    "demo", "demo-0123456789", {"method": "dpo", "objectives": "length, coverage"}
)
RUN = TrackedSweep("demo", f"{SUBJECT.key}-r0-a1", SUBJECT.facts, "r0-a1", SUBJECT.key)
LIBRARIES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
SECRET = "0123456789abcdef" * 3

Told = dict[tuple[str, int], float]
"""Value by name and step."""


def examples(folder: Path) -> dict[str, TrackerSpec]:
    return {
        "tensorboard": TensorboardTrackerSpec(type="tensorboard", folder=str(folder / "tb")),
        "mlflow": MlflowTrackerSpec(
            type="mlflow", uri=f"sqlite:///{folder}/mlflow.db", experiment="sweeps"
        ),
        "wandb": WandbTrackerSpec(
            type="wandb", project="sweeps", mode="offline", folder=str(folder / "wb")
        ),
    }


def read_tensorboard(spec: Any, subject: TrackedSweep = SUBJECT) -> Told:
    """Read event files as TensorBoard does: a start event purges what came before."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    told: Told = {}
    folder = Path(spec.folder, SUBJECT.key, subject.run)
    files = [path for path in folder.iterdir() if path.is_file()]
    for path in sorted(files, key=lambda p: p.stat().st_mtime_ns):
        for record in records_of(path.read_bytes()):
            event = Event.FromString(record)
            if event.session_log.status == SessionLog.START:
                told = {at: value for at, value in told.items() if at[1] < event.step}
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    assert (value.tag, event.step) not in told
                    told[value.tag, event.step] = value.simple_value
    return told


def records_of(data: bytes) -> Iterator[bytes]:
    """Yield the records of a TFRecord file: length, its checksum, data, their checksum."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + length]
        at += 16 + length


def read_mlflow(spec: Any, subject: TrackedSweep = SUBJECT) -> Told:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=spec.uri)
    experiment = client.get_experiment_by_name(spec.experiment)
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    run = runs[subject.run or subject.sweep]
    if subject.run:
        assert run.data.tags["mlflow.parentRunId"] == runs[subject.sweep].info.run_id
    assert run.data.params == dict(SUBJECT.facts)
    told: Told = {}
    for name in run.data.metrics:
        for metric in client.get_metric_history(run.info.run_id, name):
            assert (name, metric.step) not in told
            told[name, metric.step] = metric.value
    return told


def read_wandb(spec: Any, subject: TrackedSweep = SUBJECT) -> Told:
    """Read the newest offline folder: synced last, it replaces the others of its id."""
    from wandb.proto.wandb_internal_pb2 import Record

    path = sorted(Path(spec.folder, "wandb").glob(f"offline-run-*/run-{subject.key}.wandb"))[-1]
    records: list[Any] = []
    until = time.monotonic() + 20
    while not any(r.HasField("exit") for r in records):  # the client's own process writes the file
        assert time.monotonic() < until, "the client never finished its file"
        time.sleep(0.05)
        records = [Record.FromString(data) for data in leveldb_records_of(path.read_bytes())]
    (run,) = [record.run for record in records if record.HasField("run")][:1]
    assert (run.display_name, run.run_group) == (subject.run or subject.sweep, SUBJECT.key)
    told: Told = {}
    for history in (record.history for record in records):
        for item in history.item:
            name = item.key or "/".join(item.nested_key)
            if not name.startswith("_"):
                told[name, history.step.num] = json.loads(item.value_json)
    return told


def leveldb_records_of(data: bytes) -> Iterator[bytes]:
    """Yield the records of a LevelDB log behind a header of 7 bytes.

    Blocks of 32 KiB hold pieces: checksum, length, kind (1 whole, 2 first, 3 middle, 4 last), data.
    """
    whole, at = b"", 7
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # no piece begins in a block's last bytes
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


READERS: dict[str, Callable[..., Told]] = {
    "tensorboard": read_tensorboard,
    "mlflow": read_mlflow,
    "wandb": read_wandb,
}


def point(step: int, **values: float) -> Point:
    return Point(step, 1_700_000_000.0 + step, {k.replace("_", "/"): v for k, v in values.items()})


def test_tags_union_and_examples_are_the_same(tmp_path: Path) -> None:
    members = typing.get_args(typing.get_args(TrackerSpec)[0])
    tags = {typing.get_args(member.model_fields["type"].annotation)[0] for member in members}
    assert tags == set(TAGS) == set(examples(tmp_path)) == set(READERS)


def test_an_unknown_tag_is_refused_with_the_nearest() -> None:
    spec = WandbTrackerSpec.model_construct(type="wanbd")  # type: ignore[arg-type]
    with raises("plugin-unknown", "'wanbd'", "wandb?"):
        build_tracker(spec)


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_a_missing_library_is_named(
    tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARIES[tag], None)
    with pytest.raises(MissingExtraError, match=LIBRARIES[tag]) as caught:
        build_tracker(examples(tmp_path)[tag])
    assert "paretoflow[track]" in caught.value.hint


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|wandb|sqlalchemy|alembic).*")
@pytest.mark.parametrize("tag", sorted(TAGS))
class TestEveryTracker:
    @pytest.fixture
    def spec(self, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackerSpec:
        pytest.importorskip(LIBRARIES[tag], reason="needs the extra `track`")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("WANDB_API_KEY", SECRET)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
        return examples(tmp_path)[tag]

    @pytest.fixture
    def tracker(self, spec: TrackerSpec) -> Tracker:
        return build_tracker(spec)

    def test_building_touches_nothing(self, tracker: Tracker, tmp_path: Path) -> None:
        assert list(tmp_path.iterdir()) == []

    def test_what_was_told_of_a_sweep_and_its_run_is_there(
        self, tracker: Tracker, spec: TrackerSpec, tag: str
    ) -> None:
        assert tracker.open(SUBJECT) == 0
        tracker.log([point(0, score_length=12.5, score_coverage=0.25)])
        tracker.log([point(1, score_length=10.0), point(2, score_length=8.0, front_size=2.0)])
        run = build_tracker(spec)
        assert run.open(RUN) == 0
        run.log([point(1, loss=0.5), point(2, loss=math.nan)])
        run.log([point(3, loss=0.25, grad_norm=2.0)])
        run.close(ended=True)
        tracker.log([point(2, front_number=1.0)])
        tracker.close(ended=True)
        told = READERS[tag](spec)
        assert (
            told.items()
            >= {
                ("score/length", 0): 12.5,
                ("score/coverage", 0): 0.25,
                ("score/length", 1): 10.0,
                ("score/length", 2): 8.0,
                ("front/size", 2): 2.0,
                ("front/number", 2): 1.0,
            }.items()
        )
        steps = {step: v for (name, step), v in READERS[tag](spec, RUN).items() if name == "loss"}
        assert (steps[1], steps[3]) == (0.5, 0.25)
        assert math.isnan(float(steps[2])), "a value that is not finite is not hidden"

    def test_a_resumed_sweep_goes_on_in_the_same_run_and_nothing_is_there_twice(
        self, tracker: Tracker, spec: TrackerSpec, tag: str
    ) -> None:
        points = [point(step, score_length=float(10 - step)) for step in range(4)]
        assert tracker.open(SUBJECT) == 0
        tracker.log(points[:2])
        tracker.close(ended=False)
        again = build_tracker(spec)
        known = again.open(SUBJECT)
        again.log(points[known:])
        again.close(ended=True)
        told = READERS[tag](spec)
        lengths = {step: value for (name, step), value in told.items() if name == "score/length"}
        assert lengths == {0: 10.0, 1: 9.0, 2: 8.0, 3: 7.0}

    def test_no_secret_is_written(self, tracker: Tracker, tmp_path: Path) -> None:
        tracker.open(SUBJECT)
        tracker.log([point(0, score_length=1.0)])
        tracker.close(ended=True)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_wandb_online_without_a_key_never_asks(tmp_path: Path) -> None:
    """In a process of its own: the client remembers a key for as long as its process lives."""
    pytest.importorskip("wandb", reason="needs the extra `track`")
    script = (
        "from paretoflow.core.errors import UserError\n"
        "from paretoflow.spec.tracking import WandbTrackerSpec\n"
        "from paretoflow.tracking import TrackedSweep, build_tracker\n"
        "tracker = build_tracker(WandbTrackerSpec(type='wandb'))\n"
        "try:\n"
        "    tracker.open(TrackedSweep('demo', 'demo-0', {}))\n"
        "except UserError as error:\n"
        "    print('refused:', error.what)\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    env |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "refused: Weights & Biases has no key\n", done.stderr
