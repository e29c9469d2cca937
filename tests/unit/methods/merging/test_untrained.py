from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.launch import AdapterRef, Launch
from paretoflow.core.protocols import AttemptContext, Checkpoint, Parallel
from tests.method_bench import make_context, read_adapter, weighted

pytestmark = pytest.mark.train


def asked(folder: Path, parent: Path | None = None, **given: Any) -> AttemptContext:
    folder.mkdir()
    start = None if parent is None else AdapterRef(str(parent), "")
    proposal = replace(weighted(0.0, 1.0, 0.0), seed=5)
    return AttemptContext(Launch("r", 0, proposal, start), folder, **given)


def test_the_adapter_is_that_before_any_step(tiny_lm: Any, tmp_path: Path) -> None:
    from paretoflow.lm.adapters import fresh_adapter, save_adapter, unload
    from paretoflow.methods.merging.untrained import UntrainedMethod

    context = make_context(tiny_lm)
    told: list[Checkpoint] = []
    UntrainedMethod(context).train(asked(tmp_path / "run"), told.append)
    (last,) = told
    assert (last.step, last.final, last.folder.name) == (0, True, "untrained")
    assert last.weights.tolist() == [0.0, 1.0, 0.0]
    assert last.cost.wall_s == last.cost.device_s > 0
    expected = fresh_adapter(tiny_lm, context.lora, seed=5)
    save_adapter(expected, tmp_path / "expected")
    unload(expected)
    found, fresh = read_adapter(last.folder), read_adapter(tmp_path / "expected")
    assert found.keys() == fresh.keys()
    assert all(np.array_equal(found[name], fresh[name]) for name in found)
    assert all((value == 0).all() for name, value in found.items() if "lora_B" in name)


def test_a_parents_adapter_is_handed_on(tiny_lm: Any, tmp_path: Path) -> None:
    from paretoflow.methods.merging.untrained import UntrainedMethod

    method, told = UntrainedMethod(make_context(tiny_lm)), list[Checkpoint]()
    method.train(asked(tmp_path / "first"), told.append)
    child = asked(tmp_path / "second", parent=told[0].folder)
    method.train(child, told.append)
    before, after = (read_adapter(c.folder) for c in told)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_of_several_ranks_the_first_does_it_alone(tiny_lm: Any, tmp_path: Path) -> None:
    from paretoflow.methods.merging.untrained import UntrainedMethod

    told: list[Checkpoint] = []
    second = asked(tmp_path / "run", parallel=Parallel(rank=1, ranks=2))
    UntrainedMethod(make_context(tiny_lm)).train(second, told.append)
    assert told == []
    assert list(second.folder.iterdir()) == []
