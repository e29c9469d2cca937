"""Trainer arguments: the knobs that all methods share, as transformers arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from paretoflow.core.protocols import Parallel
from paretoflow.lm.footprint import live_parameters
from paretoflow.methods.distributed.sharded import offloaded, whole_size
from paretoflow.spec.trainer_arguments import plain_arguments

if TYPE_CHECKING:
    from paretoflow.core.protocols import AttemptContext
    from paretoflow.lm.base import LanguageModel
    from paretoflow.spec.methods import MethodSpec

PREFETCHED = 50_000_000
"""Parameters that DeepSpeed gathers ahead by its default."""


def shared_arguments(
    spec: MethodSpec, attempt: AttemptContext, lm: LanguageModel
) -> dict[str, Any]:
    """Return the keyword arguments common to all TRL configs.

    The trainer itself neither saves, evaluates, prints nor reports:
    `checkpoints.CheckpointCallback` does this at each logged step.

    The spec's rules ensure that ranks and passes share the batch evenly, and that `method.trainer`
    holds none of these arguments, except the switch of activation checkpointing.
    """
    on_cpu = lm.device == "cpu"
    dtype = lm.model.dtype
    passes = spec.gradient_accumulation * attempt.launch.accumulation_factor
    return {
        "output_dir": str(attempt.folder),
        "max_steps": spec.steps,
        "per_device_train_batch_size": spec.batch_size // (attempt.parallel.ranks * passes),
        "gradient_accumulation_steps": passes,
        "learning_rate": spec.learning_rate,
        "max_grad_norm": spec.max_grad_norm,
        "seed": attempt.launch.seed % 2**31,  # numpy's limit
        "bf16": not on_cpu and dtype == torch.bfloat16,
        "fp16": not on_cpu and dtype == torch.float16,
        "dataloader_pin_memory": not on_cpu,
        "activation_checkpointing": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
        "save_strategy": "no",
        "remove_unused_columns": False,
        **_placement(attempt.parallel, lm),
        **plain_arguments(spec.trainer),
    }


def deepspeed_config(parallel: Parallel, parameters: int) -> dict[str, Any]:
    """Return DeepSpeed's configuration; transformers fills in "auto" values from the arguments.

    Args:
        parallel: Any rank of the group.
        parameters: Of the base, whole.
    """
    zero = offloaded(parallel)
    if parallel.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
    if parallel.zero == 3:
        live = live_parameters(parameters)
        zero["stage3_max_live_parameters"] = zero["stage3_max_reuse_distance"] = live
        zero["stage3_prefetch_bucket_size"] = min(live, PREFETCHED)
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        # torch's AdamW also where the optimiser is offloaded: DeepSpeed's own must be compiled
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
    }


def _placement(parallel: Parallel, lm: LanguageModel) -> dict[str, Any]:
    if parallel.alone:
        return {"use_cpu": lm.device == "cpu"}
    # with use_cpu the trainer silently falls back to plain data parallelism; the process group of
    # `ranks.joined` sets the device
    return {
        "deepspeed": deepspeed_config(parallel, sum(whole_size(p) for p in lm.model.parameters())),
        "accelerator_config": {"use_configured_state": True},
    }
