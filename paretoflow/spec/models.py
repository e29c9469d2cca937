"""The base model, its adapter, and the settings of generation."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from paretoflow.spec.base import Spec

ALL_LINEAR = "all-linear"
"""Adapt every linear layer except the output; in a mixture of experts, those of attention."""


class LoraSpec(Spec):
    """Low-rank adapter (Hu et al. 2021, arXiv 2106.09685), through PEFT."""

    rank: int = Field(16, ge=1, le=65_536)
    """Inner dimension of the adapter; larger ranks learn more and cost memory in proportion."""
    alpha: float = Field(32.0, gt=0)
    """Scale of the adapter: its output is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of adapter inputs dropped in training."""
    targets: str | tuple[str, ...] = ALL_LINEAR
    """Module names to adapt, or "all-linear", which in a mixture of experts is attention alone."""
    ranks: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Ranks of single modules in place of `rank`, by the ends of their names, for instance
    `q_proj`."""
    dora: bool = False
    """Train the lengths of weight columns beside their directions (DoRA, Liu et al. 2024, arXiv
    2402.09353). Such adapters cannot be merged, and vLLM does not serve them."""
    rslora: bool = False
    """Scale by alpha over the root of the rank (rsLoRA, Kalajdzievski 2023, arXiv 2312.03732)."""
    modules_to_save: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Modules that are trained whole, as copies of the base's, by the ends of their names. Such
    adapters cannot be merged, and vLLM does not serve them."""
    peft: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of PEFT's `LoraConfig`, for instance `{exclude_modules: [o_proj]}`;
    docs/methods.md lists them."""


LEAST_TEMPERATURE = 1e-4
"""Smallest temperature above 0: below it, logits over the temperature overflow."""


def _no_trace(temperature: float) -> float:
    if 0 < temperature < LEAST_TEMPERATURE:
        raise PydanticCustomError("temperature", f"0, or at least {LEAST_TEMPERATURE:g}")
    return temperature


_URL = re.compile(r"https?://[^\s?#@]+")


def _addresses(urls: str | tuple[str, ...]) -> tuple[str, ...]:
    found = (urls,) if isinstance(urls, str) else urls
    if not all(map(_URL.fullmatch, found)):
        raise PydanticCustomError("url", "addresses as http://host:8000, without a user")
    return found


SERVER_KEYS = ("url", "command", "api_key_env", "adapter_folder")
"""Keys of generation that say where servers are; they may change when a sweep is resumed."""
NO_EFFECT_ON_ANSWERS = frozenset({"batch_size", *SERVER_KEYS})


class GenerationSpec(Spec):
    """Settings of sampling, in the shared stage and in every evaluation."""

    max_new_tokens: int = Field(96, ge=1)
    """Maximum length of an answer, in tokens."""
    temperature: Annotated[float, Field(ge=0), AfterValidator(_no_trace)] = 1.0
    """Sampling temperature; 0 takes the most likely token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the fewest tokens that hold this share of the probability; 1 means all."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Texts that end an answer; the answer ends before the first of them."""
    batch_size: int = Field(64, ge=1)
    """Prompts per batch of generation; affects speed and memory, never the answers. With `engine:
    vllm`, requests in flight at each server."""
    engine: Literal["hf", "vllm"] = "hf"
    """Engine of the shared stage and of evaluations: hf is the worker's own model and the exact
    reference; vllm is a server beside it. Methods that sample in training use hf."""
    url: Annotated[str | tuple[str, ...], AfterValidator(_addresses)] = ()
    """Of `engine: vllm`: a server that runs already, or a list of equal ones. Without it, each
    worker group starts a server of its own."""
    command: str | None = Field(None, min_length=1)
    """Of `engine: vllm` without `url`: the vllm executable, for instance one of another virtual
    environment; without it, `vllm` is searched on the PATH."""
    options: dict[str, str | bool | int | float] = Field(default_factory=dict)
    """Of `engine: vllm` without `url`: further options of `vllm serve`, with underscores, for
    instance `{gpu_memory_utilization: 0.3, tensor_parallel_size: 2}`."""
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_]\w*$")
    """Of `url`: the environment variable that holds the servers' key."""
    adapter_folder: str | None = Field(None, min_length=1)
    """Of `engine: vllm`: a folder that workers and servers see at the same path; adapters lie in it
    while they are evaluated. Without it, a temporary folder of the worker's machine."""


class EmbeddedModelSpec(Spec):
    """The tiny base that ships inside the package: no download, runs on a CPU."""

    type: Literal["embedded"] = "embedded"
    lora: LoraSpec = LoraSpec()
    """The adapter that every run trains."""
    generation: GenerationSpec = GenerationSpec()
    """Settings of sampling."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the chat template, for instance `{enable_thinking: false}`."""


class PretrainedModelSpec(Spec):
    """Any causal language model that transformers loads."""

    type: Literal["pretrained"]
    path: str = Field(min_length=1)
    """Hub id or local folder."""
    adapter: str | None = Field(None, min_length=1)
    """Folder of a LoRA adapter, for instance of supervised fine-tuning, that is merged into the
    base before anything is sampled. Runs start from the merged base and are compared with it."""
    revision: str | None = None
    """Branch, tag or commit on the hub; pin a commit to make the sweep repeatable."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Precision of the frozen base."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; auto takes a GPU if the rank has one."""
    trust_remote_code: bool = False
    """Whether code from the model's repository may run: a risk, off by default."""
    lora: LoraSpec = LoraSpec()
    """The adapter that every run trains."""
    generation: GenerationSpec = GenerationSpec()
    """Settings of sampling."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the chat template, for instance `{enable_thinking: false}`."""


ModelSpec = Annotated[EmbeddedModelSpec | PretrainedModelSpec, Field(discriminator="type")]
