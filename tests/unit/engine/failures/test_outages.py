"""Classification of errors of disk, network, storage or device; real errors where possible."""

from __future__ import annotations

import errno
import http.server
import importlib
import json
import os
import resource
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pytest

from paretoflow.core.errors import (
    DataError,
    FencedError,
    LedgerError,
    MethodError,
    NonFiniteLossError,
    ObjectiveError,
    RunInterrupted,
    StorageError,
)
from paretoflow.core.status import Boundary
from paretoflow.engine.failures.attribution import failure_in, failure_of
from paretoflow.engine.messages import Cause, Failure
from tests.small_disk import fill, small_disk

CLOSED = "http://127.0.0.1:9/"
"""Nobody listens there."""


def failure(work: Callable[[], object], *places: Path) -> Failure:
    found = failure_in(lambda: (work(), None)[1], places)
    assert found is not None
    return found


def assert_outage(found: Failure, words: str, boundary: Boundary = Boundary.STORE) -> None:
    assert (found.cause, found.boundary, found.retryable) == (Cause.OUTAGE, boundary, True)
    assert found.outage.startswith(words), found.outage
    assert found.message.startswith(found.outage)
    assert "\n" not in found.message


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 256) as disk:
        fill(disk, leave=40_000)
        yield disk


def _open_writer(path: Path) -> None:
    with path.open("w") as file:
        json.dump(list(range(10**5)), file)


def _arrow(path: Path) -> None:
    with pa.OSFile(str(path), "w") as sink:
        sink.write(b"x" * 10**6)


def _safetensors(path: Path) -> None:
    torch, save = pytest.importorskip("torch"), importlib.import_module("safetensors.torch")
    save.save_file({"a": torch.zeros(10**5)}, path)


def _torch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(10**5)}, path)


@pytest.mark.parametrize(
    "write",
    [lambda p: p.write_bytes(b"x" * 10**6), _open_writer, _arrow, _safetensors, _torch],
    ids=["bytes", "json", "arrow", "safetensors", "torch"],
)
def test_whoever_writes_to_a_full_disk_it_is_the_disk_that_is_full(
    full: Path, write: Callable[[Path], None]
) -> None:
    assert_outage(failure(lambda: write(full / "file"), full), f"no space left on {full}")


def test_a_full_disk_is_named_by_the_error_where_that_does(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64, inodes=1) as disk:
        assert_outage(failure(lambda: (disk / "new").mkdir()), f"no space left on {disk}/new")


def test_a_device_without_space_needs_no_disk(tmp_path: Path) -> None:
    def write() -> None:
        with open("/dev/full", "w") as file:  # noqa: PTH123
            file.write("x")

    assert_outage(failure(write), "no space left")


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_limits_of_the_machine_are_not_the_runs(tmp_path: Path) -> None:
    with limited(resource.RLIMIT_FSIZE, 1000):
        found = failure(lambda: (tmp_path / "large").write_bytes(b"x" * 10**4))
    assert_outage(found, "no larger files are allowed")
    with limited(resource.RLIMIT_NOFILE, 3):
        found = failure(lambda: (tmp_path / "large").read_bytes())
    assert_outage(found, "too many open files", Boundary.WORKER)


def _timeout() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0.01)
        near.recv(1)


def _taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.socket() as second:
        second.bind(first.getsockname())


def _broken() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        os.write(writing, b"x")
    finally:
        os.close(writing)


def _requests(url: str, **options: Any) -> None:
    pytest.importorskip("requests").get(url, timeout=5, **options).raise_for_status()


def _httpx(url: str) -> None:
    pytest.importorskip("httpx").get(url, timeout=5).raise_for_status()


def _s3() -> None:
    pyarrow.fs.S3FileSystem(
        endpoint_override="127.0.0.1:9",
        scheme="http",
        region="us-east-1",
        access_key="a",
        secret_key="b",
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=1),
    ).get_file_info("bucket/key")


def _meeting() -> None:
    distributed = pytest.importorskip("torch").distributed
    with socket.create_server(("127.0.0.1", 0)) as first:
        distributed.TCPStore("127.0.0.1", first.getsockname()[1], 1, True)


@pytest.mark.parametrize(
    ("work", "words", "boundary"),
    [
        (lambda: socket.create_connection(("127.0.0.1", 9)), "nobody answers", Boundary.WORKER),
        (lambda: urllib.request.urlopen(CLOSED), "nobody answers", Boundary.WORKER),
        (lambda: _requests(CLOSED), "requests says ConnectionError", Boundary.WORKER),
        (lambda: _httpx(CLOSED), "httpx says ConnectError", Boundary.WORKER),
        (_s3, "storage or network is away", Boundary.STORE),
        (_timeout, "no answer in time", Boundary.WORKER),
        (_taken, "the port is taken", Boundary.WORKER),
        (_meeting, "torch says DistNetworkError", Boundary.WORKER),
        (_broken, "the connection broke", Boundary.WORKER),
    ],
)
def test_a_network_that_fails_is_not_the_run(
    work: Callable[[], object], words: str, boundary: Boundary
) -> None:
    assert_outage(failure(work), words, boundary)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that answers with the status that it is asked for."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(int(self.path[1:]))

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


@pytest.mark.parametrize("get", [urllib.request.urlopen, _requests, _httpx])
def test_a_server_tells_by_its_status_whose_fault_it_is(
    get: Callable[[str], object], server: str
) -> None:
    for status in (401, 403, 408, 429, 500, 502, 503, 504, 529):
        found = failure(lambda status=status: get(f"{server}{status}"))
        assert_outage(found, f"a server answers with HTTP status {status}", Boundary.WORKER)
    for status in (400, 404, 405, 422):
        assert failure(lambda status=status: get(f"{server}{status}")).cause is Cause.ERROR


