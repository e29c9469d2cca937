"""Load the frozen base and its tokenizer; turn prompts into token ids.

This module decides a model's name and digest, and which loading faults are the user's. Training,
sampling and adapters are in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from paretoflow.core.errors import DataError, ModelError
from paretoflow.core.ids import digest_of
from paretoflow.core.shown import first_line
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.files import digest_of_file, model_files
from paretoflow.lm.folders import require_whole_folder
from paretoflow.lm.whole import (
    LOADING_FAULTS,
    require_output,
    require_tokenizer,
    require_whole_weights,
    window_of,
)
from paretoflow.spec.models import EmbeddedModelSpec, ModelSpec, PretrainedModelSpec

EMBEDDED_NAME = "paretoflow-embedded"
"""Name of the embedded base in adapter folders."""

_CONTENT_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".py"})


@dataclass(frozen=True)
class LanguageModel:
    """A frozen base with its tokenizer, loaded once per worker.

    Args:
        model: In evaluation mode, nothing trainable; the same weights before and after every run.
        tokenizer: Pads on the left; pads with the end-of-text token when it has no pad token.
        device: "cpu" or "cuda".
        name: Hub id, folder as the spec gives it, or `EMBEDDED_NAME`; adapter folders name it as
            their base.
        digest: SHA-256 over the folder's content, or over hub id and commit; precision included.
        files: SHA-256 of each file that decides its answers, by name; see `lm.files`.
        chat: Whether prompts were rendered by the chat template, which adds every special token.
        start: Digest of the adapter that was merged into the base (`model.adapter`); empty for
            none.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: str
    name: str
    digest: str
    files: Mapping[str, str] = field(default_factory=dict)
    chat: bool = False
    start: str = ""

    @property
    def eos_ids(self) -> frozenset[int]:
        """Return every token id that ends an answer (chat models often have two)."""
        own = self.model.generation_config.eos_token_id if self.model.generation_config else None
        ids = {self.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])}
        return frozenset(int(i) for i in ids if i is not None)

    @property
    def context_tokens(self) -> int | None:
        """Return the maximum tokens of prompt and answer together; None for no limit."""
        return window_of(self.model)


def load_base(spec: ModelSpec, *, threads: int | None = None) -> LanguageModel:
    """Load the base that a spec names, frozen and in evaluation mode.

    Weights are read from safetensors only, never from a pickle; code from a model's repository
    runs only if the spec says so. `threads` sets the CPU threads torch may use in this process.

    Raises:
        ModelError: If the folder or hub id cannot be read, is no causal language model, has no
            safetensors or is not whole (see `lm.whole`); or a GPU is required and none is present.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if isinstance(spec, EmbeddedModelSpec):
        return load_folder(TINY_BASE_DIR, name=EMBEDDED_NAME)
    return _load(spec.path, spec.path, spec, device_of(spec))


def device_of(spec: ModelSpec) -> str:
    """Return the device of a base on this machine: "cpu" or "cuda".

    Raises:
        ModelError: If a GPU is required and none is present.
    """
    if isinstance(spec, EmbeddedModelSpec):
        return "cpu"
    device = spec.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        what = "model.device is cuda, but torch sees no GPU"
        raise ModelError(what, spec.path, "use device: auto or cpu", code="model-no-gpu")
    return device


def load_folder(folder: Path, *, name: str) -> LanguageModel:
    """Load a base from a local folder in float32 on the CPU.

    Raises:
        ModelError: As for `load_base`.
    """
    spec = PretrainedModelSpec(type="pretrained", path=str(folder), dtype="float32", device="cpu")
    return _load(str(folder), name, spec, "cpu")


def encode(lm: LanguageModel, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of prompts, as a server passes them to the model.

    The text of a chat already has its special tokens. A plain text gets the tokenizer's leading
    tokens once; its trailing tokens, such as end-of-text, are left out, since the answer follows.

    Raises:
        DataError: If a prompt has no token at all.
    """
    tokenizer, bos = lm.tokenizer, lm.tokenizer.bos_token
    behind = 0 if lm.chat else _marks_behind(tokenizer)
    rows = []
    for index, text in enumerate(texts):
        special = not (lm.chat or (bos and text.lstrip().startswith(bos)))
        ids = tokenizer(text, add_special_tokens=special)["input_ids"]
        ids = ids[: len(ids) - behind] if special else ids
        if not ids:
            what, hint = (
                f"prompt {index} is empty: it has no token",
                "drop the row or fill the prompt",
            )
            raise DataError(what, hint=hint, code="data-empty")
        rows.append([int(i) for i in ids])
    return rows


