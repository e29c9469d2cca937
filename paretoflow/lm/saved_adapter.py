"""Checks of a saved adapter: it belongs to the base, holds no weights of it, and is whole."""

from __future__ import annotations

import json
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.whole import not_finite

ADAPTER = "default"
"""Name of the trained adapter inside a PEFT model."""

WEIGHTS_FILE = "adapter_model.safetensors"
BASE_FILE = "base.json"
"""Beside PEFT's own files: name and digest of the base that the adapter was trained on."""

LOADING_FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


def require_own(lm: LanguageModel, folder: Path) -> None:
    """Refuse a folder that is no adapter, or whose record names another base."""
    missing = [
        name for name in ("adapter_config.json", WEIGHTS_FILE) if not (folder / name).is_file()
    ]
    if missing:
        what = f"no PEFT adapter: {' and '.join(missing)} missing"
        hint = "name a folder written by PEFT with safetensors"
        raise ModelError(what, str(folder), hint, code="model-incomplete")
    if not (folder / BASE_FILE).is_file():  # trained elsewhere: only shapes can be compared
        return
    try:
        base = json.loads((folder / BASE_FILE).read_text(encoding="utf-8"))
        name, digest = base["name"], base["digest"]
    except (ValueError, KeyError, TypeError) as error:
        hint = "restore the adapter's folder from a copy"
        what = f"{BASE_FILE} cannot be read: {error}"
        raise ModelError(what, str(folder), hint, code="model-unreadable") from error
    if digest and digest != lm.digest:
        raise ModelError(
            f"the adapter was trained on {name} (digest {digest[:12]}), the base is {lm.name} "
            f"({lm.digest[:12]})",
            str(folder),
            "load the base that the adapter belongs to, in the same precision",
            code="model-adapter",
        )


def refuse_base_weights(lm: LanguageModel, folder: Path) -> None:
    """Refuse an adapter that contains base weights: PEFT would overwrite the base with them."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
            keys = set(file.keys())
        copied = tuple(config.get("modules_to_save") or ())
    except (*LOADING_FAULTS, AttributeError):
        return  # loading reports the fault
    saved = {name.removeprefix("base_model.model.") for name in keys}
    names = sorted(n for n in saved & lm.model.state_dict().keys() if not _within(n, copied))
    if names:
        what = f"the adapter holds weights that are the base's own: {names[0]}"
        hint = "save it with save_embedding_layers=False, and without modules of the base"
        raise ModelError(what, str(folder), hint, code="model-adapter")


def _within(name: str, modules: tuple[str, ...]) -> bool:
    """Return whether a weight is in one of the modules, which PEFT knows by ends of names."""
    parts = name.split(".")
    return any(".".join(parts[:end]).endswith(modules) for end in range(1, len(parts)))


def require_whole(model: PeftModel, lm: LanguageModel, folder: Path) -> None:
    """Refuse an adapter with missing, unknown or non-finite weights."""
    own = get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False)
    odd = not_finite(own)
    if odd:
        what = f"the adapter's weights are not finite: {odd[0]}"
        raise ModelError(
            what, str(folder), "take the checkpoint before it", code="model-not-finite"
        )
    if model.peft_config[ADAPTER].target_parameters:  # PEFT renames these as it reads them
        return
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
        saved = set(file.keys())
    if apart := sorted(saved ^ own.keys()):
        raise ModelError(
            f"the adapter is not one of {lm.name}: {len(apart)} of its weights or of the base's "
            f"adapted layers have no counterpart, for instance {apart[0]}",
            str(folder),
            "load the base that it was trained on; an adapter holds no weights of the base",
            code="model-adapter",
        )
