"""Knowing that memory ran out, and what to try next."""

from __future__ import annotations

import pytest

from paretoflow.core.errors import WorkerError
from paretoflow.methods.memory import is_out_of_memory, next_factor
from paretoflow.spec.methods import DpoMethodSpec, GrpoMethodSpec


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("CUDA out of memory"), False),
        (KeyError("x"), False),
    ],
)
def test_memory_errors_are_known(error, expected):
    assert is_out_of_memory(error) is expected


def failing(said: BaseException | None) -> None:
    """Raise a memory error that ends as a worker's."""
    try:
        raise MemoryError
    except MemoryError:
        raise WorkerError("the run failed") from said


@pytest.mark.parametrize("said", [MemoryError(), None])
def test_an_error_that_led_to_another_counts(said):
    with pytest.raises(WorkerError) as caught:
        failing(said)
    assert is_out_of_memory(caught.value)


@pytest.mark.train
def test_torch_says_it_in_ways_that_are_known():
    import torch

    assert is_out_of_memory(torch.OutOfMemoryError("no more"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


def test_forward_passes_shrink_until_they_hold_one_example():
    spec = DpoMethodSpec(batch_size=12)
    seen = [1]
    while (factor := next_factor(spec, 1, seen[-1])) is not None:
        seen.append(factor)
    assert seen == [1, 2, 4, 12]
    assert next_factor(spec, 4, 1) == 3
    assert next_factor(spec, 12, 1) is None
    passes = GrpoMethodSpec(type="grpo", batch_size=8, gradient_accumulation=4)
    assert [next_factor(passes, 1, f) for f in (1, 2)] == [2, None]
