"""Knowing that memory ran out."""

from __future__ import annotations

import pytest

from paretoflow.core.errors import WorkerError
from paretoflow.engine.failures.memory import is_out_of_memory


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
