"""An output of a Hugging Face sequence-classification model on prompt and answer.

Objectives that name the same model share it and its forward pass. Scores are the model's raw
outputs (logits). They do not depend on what else is in the batch, up to rounding: texts are padded
on the right under a mask, and a model that declares no padding token is given one text at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from paretoflow.core.errors import MissingExtraError, ModelError
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.spec.objectives import RewardModelObjectiveSpec

_SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System"}

_LOADED: WeakValueDictionary[tuple[Any, ...], RewardModel] = WeakValueDictionary()
"""Models in use in this process; one goes when the last objective that holds it goes."""


class RewardModelObjective:
    """One output of a reward model.

    Raises:
        MissingExtraError: If transformers is not installed.
        ModelError: If the model cannot be loaded, has no trained head, or has no such output.
    """

    def __init__(self, spec: RewardModelObjectiveSpec, context: ObjectiveContext) -> None:
        key = (spec.path, spec.revision, spec.trust_remote_code, spec.max_length, context.device)
        model = _LOADED.get(key)
        if model is None:
            _LOADED[key] = model = RewardModel(spec, context.device)
        if spec.output >= model.outputs:
            what = f"output {spec.output} of a model with {model.outputs} outputs"
            hint = f"write an output from 0 to {model.outputs - 1}"
            raise ModelError(what, f"objective {spec.name}", hint)
        self.model = model
        self._output, self._batch_size = spec.output, spec.batch_size

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return this objective's output for each answer, shape (b,)."""
        scores = self.model.score_all(prompts, completions, self._batch_size)
        return scores[:, self._output].copy()


class _Text(NamedTuple):
    """What the model reads about one answer.

    Args:
        first: The whole text, or the prompt's part of a pair.
        second: The answer's part of a pair; None when `first` is the whole.
        special: Whether the tokenizer adds its own marks; a chat template has put them in already.
    """

    first: str
    second: str | None
    special: bool


class RewardModel:
    """A loaded sequence classifier that remembers the last batch it has scored.

    Args:
        spec: Names the model; its `output`, `name` and `batch_size` play no role here.
        device: Where it runs: in float32 on a CPU, in its own precision elsewhere.
    """

    def __init__(self, spec: RewardModelObjectiveSpec, device: str) -> None:
        self._model, self._tokenizer = _load(spec, device)
        self._device, self._max_length = device, spec.max_length
        self._keys = ["input_ids", "attention_mask"]
        if "token_type_ids" in inspect.signature(self._model.forward).parameters:
            self._keys.append("token_type_ids")
        self._pad_id = self._settle_padding()
        self._last_texts: list[_Text] = []
        self._last_outputs: FloatArray = np.zeros((0, self.outputs), dtype=np.float64)

    @property
    def outputs(self) -> int:
        """Return the number of outputs."""
        return int(self._model.config.num_labels)

    def score_all(
        self, prompts: Sequence[Prompt], completions: Sequence[str], batch_size: int
    ) -> FloatArray:
        """Return every output for each answer, shape (b, outputs)."""
        texts = [self._text(p, c) for p, c in zip(prompts, completions, strict=True)]
        if texts != self._last_texts:
            self._last_texts, self._last_outputs = texts, self._scored(texts, batch_size)
        return self._last_outputs

    def _settle_padding(self) -> int | None:
        """Return the padding token, telling the model of it; None when it has none of its own.

        Decoders read their output at the last token that is not padding, so an end-of-text token
        may serve only if the model's own configuration says so.
        """
        config = self._model.config.get_text_config()
        if config.pad_token_id is None or config.pad_token_id < 0:
            own = self._tokenizer.pad_token_id
            config.pad_token_id = None if own == self._tokenizer.eos_token_id else own
        return None if config.pad_token_id is None else int(config.pad_token_id)

    def _text(self, prompt: Prompt, completion: str) -> _Text:
        """Return what the model reads: one text, or a pair for a tokenizer that has a separator.

        Chat turns go through the tokenizer's chat template; where it has none, they are written as
        `Human:` and `Assistant:` turns, the form in which models without a template were trained. A
        plain prompt is continued by the answer as it stands.
        """
        turns = [dict(turn) for turn in prompt.messages]
        if turns and self._tokenizer.chat_template:
            turns.append({"role": "assistant", "content": completion})
            rendered = self._tokenizer.apply_chat_template(turns, tokenize=False)
            return _Text(str(rendered), None, special=False)
        text = prompt.text
        if turns:
            spoken = [f"\n\n{_SPEAKERS.get(t['role'], t['role'])}: {t['content']}" for t in turns]
            text, completion = "".join(spoken) + "\n\nAssistant:", f" {completion.lstrip()}"
        if self._tokenizer.sep_token_id is None:
            return _Text(text + completion, None, special=True)
        return _Text(text, completion, special=True)

    def _encoded(self, text: _Text) -> dict[str, list[int]]:
        """Return the text's model inputs, its beginning cut off beyond `max_length` tokens."""
        cut: bool | str = True
        if text.second is not None:
            answer = len(self._tokenizer(text.second, add_special_tokens=False)["input_ids"])
            marks = self._tokenizer.num_special_tokens_to_add(pair=True)
            # the tokenizer refuses to cut the prompt alone when that cannot be enough
            cut = "only_first" if answer + marks < self._max_length else "longest_first"
        encoded = self._tokenizer(
            text.first,
            text.second,
            add_special_tokens=text.special,
            truncation=cut,
            max_length=self._max_length,
            return_token_type_ids="token_type_ids" in self._keys,
            return_attention_mask=True,
        )
        return {key: list(encoded[key]) for key in self._keys}

    def _scored(self, texts: Sequence[_Text], batch_size: int) -> FloatArray:
        """Return every output for each text, shape (b, outputs)."""
        rows = [self._encoded(text) for text in texts]
        # texts of like length go together, which saves padding
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))
        size = batch_size if self._pad_id is not None else 1
        outputs = np.zeros((len(rows), self.outputs), dtype=np.float64)
        for start in range(0, len(rows), size):
            chosen = order[start : start + size]
            outputs[chosen] = self._forward([rows[i] for i in chosen])
        return outputs

    def _forward(self, rows: Sequence[dict[str, list[int]]]) -> FloatArray:
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        inputs = {}
        for key in self._keys:
            fill = (self._pad_id or 0) if key == "input_ids" else 0
            padded = [row[key] + [fill] * (width - len(row[key])) for row in rows]
            inputs[key] = torch.tensor(padded, device=self._device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits
        result: FloatArray = logits.double().cpu().numpy()
        return result


def _load(spec: RewardModelObjectiveSpec, device: str) -> tuple[Any, Any]:
    """Return the model, ready to score, and its tokenizer."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError.of(f"objective {spec.name}", str(error.name), "train") from error
    source = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code}
    where = f"objective {spec.name}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path, **source)
        model, info = AutoModelForSequenceClassification.from_pretrained(
            spec.path,
            **source,
            dtype=torch.float32 if device == "cpu" else "auto",
            use_safetensors=True,
            output_loading_info=True,
        )
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        hint = "check path and revision; weights must be in the safetensors format"
        raise ModelError(f"cannot load {spec.path}: {error}", where, hint) from error
    if info["missing_keys"]:
        # transformers would fill these with random numbers, and the scores would mean nothing
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        hint = "name a checkpoint trained for sequence classification"
        raise ModelError(f"{spec.path} has no trained weights for {missing}", where, hint)
    tokenizer.truncation_side = "left"
    return model.to(device).eval(), tokenizer
