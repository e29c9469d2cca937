from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.core.user import user_name
from paretoflow.engine.session import stop_request as stopping
from paretoflow.engine.session.stop_request import StopRequest, request_stop
from paretoflow.storage import LocalFolder


def test_a_request_is_seen_with_the_name_of_who_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.0)
    watch = StopRequest(LocalFolder(tmp_path))
    assert watch.asked() == ""
    request_stop(LocalFolder(tmp_path))
    assert watch.asked().startswith(f"stopped by {user_name()}@")


def test_a_request_from_before_the_drivers_start_is_forgotten(tmp_path: Path) -> None:
    request_stop(LocalFolder(tmp_path))
    assert StopRequest(LocalFolder(tmp_path)).asked() == ""


def test_storage_is_not_asked_at_every_look(tmp_path: Path) -> None:
    watch = StopRequest(LocalFolder(tmp_path))
    watch.asked()
    request_stop(LocalFolder(tmp_path))
    assert watch.asked() == "", "the next look comes only after a while"
