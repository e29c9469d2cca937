"""Waiting for Ray: for many answers at once, and for no longer than it may take."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError

MOST_LATE_S = 0.05
"""Longest time that news may lie while the driver waits for more to take in with it."""


def answered(refs: list[Any], timeout_s: float) -> set[Any]:
    """Wait for any of Ray's handles; return those that are answered."""
    if not refs:
        time.sleep(min(timeout_s, 0.5))
        return set()
    ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s, fetch_local=False)
    if ready:
        time.sleep(min(MOST_LATE_S, len(refs) / 20_000))  # of many, some follow at once
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
    return set(ready)


def within(seconds: float, work: Callable[[], object]) -> bool:
    """Do work that asks Ray; return whether Ray answered, and in time.

    It is done in a thread, which goes on where it is not in time.

    Raises:
        Exception: What the work raised, but for errors of Ray itself.
    """
    outcome: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def labour() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=labour, name="asks-ray", daemon=True).start()
    try:
        error = outcome.get(timeout=seconds)
    except queue.Empty:
        return False
    if error is not None and not isinstance(error, RayError):
        raise error
    return error is None


def end_at_once(status: Callable[[], int]) -> None:
    """End this process without the end of Ray's own code, which would crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status())
