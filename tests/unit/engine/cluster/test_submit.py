"""The real client of Ray's Jobs API against a head that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from paretoflow.core.errors import UserError
from paretoflow.engine.cluster.dashboard import Dashboard, Token
from paretoflow.engine.cluster.submit import Jobs, Surrounding, entrypoint, environment, job_name
from tests.fake_head import Head, fake_head
from tests.faults import raises

URI = "s3://bucket/sweeps/circle"
FIRST = job_name("circle", URI)


@pytest.fixture
def head() -> Iterator[Head]:
    with fake_head(token="sesame") as head:
        yield head


def _jobs(head: Head, token: str = "sesame") -> Jobs:
    return Jobs(Dashboard(head.address, Token(token, "here")), "circle", URI)


def test_the_name_follows_from_sweep_and_place() -> None:
    assert FIRST.startswith("paretoflow-circle-")
    assert job_name("circle", URI) == FIRST
    assert job_name("circle", "s3://other/sweeps/circle") != FIRST


def test_the_command_on_the_cluster_needs_no_yaml() -> None:
    words = "python -m paretoflow.cli.main resume 's3://b/a b/x' --address auto"
    assert entrypoint("s3://b/a b/x") == words


def test_a_submission_names_its_sweep_and_carries_only_what_was_given(head: Head) -> None:
    assert _jobs(head).submit(Surrounding(env={"HF_TOKEN": "x"})) == (FIRST, True)
    (asked,) = head.asked
    assert asked["submission_id"] == FIRST
    assert asked["entrypoint"] == entrypoint(URI)
    assert asked["metadata"]["sweep"] == "circle"
    assert asked["metadata"]["storage"] == URI
    assert asked["runtime_env"]["env_vars"] == {"HF_TOKEN": "x"}


def test_submitting_twice_attaches(head: Head) -> None:
    first, second = _jobs(head), _jobs(head)
    assert first.submit(Surrounding()) == (FIRST, True)
    assert second.live() == FIRST
    assert second.submit(Surrounding()) == (FIRST, False)
    assert len(head.asked) == 1


@pytest.mark.parametrize("end", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_a_job_that_ended_gets_a_successor(head: Head, end: str) -> None:
    head.jobs = {FIRST: end, f"{FIRST}-2": end, f"{FIRST}-x": "RUNNING", f"{FIRST}9": "RUNNING"}
    assert _jobs(head).live() is None
    assert _jobs(head).submit(Surrounding()) == (f"{FIRST}-3", True)
    assert _jobs(head).live() == f"{FIRST}-3"


def test_of_two_that_submit_at_once_the_later_attaches(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = _jobs(head)
    listed = iter([{}, {FIRST: "RUNNING"}])
    monkeypatch.setattr(jobs, "_all", lambda: next(listed))
    head.jobs[FIRST] = "RUNNING"  # after this one has looked
    assert jobs.submit(Surrounding()) == (FIRST, False)


def test_what_the_cluster_refuses_is_said(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = _jobs(head)
    monkeypatch.setattr(jobs, "_all", dict)
    head.jobs[FIRST] = "RUNNING"
    with raises("cluster-refused", "already exists") as caught:
        jobs.submit(Surrounding())
    assert caught.value.where == head.address


def test_the_address_that_was_given_is_taken_whatever_the_environment_says(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    assert _jobs(head).live() is None


def test_a_token_that_is_taken_back_is_a_fault_of_the_user(head: Head) -> None:
    jobs = _jobs(head)
    head.token = "changed"
    with raises("cluster-token", "refuses"):
        jobs.live()


def test_a_job_is_stopped(head: Head) -> None:
    head.jobs[FIRST] = "RUNNING"
    assert _jobs(head).stop(FIRST)
    assert head.jobs[FIRST] == "STOPPED"


def _talking(head: Head, jobs: Jobs, *tries: tuple[str, ...]) -> None:
    """Make the log of a job arrive in several attempts; only the last one is not interrupted."""
    left = list(tries)

    async def tail(name: str) -> AsyncIterator[str]:
        for part in left.pop(0):
            yield part
        if left:
            raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")
        head.jobs[name] = "FAILED"

    jobs._client.tail_job_logs = tail


def test_a_log_that_breaks_off_is_told_once(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretoflow.engine.cluster.submit.AGAIN_S", 0.0)
    head.jobs[FIRST] = "RUNNING"
    jobs, told = _jobs(head), []
    _talking(head, jobs, ("one\n", "tw"), ("one\n", "two\n", "th"), ("one\ntwo\n", "three\n"))
    end = jobs.follow(FIRST, told.append)
    assert "".join(told) == "one\ntwo\nthree\n"
    assert (end.status, end.exit_code, end.message) == ("FAILED", 3, "exit code 3")


def test_a_log_that_always_breaks_off_is_given_up(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretoflow.engine.cluster.submit.AGAIN_S", 0.0)
    head.jobs[FIRST] = "RUNNING"
    jobs = _jobs(head)
    _talking(head, jobs, *[("one\n",)] * 9)
    with raises("cluster-unreachable", "paretoflow-circle-"):
        jobs.follow(FIRST, lambda text: None)


def test_variables_come_as_given_or_from_here() -> None:
    found = environment(["A=1", "B=x=y", "C=", "HOME"], {"HOME": "/root", "SECRET": "s"})
    assert found == {"A": "1", "B": "x=y", "C": "", "HOME": "/root"}


@pytest.mark.parametrize("given", ["NOT_THERE", "1A=secret", "=secret", "A B=secret"])
def test_a_faulty_variable_is_refused_without_its_value(given: str) -> None:
    with pytest.raises(UserError) as caught:
        environment([given], {})
    assert "secret" not in str(caught.value)
    assert caught.value.where == "--env"


def test_a_surrounding_in_rays_words(tmp_path: Path) -> None:
    assert Surrounding().as_runtime_env() == {}
    assert Surrounding(tmp_path, env={"A": "1"}).as_runtime_env() == {
        "working_dir": str(tmp_path),
        "env_vars": {"A": "1"},
    }
    assert Surrounding(image="me/flow:1").as_runtime_env() == {"image_uri": "me/flow:1"}


def test_an_impossible_surrounding_is_refused(tmp_path: Path) -> None:
    with raises("usage-option", "not both"):
        Surrounding(tmp_path, "me/flow:1").as_runtime_env()
    with raises("usage-missing-file", "folder"):
        Surrounding(tmp_path / "none").as_runtime_env()
