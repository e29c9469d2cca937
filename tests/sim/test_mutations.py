"""Faults put into the protocol of the worker groups; a world finds each of them.

Each case replaces a few words of one function, and names the kind of world that goes wrong then.
Some mutations need what no world deals (storage that loses rows, a launch for a busy worker): the
unit tests of `engine.groups` and `engine.runtime` find those.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.worker import Worker
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import WorkerHandle
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.runtime.mailbox import Mailbox
from tests.sim import kinds
from tests.sim.chaos import World

SEEDS = 60
Kind = Callable[[int], World]

MUTATIONS: dict[str, tuple[Kind, Any, str, str, str]] = {
    "commands of an older driver are obeyed": (
        kinds.drawn, Mailbox, "_fence", "if epoch < self._epoch:", "if False:"),
    "an adopted launch is forgotten": (
        kinds.drawn, WorkerGroup, "adopt", "self._close_ranks(replies)", "self.launch = None"),
    "a waiting poll of an older driver is answered": (
        kinds.drawn, Mailbox, "answer", "self._fence(waiting.request.epoch)", "pass"),
    "begin is not fenced": (
        kinds.drawn, Worker, "begin", "self.mailbox.check_epoch(epoch)", "pass"),
    "drain is not fenced": (
        kinds.drawn, Worker, "drain", "self.mailbox.check_epoch(epoch)", "pass"),
    "two groups are adopted for one slot": (
        kinds.rivals, WorkerGroupFactory, "adopt",
        "if group is None or group.slot in slots:", "if group is None:"),
    "a surplus group is left alone": (
        kinds.drawn, WorkerGroupFactory, "adopt", "self._remove(found_group)", "pass"),
    "ranks that disagree are adopted": (
        kinds.two_ranks, WorkerGroupFactory, "_adopted",
        "if not group.adopt(told):", "if group.adopt(told) is None:"),
    "messages are deleted when they are delivered": (
        kinds.outages, WorkerHandle, "mark_delivered",
        "self._told = self._since", "self._told = self._recorded = self._since"),
    "messages are deleted when they are received": (
        kinds.outages, WorkerHandle, "take_reply",
        "self.reply, self._asked_s = reply, None",
        "self.reply, self._asked_s = reply, None\n"
        "    self._recorded = max([self._since, *(n for n, _ in reply.messages)])"),
    "an end that was not reported counts as delivered": (
        kinds.two_ranks, WorkerGroup, "mark_delivered",
        "if self.launch is None or worker.ended is None:", "if True:"),
    "what is received while a driver prepares counts as delivered": (
        kinds.two_ranks, GroupBackend, "prepare", "return events",
        "[w.mark_delivered() for g in self._pool for w in g.workers]\n    return events"),
    "the end of an earlier launch ends the present one": (
        kinds.two_ranks, WorkerGroup, "_receive",
        "launch is None or (message.run_id, message.attempt) != (launch.run_id, launch.attempt)",
        "launch is None"),
    "orphans go on": (
        kinds.absences, Mailbox, "deserted", "silent_s > self._orphan_s", "False"),
    "orphans keep their resources": (
        kinds.absences, Worker, "watch",
        "if self.config.parallel.rank != 0:", "while True:"),
    "orphans do not save their run": (
        kinds.absences, Worker, "watch", "self.mailbox.drain(reason)", "pass"),
    "a launch comes before its decision is in the ledger": (
        kinds.drawn, Driver, "_start", "self._commit(events)\n",
        "for each in decision.relaunches: self._backend.launch(each)\n    self._commit(events)\n"),
}  # fmt: skip


def mutated(owner: type, name: str, old: str, new: str) -> Callable[..., Any]:
    """Return a method with other words in it; a test fails whose words are not there any more."""
    method = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(method))
    assert source.count(old) == 1, f"not in {owner.__name__}.{name}: {old}"
    found: dict[str, Any] = {}
    code = "from __future__ import annotations\n" + source.replace(old, new)
    exec(code, method.__globals__, found)
    result: Callable[..., Any] = found[name]
    return result


@pytest.mark.few(2)
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_of_the_protocol_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, owner, method, old, new = MUTATIONS[name]
    monkeypatch.setattr(owner, method, mutated(owner, method, old, new))
    try:
        kinds.end_all_well(kind(seed) for seed in range(SEEDS))
    except Exception:  # noqa: BLE001 - whatever goes wrong, the mutation is found
        return
    pytest.fail(f"no world of {SEEDS} went wrong")


@pytest.mark.parametrize(
    "kind",
    [
        kinds.rivals,
        kinds.outages,
        kinds.two_ranks,
        kinds.absences,
        kinds.late_results,
        kinds.late_ends,
    ],
)
def test_without_a_mutation_the_same_worlds_end_well(kind: Kind) -> None:
    kinds.end_all_well(kind(seed) for seed in range(2))
