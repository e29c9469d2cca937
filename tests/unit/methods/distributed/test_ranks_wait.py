"""How long the ranks of a group wait for one, in a process of its own: it joins for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from paretoflow.engine.runtime.protocols import parallel_of
from paretoflow.spec.engine import EngineSpec

pytest.importorskip("deepspeed")
JOINS = """
import json, os, sys
import accelerate, torch
from torch import distributed
from paretoflow.core.protocols import Parallel
from paretoflow.methods.distributed.ranks import _join

class Reached(Exception): pass

def reach(*args, **options):
    raise Reached((args[0] if args else options.get("backend")), options["timeout"].total_seconds())

os.environ.update(RANK="0", WORLD_SIZE="2", LOCAL_RANK="0")
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
told = []
distributed.init_process_group = reach
for parallel in (Parallel(0, 2, 0, False, 12345.0), Parallel(0, 1, 1, False, 99.0)):
    try:
        _join(parallel, "cpu")
    except Reached as reached:
        told.append(reached.args)
accelerate.PartialState = reach
try:
    _join(Parallel(0, 2, 3, False, 54321.0), "cuda")
except Reached as reached:
    told.append(reached.args)
print("told", json.dumps(told))
"""


@pytest.mark.full
def test_the_process_group_is_told_how_long_to_wait() -> None:
    """Two ranks and one on a CPU, down to torch; on GPUs as far as accelerate, which has none."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", JOINS],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("told ")]
    assert lines, done.stderr
    told = json.loads(lines[0].removeprefix("told "))
    assert told == [["gloo", 12345.0], ["gloo", 99.0], ["nccl", 54321.0]]


@pytest.mark.parametrize(
    ("silent_s", "wait_s"), [(1.0, 7200.0), (3600.0, 7200.0), (10_000.0, 20_000.0)]
)
def test_ranks_wait_longer_than_the_driver_lets_a_group_stand_still(
    silent_s: float, wait_s: float
) -> None:
    resources = {"ranks": 4, "zero": 2, "offload": True}
    engine = EngineSpec.model_validate({"resources": resources, "limits": {"silent_s": silent_s}})
    place = parallel_of(engine, 3)
    assert (place.rank, place.ranks, place.zero, place.offload) == (3, 4, 2, True)
    assert place.wait_s == wait_s
