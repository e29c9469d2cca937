"""LoRA adapters on a frozen base: create, load, save, remove.

A base has one adapter at a time. Removing it restores the base bit for bit, so one loaded base
serves every run of a worker.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from transformers import PreTrainedModel

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.saved_adapter import (
    ADAPTER,
    BASE_FILE,
    LOADING_FAULTS,
    refuse_base_weights,
    require_own,
    require_whole,
)
from paretoflow.lm.targets import targets_of
from paretoflow.spec.models import LoraSpec


def fresh_adapter(
    lm: LanguageModel, lora: LoraSpec, seed: int, options: Mapping[str, Any] | None = None
) -> PeftModel:
    """Put a new trainable adapter on the base; before training the model answers as the base.

    `seed` sets the adapter's random half; the caller's random state is preserved. `options` are
    further options of PEFT's `LoraConfig`, or other values for those of the spec.

    Raises:
        ModelError: If `lora.targets` names no module of the model, or `lora.ranks` names a module
            that is not among them.
    """
    _require_bare(lm)
    plain = {**lora_options(lora), "target_modules": targets_of(lm.model, lora, lm.name)}
    config = LoraConfig(**{**plain, "task_type": "CAUSAL_LM", **(options or {})})
    try:
        with torch.random.fork_rng(), known_warnings_silenced():
            warnings.filterwarnings("ignore", "The following \\w+_pattern keys", RuntimeWarning)
            warnings.filterwarnings("error", "You have passed exclude_modules", UserWarning)
            torch.manual_seed(seed)
            model = get_peft_model(lm.model, config)
    except (ValueError, TypeError, UserWarning) as error:
        _clean(lm.model)
        what, hint = f"no adapter fits: {error}", "see model.lora"
        raise ModelError(what, lm.name, hint, code="model-targets") from error
    _refuse_experts(model, lm)
    _require_adapted(model, lm, {**lora.ranks, **lora.peft.get("alpha_pattern", {})})
    _require_saved(model, lm, lora.modules_to_save)
    model.base_digest, model.base_start = lm.digest, lm.start
    return model


def lora_options(lora: LoraSpec) -> dict[str, Any]:
    """Return PEFT's options for a spec, without the modules to adapt."""
    return {
        **deepcopy(lora.peft),  # PEFT writes into patterns
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "rank_pattern": dict(lora.ranks),
        "use_dora": lora.dora,
        "use_rslora": lora.rslora,
        "modules_to_save": list(lora.modules_to_save) or None,
    }


def require_adaptable(lm: LanguageModel, lora: LoraSpec, *, output: bool = False) -> None:
    """Refuse an adapter that no run could train, before anything is sampled.

    Args:
        lm: The base.
        lora: The adapter.
        output: Whether the method trains an adapter on the output layer. TRL's trainers read that
            layer's own weight and pass the adapter by.

    Raises:
        ModelError: As `fresh_adapter`, or if the output layer would have an adapter for nothing.
    """
    model = fresh_adapter(lm, lora, 0)
    adapted = isinstance(model.get_output_embeddings(), BaseTunerLayer)
    unload(model)
    if adapted and not output:
        what = "the output layer would have an adapter, which training passes by"
        hint = "remove it from model.lora.targets; modules_to_save trains the whole layer"
        raise ModelError(what, lm.name, hint, code="model-targets")


def _refuse_experts(model: PeftModel, lm: LanguageModel) -> None:
    """Refuse targets inside experts: such an adapter can be neither merged nor served."""
    odd = sorted(model.peft_config[ADAPTER].target_parameters or ())
    if odd:
        unload(model)
        what = f"the adapter would hang on the experts' own weights ({', '.join(odd)})"
        hint = "name layers of attention in model.lora.targets, or write all-linear"
        raise ModelError(what, lm.name, hint, code="model-targets")


def _require_adapted(model: PeftModel, lm: LanguageModel, ranks: Iterable[str]) -> None:
    """Refuse ranks and scales for modules without an adapter: PEFT only warns of them."""
    places = [f".{name}" for name in model.targeted_module_names]
    odd = [end for end in ranks if not any(place.endswith(f".{end}") for place in places)]
    if odd:
        unload(model)
        allowed = ", ".join(sorted({place.rpartition(".")[2] for place in places}))
        what = f"`{odd[0]}` bears no adapter; allowed: {allowed}"
        hint = "see model.lora.ranks, model.lora.peft and the `rank.` axes of search"
        raise ModelError(what, lm.name, hint, code="model-targets")