@lru_cache(maxsize=8)
def _marks_behind(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the number of tokens that a tokenizer adds after every text."""
    plain, whole = (tokenizer("a", add_special_tokens=s)["input_ids"] for s in (False, True))
    places = range(len(whole) - len(plain), -1, -1)
    before = next((i for i in places if whole[i : i + len(plain)] == plain), None)
    return 0 if before is None else len(whole) - before - len(plain)


def decode(lm: LanguageModel, prompt_ids: Sequence[int], token_ids: Sequence[int]) -> str:
    """Return an answer's text as the continuation of its prompt, without special tokens.

    It is decoded after the prompt's last token, since many tokenizers drop the leading space of a
    text.
    """
    last = list(prompt_ids[-1:])
    known = lm.tokenizer.decode(last, skip_special_tokens=True)
    whole = lm.tokenizer.decode([*last, *token_ids], skip_special_tokens=True)
    if whole.startswith(known):
        return str(whole[len(known) :])
    return str(lm.tokenizer.decode(list(token_ids), skip_special_tokens=True))


def render_chat(
    lm: LanguageModel,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Any] = (),
    template_args: Mapping[str, Any] | None = None,
) -> str:
    """Return chat turns as the text that the model continues, by the tokenizer's chat template.

    Args:
        lm: The base.
        messages: Turns, each with `role` and `content`.
        tools: Tools that the model may call, passed to the template.
        template_args: Further arguments of the template, for instance `enable_thinking`.

    Raises:
        ModelError: If the tokenizer has no chat template, or the template refuses the turns.
    """
    if not lm.tokenizer.chat_template:
        raise ModelError(
            f"{lm.name} has no chat template",
            hint="use plain prompts (data.template), or a chat-tuned model",
            code="model-chat-template",
        )
    turns = [dict(m) for m in messages]
    try:
        text = lm.tokenizer.apply_chat_template(
            turns,
            tools=list(tools) or None,
            tokenize=False,
            add_generation_prompt=True,
            **(template_args or {}),
        )
    except (TemplateError, TypeError) as error:  # TypeError: raised by the template's code
        raise ModelError(
            f"the chat template of {lm.name} refuses the turns: {error}",
            hint="check role names and their order",
            code="model-chat-template",
        ) from error
    return str(text)


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Switch dropout and gradients off in the block, then restore the model's mode."""
    was_training = model.training
    model.eval()
    try:
        # not inference_mode: a buffer renewed by a forward pass could then not be trained through
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _load(path: str, name: str, spec: PretrainedModelSpec, device: str) -> LanguageModel:
    source: dict[str, Any] = {
        "revision": spec.revision or "main",
        "trust_remote_code": spec.trust_remote_code,
    }
    transformers_logging.disable_progress_bar()  # it would fill the logs of every worker
    require_whole_folder(path, name)
    try:
        _require_causal(AutoConfig.from_pretrained(path, **source), name)
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", **source)
        model, info = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=getattr(torch, spec.dtype),
            use_safetensors=True,
            output_loading_info=True,
            **source,
        )
    except ModelError:
        raise
    except LOADING_FAULTS as error:
        what = f"the base model cannot be loaded: {first_line(error)}"
        raise ModelError(what, name, _hint(Path(path)), code="model-unreadable") from error
    require_whole_weights(model, info, name)
    require_tokenizer(model, tokenizer, name)
    if tokenizer.eos_token_id is None:
        what = "the tokenizer has no end-of-text token"
        raise ModelError(
            what, name, "set eos_token in tokenizer_config.json", code="model-tokenizer"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.name_or_path = name  # PEFT writes it into adapter_config.json
    model.requires_grad_(False).eval().to(device)
    digest, files = _digests(path, spec, model, tokenizer.chat_template)
    lm = LanguageModel(model, tokenizer, device, name, digest, files)
    require_output(model, tokenizer, lm.eos_ids, name)
    return lm


def _require_causal(config: Any, name: str) -> None:
    """Refuse models that transformers loads as causal although they are not."""
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        what = f"{kind} is an encoder-decoder; a base is a causal language model"
    elif kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not (
        getattr(config, "is_decoder", True) and getattr(config, "causal", True)
    ):
        what = f"{kind} reads in both directions; a base is a causal language model"
    else:
        return
    raise ModelError(what, name, "name a model that continues text", code="model-unsupported")


def _digests(
    path: str, spec: PretrainedModelSpec, model: PreTrainedModel, template: object
) -> tuple[str, dict[str, str]]:
    """Return the digest of the base, and those of the files that decide its answers."""
    folder, commit = Path(path), getattr(model.config, "_commit_hash", None)
    own = {"the chat template": digest_of(template)}
    if not folder.is_dir():
        digest = digest_of([path, commit or spec.revision or "main", spec.dtype])
        return digest, model_files(path, commit) | own
    files = {
        file.name: digest_of_file(file)
        for file in sorted(p for p in folder.iterdir() if p.suffix in _CONTENT_SUFFIXES)
    }
    return digest_of([files, spec.dtype]), model_files(path, None, files) | own


def _hint(folder: Path) -> str:
    if not folder.is_dir():
        return (
            "check the hub id or folder, and that the repository has safetensors weights; "
            "without a network only local folders and cached models load"
        )
    if not (folder / "config.json").is_file():
        return "the folder holds no transformers model: there is no config.json"
    if not list(folder.glob("*.safetensors")):
        return "the folder holds no weights: copy it again, whole"
    return "the folder must hold a causal language model and its tokenizer"
