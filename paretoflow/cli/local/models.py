"""Checks of a sweep's model folders: kind, files and room for prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ModelError
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.folders import require_whole_folder
from paretoflow.spec.models import EmbeddedModelSpec, ModelSpec
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

_CLASSIFIER = "ForSequenceClassification"
_NOT_CAUSAL = (
    "ForMaskedLM",
    _CLASSIFIER,
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForImageClassification",
)
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model", "*.tiktoken", "token*.py")
_TEMPLATES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja")
_WINDOWS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")


@dataclass(frozen=True)
class ModelFolder:
    """A base's folder on this machine.

    Args:
        config: Content of its `config.json`.
    """

    folder: Path
    config: dict[str, Any]

    @property
    def window(self) -> int | None:
        """Return the maximum tokens of prompt and answer together, if the config has it."""
        inner = self.config.get("text_config")
        for part in (inner if isinstance(inner, dict) else {}, self.config):
            for name in _WINDOWS:
                if isinstance(part.get(name), int) and part[name] > 0:
                    return int(part[name])
        return None

    @property
    def has_template(self) -> bool:
        """Return whether its tokenizer has a chat template."""
        settings = _json(self.folder / "tokenizer_config.json")
        return bool(settings.get("chat_template")) or _any(self.folder, _TEMPLATES)


def base_folder(model: ModelSpec) -> ModelFolder | None:
    """Return the base's folder; None if it is on the hub or its config cannot be read."""
    folder = TINY_BASE_DIR if isinstance(model, EmbeddedModelSpec) else Path(model.path)
    config = _json(folder / "config.json")
    return ModelFolder(folder, config) if config else None


def base_findings(model: ModelSpec) -> Iterator[Fault | str]:
    """Yield the faults of the base's folder, or a note that it was not checked."""
    path: KeyPath = ("model", "path")
    if isinstance(model, EmbeddedModelSpec):
        yield from _room(model, base_folder(model))
        return
    if not Path(model.path).exists():
        yield f"model: {model.path} is on the hub, and was not checked"
        return
    base = base_folder(model)
    if base is None:
        yield _no_config(path, Path(model.path))
        return
    kind = base.config.get("model_type", "?")
    architectures = [str(name) for name in base.config.get("architectures") or ()]
    if base.config.get("is_encoder_decoder"):
        what = f"{model.path} holds an encoder-decoder ({kind}); allowed: a causal language model"
        yield Fault(path, what, "name a model that continues text", code="model-unsupported")
    elif architectures and all(name.endswith(_NOT_CAUSAL) for name in architectures):
        what = f"{model.path} holds {architectures[0]}; allowed: a causal language model"
        yield Fault(path, what, "name a model that continues text", code="model-unsupported")
    yield from _weights(path, base.folder)
    yield from _tokenizer(path, base.folder)
    yield from _room(model, base)


def reward_findings(path: KeyPath, objective: RewardModelObjectiveSpec) -> Iterator[Fault | str]:
    """Yield the faults of a reward model's folder, or a note that it was not checked."""
    folder = Path(objective.path)
    if not folder.exists():
        yield f"{objective.name}: {objective.path} is on the hub, and was not checked"
        return
    config = _json(folder / "config.json")
    if not config:
        yield _no_config((*path, "path"), folder)
        return
    architectures = [str(name) for name in config.get("architectures") or ()]
    own = _CLASSIFIER in str(config.get("auto_map", ""))
    if architectures and not own and not any(_CLASSIFIER in name for name in architectures):
        what = f"{objective.path} holds {architectures[0]}, which has no trained head for scores"
        yield Fault(
            (*path, "path"),
            what,
            "name a model trained for sequence classification",
            code="model-unsupported",
        )
    outputs = _outputs(config)
    if objective.output >= outputs:
        what = f"got output {objective.output}; allowed: 0 to {outputs - 1}, of {objective.path}"
        yield Fault((*path, "output"), what, "outputs are counted from 0", code="spec-not-allowed")
    yield from _weights((*path, "path"), folder)
    yield from _tokenizer((*path, "path"), folder)


def _outputs(config: dict[str, Any]) -> int:
    labels = config.get("id2label")
    if isinstance(labels, dict) and labels:
        return len(labels)
    count = config.get("num_labels")
    return count if isinstance(count, int) else 2  # the default of transformers


def _no_config(path: KeyPath, folder: Path) -> Fault:
    """Return the fault of a folder without a config, or of a file in place of a folder."""
    what = f"{folder}/config.json is no JSON object"
    return _other_files(path, folder) or Fault(
        path, what, "copy the folder again", code="model-incomplete"
    )


def _other_files(path: KeyPath, folder: Path) -> Fault | None:
    """Return the fault of a folder with more or less than one model in safetensors, if any."""
    try:
        require_whole_folder(str(folder), "")
    except ModelError as error:
        return Fault(path, error.what, error.hint, code=error.code)
    return None


def _weights(path: KeyPath, folder: Path) -> Iterator[Fault]:
    if fault := _other_files(path, folder):
        yield fault
        return
    if any(folder.glob("*.safetensors")):
        yield from _cut_short(path, folder)
    else:
        what = f"{folder} holds no weights: there is no .safetensors file"
        yield Fault(path, what, "copy the folder again, whole", code="model-incomplete")


def _cut_short(path: KeyPath, folder: Path) -> Iterator[Fault]:
    """Find files of weights that are shorter than their header states."""
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if size < file.stat().st_size:
                try:
                    header = json.loads(stream.read(size))
                    ends = [t["data_offsets"][1] for n, t in header.items() if n != "__metadata__"]
                except (ValueError, TypeError, KeyError, AttributeError, IndexError):
                    ends = [file.stat().st_size]
            else:
                ends = [size]
        if 8 + size + max(ends, default=0) != file.stat().st_size:
            yield Fault(
                path,
                f"{file} is damaged or cut short",
                "copy it again, whole",
                code="model-unreadable",
            )


def _tokenizer(path: KeyPath, folder: Path) -> Iterator[Fault]:
    if not _any(folder, _TOKENIZERS):
        what = f"{folder} holds no tokenizer: there is no tokenizer.json or vocabulary"
        yield Fault(
            path,
            what,
            "save it there too: tokenizer.save_pretrained(folder)",
            code="model-tokenizer",
        )


def _room(model: ModelSpec, base: ModelFolder | None) -> Iterator[Fault]:
    new, window = model.generation.max_new_tokens, base.window if base else None
    if window is not None and new >= window:
        what = f"got {new} new tokens; the model takes {window} with the prompt"
        yield Fault(
            ("model", "generation", "max_new_tokens"),
            what,
            "leave room for the prompt",
            code="spec-not-allowed",
        )


def _any(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def _json(file: Path) -> dict[str, Any]:
    """Return a JSON object; empty if it cannot be read."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
