from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from paretoflow.engine.live import (
    EVERY_S,
    LIVE_FILE,
    Doing,
    GroupPhase,
    GroupState,
    LiveBoard,
    read_live,
)
from paretoflow.engine.session.stop_request import StopRequest
from paretoflow.storage import LocalFolder, as_folder
from tests.s3_server import Proxy


def _group(slot: int, phase: GroupPhase) -> GroupState:
    return GroupState(slot, phase, since_s=5.0, where=("10.0.0.1",), reason="none free")


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    board = LiveBoard(LocalFolder(tmp_path), epoch=3, now_s=100.0)
    groups = (_group(0, GroupPhase.BUSY), _group(1, GroupPhase.WAITING))
    board.update(groups, 110.0)
    live = read_live(LocalFolder(tmp_path))
    assert live is not None
    assert (live.time_s, live.epoch, live.groups, live.utilisation) == (110.0, 3, groups, 0.5)


def test_how_far_a_group_is_is_read_back_and_older_boards_do_not_say(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    doing = Doing("sampling answers", 96, 384)
    LiveBoard(folder, epoch=3, now_s=100.0).update(
        [replace(_group(0, GroupPhase.LOADING), doing=doing), _group(1, GroupPhase.IDLE)], 110.0
    )
    live = read_live(folder)
    assert live is not None
    assert [group.doing for group in live.groups] == [doing, None]
    plain = json.loads((tmp_path / LIVE_FILE).read_text())
    for group in plain["gangs"]:
        del group["doing"]
    (tmp_path / LIVE_FILE).write_text(json.dumps(plain))
    older = read_live(folder)
    assert older is not None
    assert [group.doing for group in older.groups] == [None, None]


def test_a_count_is_read_as_text() -> None:
    assert str(Doing("scoring coverage", 120, 384)) == "scoring coverage 120 of 384"
    assert str(Doing("preparing", 0, 0)) == "preparing"


def test_there_is_nothing_to_read_before_a_driver_wrote(tmp_path: Path) -> None:
    assert read_live(LocalFolder(tmp_path)) is None


def test_utilisation_is_busy_time_over_all_time() -> None:
    """Two worker groups: both busy for 6 s, then one of them for 4 s: (12 + 4) / 20."""
    board = LiveBoard(None, epoch=0, now_s=0.0)
    board.update([_group(0, GroupPhase.BUSY), _group(1, GroupPhase.BUSY)], 6.0)
    board.update([_group(0, GroupPhase.BUSY), _group(1, GroupPhase.IDLE)], 10.0)
    assert board.utilisation == pytest.approx(0.8)


def test_it_writes_now_and_then_only(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    board = LiveBoard(folder, epoch=0, now_s=0.0)
    for now_s in (1.0, 1.0 + EVERY_S / 2, 1.0 + EVERY_S):
        board.update([_group(0, GroupPhase.IDLE)], now_s)
        live = read_live(folder)
        assert live is not None
        assert live.time_s == (1.0 if now_s < 1.0 + EVERY_S else now_s)


def test_storage_that_is_away_ends_nothing(s3_bucket: str, s3_proxy: Proxy) -> None:
    folder = as_folder(f"s3://{s3_bucket}/sweep")
    board = LiveBoard(folder, epoch=0, now_s=0.0)
    watch = StopRequest(folder)
    s3_proxy.stop()
    started = time.monotonic()
    board.update([_group(0, GroupPhase.BUSY)], 10.0)
    assert watch.asked() == ""
    assert time.monotonic() - started < 30
    s3_proxy.start()
    assert board.utilisation == 1.0
    assert read_live(folder) is None
    board.update([_group(0, GroupPhase.BUSY)], 20.0)
    assert read_live(folder) is not None
