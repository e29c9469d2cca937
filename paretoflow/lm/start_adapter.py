"""Merge an adapter into the base before anything is sampled: the base that runs start from.

The merged model is the reference of every run, as if it had been saved and named as `model.path`.
The merge is PEFT's own, in the base's precision, on the CPU: `merge_lines` of an export gives the
same weights, bit for bit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from peft.utils.other import AuxiliaryTrainingWrapper

from paretoflow.core.errors import ModelError
from paretoflow.core.ids import digest_of
from paretoflow.lm.adapters import known_warnings_silenced, load_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.start_files import START, start_digest, start_files


def started(lm: LanguageModel, folder: Path) -> LanguageModel:
    """Return the base with an adapter merged into it; its digest and name say so.

    Raises:
        ModelError: If the folder is no adapter of this base, or cannot be merged into it.
    """
    base = lm.model.to("cpu")
    model = load_adapter(replace(lm, device="cpu"), folder, trainable=False)
    if _shares_output(model, lm):
        unload(model)
        raise ModelError(
            "it changes the output layer, which shares its weights with the embeddings",
            str(folder),
            "merge it yourself into a model with weights of their own, and name that as model.path",
            code="model-adapter",
        )
    try:
        with known_warnings_silenced():
            merged = model.merge_and_unload(safe_merge=True)
    except ValueError as error:  # nan in the sum
        raise ModelError(
            f"it cannot be merged into the base: {error}", str(folder), code="model-adapter"
        ) from error
    base.__dict__.pop("peft_config", None)
    merged.requires_grad_(False).eval().to(lm.device)
    name = f"{lm.name}+{START}"  # so that nothing loads a run's adapter on the base alone
    merged.name_or_path = name
    digest = start_digest(folder)
    return replace(
        lm,
        model=merged,
        name=name,
        digest=digest_of([lm.digest, digest]),
        files={**lm.files, **start_files(folder)},
        start=digest,
    )


def _shares_output(model: object, lm: LanguageModel) -> bool:
    if not lm.model.config.get_text_config().tie_word_embeddings:
        return False
    ends = (lm.model.get_output_embeddings(), lm.model.get_input_embeddings())
    return any(hasattr(end, "lora_A") or isinstance(end, AuxiliaryTrainingWrapper) for end in ends)
