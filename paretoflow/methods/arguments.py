"""What every trainer is told: the knobs that all methods share, in transformers' words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from paretoflow.core.errors import SpecError

if TYPE_CHECKING:
    from paretoflow.core.protocols import TrainRequest
    from paretoflow.lm.base import LanguageModel
    from paretoflow.spec.methods import MethodSpec


def check_batch(spec: MethodSpec) -> None:
    """Refuse a batch that the forward passes cannot share evenly.

    Raises:
        SpecError: If `batch_size` is no multiple of `gradient_accumulation`.
    """
    if spec.batch_size % spec.gradient_accumulation:
        raise SpecError(
            f"{spec.gradient_accumulation} passes cannot share a batch of {spec.batch_size} evenly",
            "method.gradient_accumulation",
            "choose a divisor of method.batch_size",
        )


def shared_arguments(spec: MethodSpec, request: TrainRequest, lm: LanguageModel) -> dict[str, Any]:
    """Return the keyword arguments common to all TRL configs.

    The trainer neither saves, evaluates, prints nor reports: `checkpoints.CheckpointCallback` does
    what is wanted, at each logged step.
    """
    on_cpu = lm.device == "cpu"
    dtype = lm.model.dtype
    return {
        "output_dir": str(request.folder),
        "max_steps": spec.steps,
        "per_device_train_batch_size": spec.batch_size // spec.gradient_accumulation,
        "gradient_accumulation_steps": spec.gradient_accumulation,
        "learning_rate": spec.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": spec.steps // 10,
        "max_grad_norm": spec.max_grad_norm,
        "seed": request.seed % 2**31,  # numpy takes no more
        "use_cpu": on_cpu,
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
    }
