"""An output of a Hugging Face sequence-classification model on prompt and answer.

Objectives that name the same model share it and its forward pass. Scores are the model's raw
outputs (logits). They do not depend on what else is in the batch, up to rounding: texts are padded
on the right under a mask, and a model that declares no padding token is given one text at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from paretoflow.core.errors import MissingExtraError, ModelError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.shown import first_line
from paretoflow.core.values import FloatArray
from paretoflow.lm.files import model_files
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.reward_texts import RewardText, RewardTexts
from paretoflow.spec.objectives import RewardModelObjectiveSpec

UNREAD = re.compile(r"^(?!.*\.\d+\.)")
"""Weights that a classifier's files may hold beyond its own: none of a numbered layer. Published
classifiers often keep the output layer or the pooler of the model they were made from."""
PIECE = 64
"""Approximate number of answers scored per call."""
_LOADED: WeakValueDictionary[tuple[Any, ...], RewardModel] = WeakValueDictionary()
"""Models in use in this process; a model is freed with the last objective that holds it."""


class RewardModelObjective:
    """One output of a reward model.

    Attributes:
        notes: Warnings about the model, shown before it is used.

    Raises:
        MissingExtraError: If transformers is not installed.
        ModelError: If the model cannot be loaded, has no trained head, or has no such output.

    Attributes:
        files: SHA-256 of each file that decides the model's scores, by name.
        digest: SHA-256 over all of them.
    """

    def __init__(self, spec: RewardModelObjectiveSpec, context: ObjectiveContext) -> None:
        key = (spec.path, spec.revision, spec.trust_remote_code, spec.max_length, context.device)
        model = _LOADED.get(key)
        if model is None:
            _LOADED[key] = model = RewardModel(spec, context.device)
        if spec.output >= model.outputs:
            what = f"output {spec.output} of a model with {model.outputs} outputs"
            hint = f"write an output from 0 to {model.outputs - 1}"
            raise ModelError(what, f"objective {spec.name}", hint, code="model-unsupported")
        self.model = model
        window = model.texts.window
        self.notes: tuple[str, ...] = ()
        if window is not None and window < spec.max_length:
            self.notes = (
                f"objective {spec.name} reads {window} tokens, not max_length {spec.max_length}",
            )
        self.files = model.files
        self.digest = digest_of(self.files)
        self._output, self._batch_size = spec.output, spec.batch_size

    def batches(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[list[int]]:
        """Return groups of rows, each of which fills whole forward passes.

        Passes hold the same rows whether all rows are scored at once or in these groups.
        """
        order, size = self.model.order(prompts, completions, self._batch_size)
        step = size * max(1, PIECE // size)
        return [order[start : start + step] for start in range(0, len(order), step)]

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return this objective's output for each answer, shape (b,)."""
        texts = [self.model.texts.text(p, c) for p, c in zip(prompts, completions, strict=True)]
        return self.model.score_texts(texts, self._batch_size)[:, self._output].copy()

    def score_as_sampled(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return this objective's output for each answer, joined to its prompt as sampled.

        See `core.protocols.ReadsOn`.
        """
        read = self.model.texts.as_sampled
        texts = [read(p, c) for p, c in zip(prompts, completions, strict=True)]
        return self.model.score_texts(texts, self._batch_size)[:, self._output].copy()


class RewardModel:
    """A loaded sequence classifier that caches the scores of its last batch.

    Args:
        spec: Names the model; its `output`, `name` and `batch_size` play no role here.
        device: Device it runs on: in float32 on a CPU, in its own precision elsewhere.

    Attributes:
        files: SHA-256 of each file that decides its scores, by name.
    """

    def __init__(self, spec: RewardModelObjectiveSpec, device: str) -> None:
        self._model, tokenizer = _load(spec, device)
        self.files = model_files(spec.path, getattr(self._model.config, "_commit_hash", None))
        self._device = device
        self._texts = RewardTexts(self._model, tokenizer, spec.max_length)
        self._last_texts: list[RewardText] = []
        self._last_outputs: FloatArray = np.zeros((0, self.outputs), dtype=np.float64)

    @property
    def texts(self) -> RewardTexts:
        """Return the builder of its inputs from prompts and answers."""
        return self._texts

    @property
    def outputs(self) -> int:
        """Return the number of outputs."""
        return int(self._model.config.num_labels)

    def order(
        self, prompts: Sequence[Prompt], completions: Sequence[str], batch_size: int
    ) -> tuple[list[int], int]:
        """Return the rows in scoring order, and the number of rows per forward pass."""
        texts = [self._texts.as_sampled(p, c) for p, c in zip(prompts, completions, strict=True)]
        return self._order([self._texts.encoded(text) for text in texts], batch_size)

    def score_all(
        self, prompts: Sequence[Prompt], completions: Sequence[str], batch_size: int
    ) -> FloatArray:
        """Return every output for each answer, shape (b, outputs)."""
        texts = [self._texts.text(p, c) for p, c in zip(prompts, completions, strict=True)]
        return self.score_texts(texts, batch_size)

    def score_texts(self, texts: list[RewardText], batch_size: int) -> FloatArray:
        """Return every output for each text, shape (b, outputs)."""
        if texts != self._last_texts:
            self._last_texts, self._last_outputs = texts, self._scored(texts, batch_size)
        return self._last_outputs

    def _scored(self, texts: Sequence[RewardText], batch_size: int) -> FloatArray:
        """Return every output for each text, shape (b, outputs)."""
        rows = [self._texts.encoded(text) for text in texts]
        order, size = self._order(rows, batch_size)
        outputs = np.zeros((len(rows), self.outputs), dtype=np.float64)
        for start in range(0, len(rows), size):
            chosen = order[start : start + size]
            outputs[chosen] = self._forward([rows[i] for i in chosen])
        return outputs

    def _order(
        self, rows: Sequence[dict[str, list[int]]], batch_size: int
    ) -> tuple[list[int], int]:
        # texts of similar length share a batch, which saves padding
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))
        return order, batch_size if self._texts.pad_id is not None else 1

    def _forward(self, rows: Sequence[dict[str, list[int]]]) -> FloatArray:
        import torch

        padded = self._texts.padded(rows)
        inputs = {key: torch.tensor(ids, device=self._device) for key, ids in padded.items()}
        with torch.inference_mode():
            logits = self._model(**inputs).logits
        result: FloatArray = logits.double().cpu().numpy()
        return result


def _load(spec: RewardModelObjectiveSpec, device: str) -> tuple[Any, Any]:
    """Return the model, ready to score, and its tokenizer."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from paretoflow.lm import folders, whole
    except ImportError as error:
        raise MissingExtraError.of(f"objective {spec.name}", str(error.name), "train") from error
    source = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code}
    where = f"objective {spec.name}"
    folders.require_whole_folder(spec.path, where)
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path, **source)
        model, info = AutoModelForSequenceClassification.from_pretrained(
            spec.path,
            **source,
            dtype=torch.float32 if device == "cpu" else "auto",
            use_safetensors=True,
            output_loading_info=True,
        )
    except whole.LOADING_FAULTS as error:
        hint = "check path and revision; weights must be in the safetensors format"
        raise ModelError(
            f"cannot load {spec.path}: {first_line(error)}", where, hint, code="model-unreadable"
        ) from error
    # a head that transformers filled with random numbers would give meaningless scores
    whole.require_whole_weights(model, info, f"{where}: {spec.path}", unused=UNREAD)
    whole.require_tokenizer(model, tokenizer, f"{where}: {spec.path}")
    return model.to(device).eval(), tokenizer
