from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from paretoflow.core import retry
from paretoflow.core.launch import AdapterRef
from paretoflow.core.protocols import Parallel
from paretoflow.core.status import Boundary
from paretoflow.engine.failures.attribution import failure_in
from paretoflow.engine.runtime.run_files import RunFiles
from paretoflow.methods.training.states import Layout, TrainerState, seal, state_folder
from paretoflow.storage import Folder, LocalFolder
from tests.faults import raises


class Store(LocalFolder):
    """A local folder that says that it is none, as an object store does."""

    @property
    def local(self) -> None:  # type: ignore[override]
        return None

    def fetch(self, name: str, to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        copy = LocalFolder(to)
        for file in self.names(name):
            copy.write(file.removeprefix(f"{name}/"), self.read(file))
        if not self.names(name):
            raise FileNotFoundError(name)
        return to


def save(attempt: Path, step: int, *, parallel: Parallel | None = None) -> Path:
    folder = state_folder(attempt, step)
    folder.mkdir(parents=True)
    (folder / "optimizer.bin").write_text(str(step))
    seal(TrainerState(folder, step, Layout.of(parallel or Parallel()), ()), ["optimizer.bin"])
    return folder


def digest_of_files(content: Mapping[str, bytes]) -> str:
    """Return what `digest_of_folder` gives of a folder with these files."""
    total = hashlib.sha256()
    for name, part in sorted(content.items()):
        total.update(name.encode() + b"\0" + hashlib.sha256(part).digest())
    return total.hexdigest()


@pytest.fixture(params=["local", "store"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "tmp"))
    local = LocalFolder(tmp_path / "sweep")
    return local if request.param == "local" else Store(tmp_path / "sweep")


def test_a_run_goes_on_from_the_newest_whole_state_of_its_earlier_attempts(folder: Folder) -> None:
    files = RunFiles(folder, Parallel())
    assert files.saved_state("a", 0) is None
    for attempt, step in ((0, 2), (1, 6), (2, 4)):
        files.keep(save(files.attempt("a", attempt), step))
    torn = save(files.attempt("a", 3), 9)
    (torn / "optimizer.bin").write_text("torn")
    files.keep(torn)
    later = RunFiles(folder, Parallel())
    found = later.saved_state("a", 4)
    assert found is not None
    assert (found / "optimizer.bin").read_text() == "6"
    assert later.saved_state("b", 4) is None
    two = RunFiles(folder, Parallel(0, 2, 2))
    assert two.saved_state("a", 4) is None  # another kind of worker group cannot read it


def test_a_finished_run_leaves_adapters_and_no_states(folder: Folder) -> None:
    files = RunFiles(folder, Parallel())
    state = save(files.attempt("a", 0), 2)
    adapter = files.attempt("a", 1) / "step-0004"
    adapter.mkdir()
    (adapter / "weights").write_text("w")
    for path in (state, adapter):
        files.keep(path)
    assert files.name(adapter) == "adapters/a/a1/step-0004"
    files.finish("a")
    assert folder.names() == ["adapters/a/a1/step-0004/weights"]
    kept = AdapterRef("adapters/a/a1/step-0004", digest_of_files({"weights": b"w"}))
    assert (files.adapter(kept) / "weights").read_text() == "w"


def test_training_for_an_object_store_happens_in_the_temporary_folder(tmp_path: Path) -> None:
    there, here = Store(tmp_path), LocalFolder(tmp_path)
    assert RunFiles(here, Parallel()).root == tmp_path
    assert RunFiles(there, Parallel()).root != tmp_path
    assert RunFiles(there, Parallel()).root == RunFiles(there, Parallel(1, 2)).root


def test_a_full_disk_is_waited_for_and_one_that_stays_full_fails_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(retry.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(retry.time, "sleep", sleep)
    tries: list[float] = []

    def write() -> None:
        tries.append(now[0])
        if now[0] < 60.0:
            raise OSError(28, "No space left on device")

    files = RunFiles(LocalFolder(tmp_path), Parallel())
    files.patiently(write)
    assert tries[-1] == 60.0
    now[0] = -1e6
    with pytest.raises(OSError, match="No space left"):
        files.patiently(write)
    assert now[0] == -1e6 + retry.OUTAGE_S
    now[0] = 0.0
    with pytest.raises(OSError, match="No space left"):  # its client was patient before
        RunFiles(Store(tmp_path), Parallel()).patiently(write)
    assert now[0] == 0.0


def test_adapters_are_found_by_name_and_digest(folder: Folder) -> None:
    files = RunFiles(folder, Parallel())
    names = ["adapters/a/a0/step-0001", "adapters/b/a0/merged"]
    for name in names:
        folder.write(f"{name}/adapter_config.json", name.encode())
    digests = [digest_of_files({"adapter_config.json": name.encode()}) for name in names]
    found = [files.adapter(AdapterRef(*one)) for one in zip(names, digests, strict=True)]
    assert [(p / "adapter_config.json").read_text() for p in found] == names
    with raises("adapter-gone", "adapters/gone"):
        files.adapter(AdapterRef("adapters/gone", digests[0]))
    with raises("adapter-changed", "b/a0/merged", "adapter_config"):
        files.adapter(AdapterRef(names[1], digests[0]))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_parent_that_is_lost_or_changed_fails_at_the_store_for_good(
    folder: Folder, rank: int
) -> None:
    files = RunFiles(folder, Parallel(rank=rank, ranks=2))
    content = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights"}
    for name, part in content.items():
        folder.write(f"adapters/a/{name}", part)
    adapter = AdapterRef("adapters/a", digest_of_files(content))
    assert files.adapter(adapter).is_dir()
    changes = {
        "changed": lambda: folder.write("adapters/a/adapter_model.safetensors", b"weighty"),
        "a file less": lambda: folder.delete("adapters/a/adapter_model.safetensors"),
        "a file more": lambda: folder.write("adapters/a/other.txt", b"more"),
        "gone": lambda: folder.delete("adapters/a"),
    }
    for change in changes.values():
        change()
        failure = failure_in(lambda: files.adapter(adapter))
        assert failure is not None
        assert (failure.boundary, failure.retryable) == (Boundary.STORE, False)
        assert "adapters/a: the adapter is" in failure.message
        assert "restore the folder from a copy" in failure.message