def _require_saved(model: PeftModel, lm: LanguageModel, names: Sequence[str]) -> None:
    """Refuse names of whole modules that the base does not have: PEFT would ignore them."""
    whole = [n for n, part in model.named_modules() if isinstance(part, AuxiliaryTrainingWrapper)]
    odd = [name for name in names if not any(place.endswith(name) for place in whole)]
    if odd:
        unload(model)
        what = f"the base has no module `{odd[0]}` that could be trained whole"
        raise ModelError(what, lm.name, "see model.lora.modules_to_save", code="model-targets")


def load_adapter(lm: LanguageModel, folder: Path, *, trainable: bool) -> PeftModel:
    """Put a saved adapter on the base.

    Raises:
        ModelError: If the folder is broken, or the adapter belongs to another base.
    """
    _require_bare(lm)
    require_own(lm, folder)
    refuse_base_weights(lm, folder)
    try:
        with known_warnings_silenced():
            warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
            model = PeftModel.from_pretrained(
                lm.model, str(folder), is_trainable=trainable, torch_device=lm.device
            )
    except LOADING_FAULTS as error:
        _clean(lm.model)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = f"the adapter cannot be put on {lm.name}: {' '.join(lines[:2])}"
        hint = "it must be a PEFT folder for this base"
        raise ModelError(what, str(folder), hint, code="model-adapter") from error
    try:
        require_whole(model, lm, folder)
    except ModelError:
        unload(model)
        raise
    model.base_digest, model.base_start = lm.digest, lm.start
    return model.train(trainable)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter as an ordinary PEFT folder (safetensors), whole or not at all.

    An older folder of the same name is replaced. The data are on the disk when this returns. A
    model that is sharded over ranks must have been gathered.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_adapter_files(model, partial)
    name = model.peft_config[ADAPTER].base_model_name_or_path
    base = {"name": name, "digest": getattr(model, "base_digest", "")}
    if start := getattr(model, "base_start", ""):
        base["start"] = start
    (partial / BASE_FILE).write_text(json.dumps(base, indent=2) + "\n", encoding="utf-8")
    put_in_place(partial, folder)


def put_in_place(partial: Path, folder: Path) -> None:
    """Rename a fully written folder to its final name, after its data are on the disk."""
    for file in partial.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    if folder.exists():
        shutil.rmtree(folder)
    partial.replace(folder)


def save_adapter_files(model: PeftModel, folder: Path) -> None:
    """Write PEFT's own files of the adapter into a folder.

    Only the adapter named `ADAPTER` is written: a trainer may keep a frozen copy beside it.
    """
    # an empty model card would take half of the time
    vars(model)["create_or_update_model_card"] = _no_card
    # "auto" would query the hub for changes of the vocabulary
    model.save_pretrained(str(folder), selected_adapters=[ADAPTER], save_embedding_layers=False)


def _no_card(folder: str) -> None:
    """Stand in for PEFT's model card of an adapter."""


def unload(model: PeftModel) -> PreTrainedModel:
    """Remove every adapter and return the base as before: frozen, in eval mode, without hooks."""
    return _clean(model.get_base_model())


@contextmanager
def known_warnings_silenced() -> Iterator[None]:
    """Silence library warnings about adapters that users can do nothing about.

    PEFT warns of an adapter on an output layer that shares the embeddings: it would matter if the
    adapter were merged into the weights, which never happens here. It also uses a former name of a
    transformers attribute.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )
        yield


@contextmanager
def adapter_on(lm: LanguageModel, folder: Path | None) -> Iterator[PreTrainedModel]:
    """Yield the model to evaluate: the base with the folder's adapter, or the bare base for None.

    Raises:
        ModelError: As for `load_adapter`.
    """
    if folder is None:
        yield lm.model
        return
    model = load_adapter(lm, folder, trainable=False)
    try:
        yield model
    finally:
        unload(model)


def _clean(base: PreTrainedModel) -> PreTrainedModel:
    """Restore every adapted layer's own layer and undo the settings of training."""
    own = ""
    for name, layer in list(base.named_modules()):
        # an adapter on expert weights nests one layer in another; the outer one holds both
        if isinstance(layer, BaseTunerLayer) and not (own and name.startswith(own)):
            base.set_submodule(name, layer.get_base_layer())
            own = f"{name}."
        elif isinstance(layer, AuxiliaryTrainingWrapper):
            base.set_submodule(name, layer.original_module)
    base.__dict__.pop("peft_config", None)
    base.disable_input_require_grads()
    if base.is_activation_checkpointing:
        base.activation_checkpointing_disable()
    base.zero_grad(set_to_none=True)
    return base.requires_grad_(False).eval()


def _require_bare(lm: LanguageModel) -> None:
    own = (BaseTunerLayer, AuxiliaryTrainingWrapper)
    if any(isinstance(layer, own) for layer in lm.model.modules()):
        raise RuntimeError("the base still carries an adapter: call unload first")
