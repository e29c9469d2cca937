"""Arguments of trainers for ranks and batches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import AttemptContext, Parallel
from paretoflow.spec.methods import DpoMethodSpec
from tests.method_bench import weighted

pytestmark = pytest.mark.train


def told(parallel: Parallel, factor: int = 1, dtype: str = "float32", **knobs: Any) -> Any:
    import torch

    from paretoflow.methods.training.arguments import shared_arguments

    launch = Launch("run", 0, weighted(1.0), accumulation_factor=factor)
    attempt = AttemptContext(launch, Path("run"), parallel=parallel)
    weight = torch.zeros(160, dtype=getattr(torch, dtype))
    base = SimpleNamespace(dtype=weight.dtype, parameters=lambda: [weight])
    lm: Any = SimpleNamespace(device="cpu", model=base)
    return shared_arguments(DpoMethodSpec(**knobs), attempt, lm)


@pytest.mark.parametrize(
    ("ranks", "accumulation", "factor", "batch", "passes"),
    [(1, 1, 1, 16, 1), (1, 2, 1, 8, 2), (2, 2, 1, 4, 2), (2, 2, 2, 2, 4), (4, 4, 1, 1, 4)],
)
def test_a_batch_is_shared_over_ranks_and_passes(ranks, accumulation, factor, batch, passes):
    arguments = told(Parallel(0, ranks), factor, batch_size=16, gradient_accumulation=accumulation)
    assert arguments["per_device_train_batch_size"] == batch
    assert arguments["gradient_accumulation_steps"] == passes


def test_a_rank_alone_has_no_deepspeed():
    arguments = told(Parallel())
    assert arguments["use_cpu"] is True
    assert "deepspeed" not in arguments


@pytest.mark.parametrize(
    ("parallel", "zero"),
    [
        (Parallel(0, 2), {"stage": 0}),
        (Parallel(0, 1, 1), {"stage": 1}),
        (Parallel(1, 2, 2, True), {"stage": 2, "offload_optimizer": {"device": "cpu"}}),
        (
            Parallel(1, 2, 3, True),
            {
                "stage": 3,
                "offload_optimizer": {"device": "cpu"},
                "offload_param": {"device": "cpu"},
                # a sixteenth of the base's 160
                **dict.fromkeys(("stage3_max_live_parameters", "stage3_max_reuse_distance"), 10),
                "stage3_prefetch_bucket_size": 10,
            },
        ),
    ],
)
def test_deepspeed_is_told_the_stage_and_what_to_offload(parallel, zero):
    arguments = told(parallel)
    assert "use_cpu" not in arguments  # it would fall back to plain data parallelism
    assert arguments["accelerator_config"] == {"use_configured_state": True}
    assert arguments["deepspeed"]["zero_optimization"] == zero
