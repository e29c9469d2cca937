"""Arguments of PEFT's `LoraConfig` that `model.lora.peft` passes on, and why not the others.

`tests/contracts/test_lora_arguments.py` holds these lists against the installed PEFT, so that this
module needs no torch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

_Name = Annotated[str, Field(strict=True, min_length=1)]
_Index = Annotated[int, Field(strict=True, ge=0)]

PASSED_ON: dict[str, Any] = {
    "alpha_pattern": dict[_Name, Annotated[float, Field(strict=True, gt=0)]],
    "exclude_modules": _Name | Annotated[list[_Name], Field(min_length=1)],
    "layers_to_transform": _Index | Annotated[list[_Index], Field(min_length=1)],
    "layers_pattern": _Name | Annotated[list[_Name], Field(min_length=1)],
    "init_lora_weights": Literal["gaussian", "orthogonal"],
}
"""Arguments with their types."""

_OURS = "the sweep sets it"
_BASE = "it would change the base, which all runs of a worker share"
_START = "a run has to start from the base's own answers"
_FACTORS = "an adapter is a product of two factors for each layer, which merges and exports read"
_DATA = "it needs passes over data before a run"
_PARALLEL = "`engine.resources` places the ranks"
_SERVED = "no export can say to a server how such an adapter is asked"


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {name: reason for names, reason in rows for name in names.split()}


REFUSED = _table(
    ("r", "=model.lora.rank"),
    ("lora_alpha", "=model.lora.alpha"),
    ("lora_dropout", "=model.lora.dropout"),
    ("target_modules", "=model.lora.targets"),
    ("rank_pattern", "=model.lora.ranks"),
    ("use_dora", "=model.lora.dora"),
    ("use_rslora", "=model.lora.rslora"),
    ("modules_to_save", "=model.lora.modules_to_save"),
    ("base_model_name_or_path", "=model.path"),
    ("revision", "=model.revision"),
    ("task_type peft_type auto_mapping peft_version inference_mode fan_in_fan_out", _OURS),
    ("bias layer_replication ensure_weight_tying", _BASE),
    ("loftq_config", _START),
    ("eva_config corda_config lora_ga_config", _DATA),
    ("lora_bias trainable_token_indices target_parameters kasa_config monteclora_config "
     "velora_config use_qalora qalora_group_size use_bdlora", _FACTORS),
    ("arrow_config alora_invocation_tokens", _SERVED),
    ("megatron_config megatron_core runtime_config", _PARALLEL),
)  # fmt: skip
"""The other arguments, with our key after `=`, or the reason."""