def test_a_judge_that_is_away_is_an_outage_at_the_objective() -> None:
    def score() -> None:
        try:
            urllib.request.urlopen(CLOSED)
        except urllib.error.URLError as error:
            raise ObjectiveError("raised URLError", "objective judge") from error

    assert_outage(failure(score), "nobody answers at the address", Boundary.OBJECTIVE)


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"An error occurred ({code}) when calling the PutObject operation: no")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


ClientError.__module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("error", "words", "boundary"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the quota is used up", Boundary.STORE),
        (
            OSError(errno.EROFS, "Read-only", "/mnt/a"),
            "only reading is allowed on /mnt/a",
            Boundary.STORE,
        ),
        (OSError(errno.EIO, "Input/output error"), "input or output fails", Boundary.STORE),
        (OSError(errno.ESTALE, "Stale file handle"), "the network disk lost", Boundary.STORE),
        (
            PermissionError(errno.EACCES, "denied", "/mnt/a"),
            "access is denied on /mnt/a",
            Boundary.STORE,
        ),
        (
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            "the machine has no memory",
            Boundary.WORKER,
        ),
        (socket.gaierror(-3, "Temporary failure"), "a name cannot be looked up", Boundary.WORKER),
        (TimeoutError(), "no answer in time", Boundary.WORKER),
        (ConnectionResetError(), "the connection broke", Boundary.WORKER),
        (
            StorageError("gave no answer for 180 s", "s3://b"),
            "gave no answer for 180 s (s3://b)",
            Boundary.STORE,
        ),
        (LedgerError("storage is away"), "storage is away", Boundary.STORE),
        (
            RuntimeError("write: I/O error: Disk quota exceeded (os error 122)"),
            "the quota",
            Boundary.STORE,
        ),
        (RuntimeError("can't start new thread"), "the machine has no more", Boundary.WORKER),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
                "dataloader's workers are out of shared memory, insufficient shared memory (shm)"
            ),
            "no shared memory left",
            Boundary.WORKER,
        ),
        (
            RuntimeError(
                "[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:40"
            ),
            "the connection broke",
            Boundary.WORKER,
        ),
        (
            RuntimeError("NCCL error in: x.cpp: unhandled system error, NCCL version 2.20"),
            "the ranks lost each other",
            Boundary.WORKER,
        ),
        (
            RuntimeError("CUDA error: uncorrectable ECC error encountered"),
            "the device fails",
            Boundary.WORKER,
        ),
        (
            OSError("When uploading part for key 'a': AWS Error SLOW_DOWN"),
            "storage or network",
            Boundary.STORE,
        ),
        (
            OSError(
                "AWS Error UNKNOWN (HTTP status 400): ExpiredToken: The provided token has expired."
            ),
            "the credentials have expired",
            Boundary.STORE,
        ),
        (ClientError(400, "ExpiredToken"), "the credentials have expired", Boundary.STORE),
        (ClientError(503, "SlowDown"), "a server answers with HTTP status 503", Boundary.WORKER),
    ],
    ids=str,
)
def test_numbers_types_and_words_tell(error: Exception, words: str, boundary: Boundary) -> None:
    assert_outage(failure_of(error), words, boundary)


@pytest.mark.ray
def test_what_ray_lost_is_not_the_runs() -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    for error in (
        exceptions.ObjectStoreFullError("full"),
        exceptions.OutOfDiskError("full"),
        exceptions.RaySystemError("gone"),
        exceptions.LocalRayletDiedError(),
        exceptions.RuntimeEnvSetupError("no"),
        exceptions.GetTimeoutError("late"),
    ):
        assert failure_of(error).cause is Cause.OUTAGE, error


def nested(outer: Exception, inner: BaseException, *, explicit: bool) -> Exception:
    try:
        try:
            raise inner
        except BaseException as error:
            if explicit:
                raise outer from error
            raise outer  # noqa: B904
    except Exception as raised:  # noqa: BLE001
        return raised


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("explicit", [True, False])
def test_what_led_to_an_error_counts_however_deep(explicit: bool) -> None:
    deep = nested(
        MethodError("training failed"),
        nested(RuntimeError("x"), FULL, explicit=explicit),
        explicit=explicit,
    )
    assert_outage(failure_of(deep), "no space left")
    assert_outage(failure_of(ExceptionGroup("two", [KeyError("a"), FULL])), "no space left")
    hidden = RuntimeError("an answer of its own")
    hidden.__context__, hidden.__suppress_context__ = FULL, True
    assert failure_of(hidden).cause is Cause.ERROR


def test_an_error_that_leads_to_itself_ends() -> None:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert failure_of(one).cause is Cause.ERROR


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the answer was: No space left on device, connection refused, os error 28"),
        KeyError("Connection reset by peer"),
        FileNotFoundError(errno.ENOENT, "No such file", "/data/timeout/5xx"),
        NonFiniteLossError("the loss is nan"),
        MethodError("no two answers differ"),
        DataError("no column"),
        FencedError("a newer driver"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (28x5 and 122x30)"),
        TypeError("unsupported operand"),
        ImportError("no module named timeout"),
        nested(
            ObjectiveError("raised PermissionError"),
            PermissionError(errno.EACCES, "no", "/mine"),
            explicit=True,
        ),
    ],
    ids=str,
)
def test_a_fault_of_the_run_itself_is_none(error: Exception) -> None:
    found = failure_of(error)
    assert (found.cause, found.outage) == (Cause.ERROR, "")


def test_other_causes_come_first() -> None:
    assert failure_of(nested(MemoryError(), FULL, explicit=True)).cause is Cause.OUT_OF_MEMORY
    assert failure_of(nested(RunInterrupted("stopped"), FULL, explicit=True)).cause is Cause.LOST
