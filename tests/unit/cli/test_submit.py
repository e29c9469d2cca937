"""`submit`, and `resume` on a cluster, against a head that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paretoflow.cli import submit as verb
from paretoflow.cli.main import main
from paretoflow.core.errors import ClusterError
from paretoflow.engine.cluster.dashboard import Dashboard
from paretoflow.engine.cluster.submit import JobEnd, Jobs, job_name
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.fake_head import Head, fake_head
from tests.faults import only_printed
from tests.unit.cli.circle_job import CIRCLE
from tests.unit.engine.telling import opened

SUBMIT = ("submit", "job.yaml", "--address")


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    """A head with a token, that this machine knows; the current folder holds a job."""
    (tmp_path / "job.yaml").write_text(CIRCLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "sesame")
    with fake_head(token="sesame") as head:
        yield head


def _first() -> str:
    return job_name("circle", str(Path("sweeps/circle").absolute()))


def _follows(monkeypatch: pytest.MonkeyPatch, follow: Callable[..., JobEnd]) -> None:
    monkeypatch.setattr(Jobs, "follow", follow)


def test_a_submission_says_its_job_and_the_next_commands(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    root = Path("sweeps/circle").absolute()
    assert capsys.readouterr().out.splitlines() == [
        f"submitted {_first()} at {head.address}",
        f"  status  paretoflow status {root} --watch",
        f"  follow  paretoflow resume {root} --address {head.address} --follow",
        f"  stop    paretoflow stop {root} --address {head.address}",
    ]
    assert (root / "spec.json").is_file()
    (asked,) = head.asked
    assert f" resume {root} --address auto" in asked["entrypoint"]


def test_submitting_again_attaches_and_changes_nothing(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    before = Path("sweeps/circle/spec.json").read_bytes()
    assert main([*SUBMIT, head.address, "--set", "stop.runs=9"]) == 0
    captured = capsys.readouterr()
    assert f"attached to {_first()} at " in captured.out
    assert "its own stop stays" in captured.err
    assert len(head.asked) == 1
    assert Path("sweeps/circle/spec.json").read_bytes() == before


def test_another_sweep_of_that_name_is_not_attached_to(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    assert main([*SUBMIT, head.address, "--set", "seed=9"]) == 2
    only_printed(capsys.readouterr().err, "spec-fixed", "'circle'", "seed")


def test_resuming_needs_no_yaml_and_attaches_too(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    resume = ["resume", "sweeps/circle", "--address", head.address]
    assert main(resume) == 0
    assert f"attached to {_first()} at " in capsys.readouterr().out
    head.jobs[_first()] = "FAILED"
    assert main([*resume, "--set", "stop.runs=9", "--env", "A=1"]) == 0
    assert f"submitted {_first()}-2 at " in capsys.readouterr().out
    assert '"runs": 9' in Path("sweeps/circle/spec.json").read_text()
    assert head.asked[-1]["runtime_env"]["env_vars"] == {"A": "1"}


def test_a_job_whose_driver_has_closed_the_sweep_is_let_go_first(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    ledger = open_ledger("sweeps/circle", writer=True, create=True, fsync=False)
    ledger.append([opened(), Event("closed:0", EventKind.CLOSED, 1.0, message="stopped by me")])
    statuses = iter(["RUNNING", "RUNNING", "SUCCEEDED"])
    true_live = Jobs.live

    def live(jobs: Jobs) -> str | None:
        head.jobs[_first()] = next(statuses)
        return true_live(jobs)

    monkeypatch.setattr(Jobs, "live", live)
    monkeypatch.setattr(verb, "LOOK_EVERY_S", 0.0)
    assert main([*SUBMIT, head.address]) == 0
    assert f"submitted {_first()}-2 at " in capsys.readouterr().out
    assert list(statuses) == []


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (JobEnd("SUCCEEDED", "well done", 0), 0),
        (JobEnd("FAILED", "no such file", 2), 2),
        (JobEnd("FAILED", "the node went away", None), 1),
        (JobEnd("STOPPED", "by the user", None), 130),
    ],
)
def test_following_prints_the_log_and_ends_as_the_job_does(
    head: Head,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: JobEnd,
    status: int,
) -> None:
    def follow(jobs: Jobs, name: str, tell: Callable[[str], None]) -> JobEnd:
        tell("[1/6] r0000")
        tell(" finished\n")
        return end

    _follows(monkeypatch, follow)
    assert main([*SUBMIT, head.address, "--follow"]) == status
    captured = capsys.readouterr()
    assert "[1/6] r0000 finished\n" in captured.out
    assert f"{_first()} {end.status.lower()}: {end.message}" in captured.err


def test_ctrl_c_while_following_leaves_the_job_alone(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def follow(jobs: Jobs, name: str, tell: Callable[[str], None]) -> JobEnd:
        raise KeyboardInterrupt

    _follows(monkeypatch, follow)
    assert main([*SUBMIT, head.address, "--follow"]) == 130
    captured = capsys.readouterr()
    assert f"{_first()} " in captured.err
    assert "  follow  paretoflow resume " in captured.out
    assert head.jobs == {_first(): "RUNNING"}


def test_a_secret_goes_along_only_when_it_is_named_and_is_never_printed(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_9Qx7")
    monkeypatch.setenv("WANDB_API_KEY", "wb_9Qx7")
    assert main([*SUBMIT, head.address, "--env", "HF_TOKEN", "--env", "A=b=c"]) == 0
    assert head.asked[0]["runtime_env"]["env_vars"] == {"HF_TOKEN": "hf_9Qx7", "A": "b=c"}
    captured = capsys.readouterr()
    assert "9Qx7" not in captured.out + captured.err
    assert "9Qx7" not in Path("sweeps/circle/spec.json").read_text()


def test_files_that_only_the_cluster_has_are_a_note(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "data={type: jsonl, path: /mnt/x.jsonl, columns: {prompt: q}}"
    assert main([*SUBMIT, head.address, "--set", data]) == 0
    told = capsys.readouterr().err
    assert "note: " in told
    assert "'/mnt/x.jsonl'" in told
    assert len(head.asked) == 1


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("model.lora.targets=[nosuch]", "model.lora.targets.0"),
        ("model.generation.max_new_tokens=4096", "model.generation.max_new_tokens"),
        ("method={type: command, argv: [x], batch_size: 0}", "method.batch_size"),
    ],
)
def test_what_no_machine_could_run_is_refused_and_not_submitted(
    head: Head, capsys: pytest.CaptureFixture[str], change: str, key: str
) -> None:
    away = "data={type: jsonl, path: /mnt/x.jsonl}"
    for extra in ([], ["--set", away]):
        assert main([*SUBMIT, head.address, "--set", change, *extra]) == 2
        assert f" {key}: " in capsys.readouterr().err.splitlines()[0] + " "
    assert head.asked == []


def test_a_local_folder_and_a_head_elsewhere_is_a_note(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    assert "must see it" not in capsys.readouterr().err
    head.jobs.clear()
    monkeypatch.setattr(Dashboard, "is_local", False)
    assert main([*SUBMIT, head.address]) == 0
    assert "every node of the cluster must see it" in capsys.readouterr().err


def test_fewer_groups_than_asked_for_is_a_note(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address, "--set", "engine.worker_groups=20"]) == 0
    assert "room for 8 of 20 worker groups" in capsys.readouterr().err


def test_a_cluster_that_grows_may_be_too_small_now(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = ("--set", "engine.resources.gpus_per_rank=1")
    assert main([*SUBMIT, head.address, *gpu]) == 2
    only_printed(capsys.readouterr().err, "cluster-too-small", "--anyway")
    assert not Path("sweeps").exists()
    assert main([*SUBMIT, head.address, *gpu, "--anyway"]) == 0
    assert "room for 0 of 2 worker groups" in capsys.readouterr().err


def test_the_address_may_stand_in_the_environment(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", head.address)
    assert main(["submit", "job.yaml"]) == 0
    assert len(head.asked) == 1


def test_a_fault_of_the_yaml_comes_before_the_cluster(
    head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SUBMIT, head.address, "--set", "stop.rums=3"]) == 2
    only_printed(capsys.readouterr().err, "spec-unknown-key", "--set stop.rums: ")
    assert not head.asked


def test_a_working_directory_is_uploaded(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.job_submission import JobSubmissionClient

    sent = []

    def upload(client: object, runtime_env: dict) -> None:
        sent.append(runtime_env["working_dir"])
        runtime_env["working_dir"] = "gcs://_ray_pkg_0.zip"

    monkeypatch.setattr(JobSubmissionClient, "_upload_working_dir_if_needed", upload)
    assert main([*SUBMIT, head.address, "--working-dir", "."]) == 0
    assert sent == ["."]
    assert head.asked[0]["runtime_env"]["working_dir"] == "gcs://_ray_pkg_0.zip"


def test_a_log_that_is_lost_is_a_fault_of_the_network(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def follow(jobs: Jobs, name: str, tell: Callable[[str], None]) -> JobEnd:
        raise ClusterError("no log", "http://head", "wait", code="cluster-unreachable")

    _follows(monkeypatch, follow)
    assert main([*SUBMIT, head.address, "--follow"]) == 2
    only_printed(capsys.readouterr().err, "cluster-unreachable", "http://head: no log")


def _tree(folder: Path) -> dict[str, bytes]:
    """Return everything below a folder: files with their content, folders with a slash."""
    return {
        path.relative_to(folder).as_posix() + "/" * path.is_dir(): (
            b"" if path.is_dir() else path.read_bytes()
        )
        for path in folder.rglob("*")
    }


def _refuses_uploads(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    from ray.job_submission import JobSubmissionClient

    def upload(client: object, runtime_env: dict) -> None:
        raise ValueError("Package size exceeds the maximum size")

    monkeypatch.setattr(JobSubmissionClient, "_upload_working_dir_if_needed", upload)


def _refuses_the_token(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    true_submit = Jobs.submit

    def submit(jobs: Jobs, surrounding: object) -> tuple[str, bool]:
        head.token = "another by now"
        return true_submit(jobs, surrounding)  # type: ignore[arg-type]

    monkeypatch.setattr(Jobs, "submit", submit)


def _goes_away(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    def submit(jobs: Jobs, surrounding: object) -> tuple[str, bool]:
        raise ClusterError("no answer")

    monkeypatch.setattr(Jobs, "submit", submit)


def _lacks_a_module(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    def submit(jobs: Jobs, surrounding: object) -> tuple[str, bool]:
        raise ModuleNotFoundError("No module named 'smart_open'", name="smart_open")

    monkeypatch.setattr(Jobs, "submit", submit)


def _is_interrupted(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    def submit(jobs: Jobs, surrounding: object) -> tuple[str, bool]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "submit", submit)


def _full_disk(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    def write(path: Path, content: bytes) -> None:
        path.write_bytes(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("paretoflow.storage.local.write_durably", write)


FAILURES = [
    _refuses_uploads,
    _refuses_the_token,
    _goes_away,
    _lacks_a_module,
    _is_interrupted,
    _full_disk,
]


@pytest.mark.few(5)
@pytest.mark.parametrize("fails", FAILURES)
@pytest.mark.parametrize("deep", [False, True])
def test_a_submission_that_failed_leaves_nothing_behind(
    head: Head, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., None], deep: bool
) -> None:
    storage = ("--storage", "a/b/c") if deep else ()
    before = _tree(Path())
    with monkeypatch.context() as patch:
        fails(patch, head)
        words = [*SUBMIT, head.address, "--working-dir", ".", *storage]
        try:
            assert main(words) not in (0, None)
        except ModuleNotFoundError:
            assert fails is _lacks_a_module
    assert _tree(Path()) == before
    head.token = "sesame"
    assert main([*SUBMIT, head.address, *storage]) == 0
    assert len(head.asked) == 1


@pytest.mark.few(3)
@pytest.mark.parametrize("fails", FAILURES)
def test_a_submission_that_failed_leaves_a_sweep_as_it_was(
    head: Head, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., None]
) -> None:
    assert main([*SUBMIT, head.address]) == 0
    head.jobs.clear()
    ledger = open_ledger("sweeps/circle", writer=True, create=True, fsync=False)
    ledger.append([opened(), Event("closed:0", EventKind.CLOSED, 1.0, message="stopped by me")])
    before = _tree(Path("sweeps"))
    with monkeypatch.context() as patch:
        fails(patch, head)
        words = [*SUBMIT, head.address, "--working-dir", ".", "--set", "stop.runs=9"]
        try:
            assert main(words) not in (0, None)
        except ModuleNotFoundError:
            assert fails is _lacks_a_module
    assert _tree(Path("sweeps")) == before


def test_a_fault_before_the_cluster_is_asked_leaves_nothing_behind(head: Head) -> None:
    before = _tree(Path())
    assert main([*SUBMIT, head.address, "--set", "stop.rums=3"]) == 2
    assert main([*SUBMIT, "http://127.0.0.1:9"]) == 2
    assert main([*SUBMIT, head.address, "--working-dir", "nowhere"]) == 2
    assert main([*SUBMIT, head.address, "--env", "NOT-A-NAME=1"]) == 2
    head.token = "another"
    assert main([*SUBMIT, head.address]) == 2
    assert _tree(Path()) == before


def test_what_is_too_large_to_upload_is_refused_with_the_largest_files(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("paretoflow.engine.cluster.upload.most_bytes", lambda: 1_000_000)
    Path("weights.bin").write_bytes(b"0" * 900_000)
    Path("data").mkdir()
    Path("data/rows.jsonl").write_bytes(b"0" * 300_000)
    before = _tree(Path())
    assert main([*SUBMIT, head.address, "--working-dir", "."]) == 2
    values = ("1.2 MB", "1.0 MB", "weights.bin (0.9 MB), data/rows.jsonl (0.3 MB)", ".rayignore")
    only_printed(capsys.readouterr().err, "usage-option", "--working-dir: ", *values)
    assert _tree(Path()) == before
    Path(".rayignore").write_text("weights.bin\n")
    _refuses_uploads(monkeypatch, head)  # it gets that far
    assert main([*SUBMIT, head.address, "--working-dir", "."]) == 2
    assert "uploads " in capsys.readouterr().err
