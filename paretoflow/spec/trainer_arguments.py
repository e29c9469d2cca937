"""Arguments of TRL's config classes: which ones each method passes on, and why not the others.

`method.trainer` passes arguments on by their names in TRL. Each argument of a config class is
exactly one of these for a method: passed on, with its allowed values; a key of our own; or refused
with a reason. An argument that a method's loss would ignore is refused, since it would look as if
it had worked. `tests/contracts/test_trainer_arguments.py` holds these lists against the installed
TRL, so that this module needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from paretoflow.spec.trainer_refused import REFUSED

Number = Annotated[float, Field(strict=True, ge=0)]
Above = Annotated[float, Field(strict=True, gt=0)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]
Whole = Annotated[int, Field(strict=True, ge=1)]
Switch = Annotated[bool, Field(strict=True)]

RENAMED = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}
"""Former names of transformers, and the present ones."""

SCHEDULE = ("lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps")
"""With one of these, transformers' schedule replaces ours."""
SCHEDULES: dict[str, tuple[str, ...]] = {
    "linear": (),
    "constant": (),
    "constant_with_warmup": (),
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "cosine_with_min_lr": ("num_cycles", "min_lr_rate"),
    "inverse_sqrt": ("timescale",),
}
"""Schedules, and the keys of `lr_scheduler_kwargs` that each reads."""
SCHEDULE_KEYS: dict[str, Any] = {"num_cycles": Above, "min_lr_rate": Share, "timescale": Whole}
"""Keys of `lr_scheduler_kwargs` with their types."""
ADAM = ("adam_beta1", "adam_beta2", "adam_epsilon")
"""Arguments that AdamW alone reads."""

_ALL: dict[str, Any] = {
    "lr_scheduler_type": Literal[
        "linear",
        "constant",
        "constant_with_warmup",
        "cosine",
        "cosine_with_restarts",
        "cosine_with_min_lr",
        "inverse_sqrt",
    ],
    "lr_scheduler_kwargs": SCHEDULE_KEYS,
    "warmup_steps": Number,
    "optim": Literal["adamw_torch", "adamw_torch_fused", "adafactor", "sgd"],
    "weight_decay": Number,
    "adam_beta1": Share,
    "adam_beta2": Share,
    "adam_epsilon": Above,
    "activation_checkpointing": Switch,
    "activation_checkpointing_kwargs": {"every_n_layers": Whole},
    "gradient_checkpointing": Switch,
    "gradient_checkpointing_kwargs": {"every_n_layers": Whole},
    "torch_empty_cache_steps": Whole,
}
"""Passed on by every method that trains; a mapping of types stands for a mapping."""
_PAIRS = {"use_weighting": Switch}
_SAMPLES = {"pad_to_multiple_of": Whole}
_ENTROPY = {"entropy_coef": Number}
_GRPO = {
    "loss_type": Literal["grpo", "dapo", "dr_grpo"],
    "mask_truncated_completions": Switch,
    "top_entropy_quantile": Annotated[float, Field(strict=True, gt=0, le=1)],
    "use_bias_correction_kl": Switch,
}
_STAGES = {"loss_type": Literal["nll", "dft"]}

_CONFIGS: dict[str, tuple[str, ...]] = {
    "DPOConfig": (
        "bco", "dpo", "f_dpo", "gradient_dpo", "ipo", "kto", "lipo", "ln_dpo", "mah_dpo", "mm_dpo",
        "modpo", "pro", "rpo", "sft", "simpo",
    ),
    "GRPOConfig": ("grao", "grpo", "ipo_md"),
    "RLOOConfig": ("rloo",),
    "SFTConfig": ("dpa", "meet", "ric"),
}  # fmt: skip
CONFIG_OF = {tag: config for config, tags in _CONFIGS.items() for tag in tags}
"""Method to the name of its config class in TRL; a method without one trains by other means."""

_OWN_LOSS = (
    "bco", "gradient_dpo", "kto", "lipo", "mah_dpo", "modpo", "rpo", "sft", "simpo",
)  # fmt: skip
"""Methods on TRL's DPO trainer with a loss of their own; modpo has one for soft labels."""
_MORE: dict[str, dict[str, Any]] = {
    **{tag: _PAIRS for tag in _CONFIGS["DPOConfig"] if tag not in _OWN_LOSS},
    **dict.fromkeys(_CONFIGS["SFTConfig"], _STAGES),
    "grpo": _GRPO | _ENTROPY | _SAMPLES,
    "grao": _ENTROPY | _SAMPLES,
    "ipo_md": _ENTROPY | _SAMPLES,
    "rloo": {"mask_truncated_completions": Switch} | _SAMPLES,
}


def passed_on_by(tag: str) -> dict[str, Any]:
    """Return the arguments that a method passes on, with their types; empty without a trainer."""
    return {**_ALL, **_MORE.get(tag, {})} if tag in CONFIG_OF else {}


def refusals_of(tag: str) -> dict[str, str]:
    """Return the other arguments of a method's config class, with our key or the reason."""
    config, own = CONFIG_OF[tag], passed_on_by(tag)
    everything = {**REFUSED["all"], **REFUSED[config]}
    return {name: reason for name, reason in everything.items() if name not in own}


def plain_arguments(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `method.trainer` under the present names of transformers."""
    return {RENAMED.get(name, name): value for name, value in trainer.items()}
