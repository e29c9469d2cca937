"""A user whose number has no name, as containers with `runAsUser` have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paretoflow.core.user import home_path, user_name
from paretoflow.engine.cluster.dashboard import find_token
from paretoflow.engine.session.stop_request import StopRequest, request_stop
from paretoflow.storage import as_folder
from tests.faults import raises


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


def test_a_user_with_a_name_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert user_name() == "ada"


@pytest.mark.usefixtures("nameless")
def test_a_user_without_a_name_is_its_number(tmp_path: Path) -> None:
    assert user_name() == f"uid{os.getuid()}"
    watch = StopRequest(as_folder(tmp_path))
    request_stop(as_folder(tmp_path))
    assert watch.asked().startswith(f"stopped by uid{os.getuid()}@")


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize("text", ["~", "~/sweeps", "~nobody-has-this-name/x"])
def test_a_home_that_is_not_there_is_the_users_fault(text: str) -> None:
    with raises("usage-missing-file", "home") as caught:
        home_path(text)
    assert caught.value.where == text
    with raises("usage-missing-file", "home"):
        as_folder(text)


@pytest.mark.usefixtures("nameless")
def test_a_token_needs_no_home() -> None:
    assert find_token({}).headers == {}


def test_a_home_may_be_said_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/data/ada")
    assert home_path("~/sweeps") == Path("/data/ada/sweeps")
    assert home_path("sweeps/~") == Path("sweeps/~")
