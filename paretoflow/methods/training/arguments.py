"""What every trainer is told: the knobs that all methods share, in transformers' words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from paretoflow.core.errors import SpecError
from paretoflow.core.protocols import Parallel

if TYPE_CHECKING:
    from paretoflow.core.protocols import AttemptContext
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


def shared_arguments(
    spec: MethodSpec, attempt: AttemptContext, lm: LanguageModel
) -> dict[str, Any]:
    """Return the keyword arguments common to all TRL configs.

    The trainer neither saves, evaluates, prints nor reports: `checkpoints.CheckpointCallback` does
    what is wanted, at each logged step.

    Raises:
        SpecError: If the ranks and passes cannot share the batch evenly, or DeepSpeed is to train a
            half-precision base on the CPU.
    """
    on_cpu = lm.device == "cpu"
    dtype = lm.model.dtype
    if on_cpu and dtype != torch.float32 and not attempt.parallel.alone:
        raise SpecError(
            f"got a base in {dtype} on the CPU, several ranks or ZeRO; allowed: float32",
            "model.dtype",
            "set model.dtype to float32, or give each rank a GPU",
        )
    passes = spec.gradient_accumulation * attempt.launch.accumulation_factor
    return {
        "output_dir": str(attempt.folder),
        "max_steps": spec.steps,
        "per_device_train_batch_size": _forward_batch(spec, attempt.parallel.ranks, passes),
        "gradient_accumulation_steps": passes,
        "learning_rate": spec.learning_rate,
        "max_grad_norm": spec.max_grad_norm,
        "seed": attempt.launch.seed % 2**31,  # numpy takes no more
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
        **_placement(attempt.parallel, on_cpu=on_cpu),
    }


def deepspeed_config(parallel: Parallel) -> dict[str, Any]:
    """Return DeepSpeed's configuration; what is "auto" transformers fills in from the arguments."""
    zero: dict[str, Any] = {"stage": parallel.zero}
    if parallel.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if parallel.zero == 3:
            zero["offload_param"] = {"device": "cpu"}
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


def _placement(parallel: Parallel, *, on_cpu: bool) -> dict[str, Any]:
    if parallel.alone:
        return {"use_cpu": on_cpu}
    # with use_cpu the trainer silently falls back to plain data parallelism; the process group
    # that `ranks.joined` made says which device it is
    return {
        "deepspeed": deepspeed_config(parallel),
        "accelerator_config": {"use_configured_state": True},
    }


def _forward_batch(spec: MethodSpec, ranks: int, passes: int) -> int:
    if spec.batch_size % (ranks * passes):
        raise SpecError(
            f"got a batch of {spec.batch_size} for {ranks} ranks in {passes} passes each; allowed: "
            f"a multiple of {ranks * passes}",
            "method.batch_size",
            "change method.batch_size, method.gradient_accumulation or engine.resources.ranks",
        )
    return spec.batch_size // (ranks * passes)
