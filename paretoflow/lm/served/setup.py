"""From a spec to a sampler that has been tried: servers first, since they take longest to start."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peft import PeftModel

from paretoflow.core.errors import ModelError, WorkerError
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.served.client import VllmServer
from paretoflow.lm.served.facts import ServerFacts, facts_of, key_of
from paretoflow.lm.served.process import OwnServer, ServerCommand
from paretoflow.lm.served.sampler import Servers, VllmSampler
from paretoflow.spec.models import EmbeddedModelSpec, GenerationSpec, LoraSpec, ModelSpec
from paretoflow.spec.served import RANKS, rank_of, server_rank

LOG_FOLDER = "servers"
"""Folder of the sweep's folder with the logs of servers that its workers started."""
_BASE = "base"
_TRIED = 8
"""Number of prompts, and of tokens of each answer, by which servers are tried."""
_GPU_SHARE = 0.4
"""Share of a GPU's memory for a server beside a worker that trains on it; not measured."""


@dataclass(frozen=True)
class RunningServers:
    """Servers that somebody else started."""

    servers: tuple[VllmServer, ...]

    def ready(self) -> Sequence[VllmServer]:
        """Return the servers; nothing starts them again."""
        return self.servers


def servers_of(model: ModelSpec, lora: LoraSpec, logs: Path | None) -> Servers:
    """Return the servers of a spec, or start one; a started one may not answer yet.

    Args:
        model: The base, with `engine: vllm`.
        lora: The adapter with the largest ranks that a launch may have.
        logs: Folder for the log of a started server; None takes a temporary one.

    Raises:
        ModelError: If the servers' key is not in the environment, or the executable is not here.
    """
    generation = model.generation
    if generation.url:
        key = key_of(generation)
        return RunningServers(tuple(VllmServer(url, key) for url in generation.url))
    folder = logs or Path(tempfile.mkdtemp(prefix="paretoflow-servers-"))
    log = folder / f"vllm-{socket.gethostname()}-{os.getpid()}.log"
    executable = require_executable(generation)
    words = [executable, "serve", *_arguments(model, lora)]
    return OwnServer(ServerCommand(words, environment(on_cpu=_on_cpu(model)), log))


def require_executable(generation: GenerationSpec) -> str:
    """Return the path of the vllm executable.

    Raises:
        ModelError: If it is not on this machine.
    """
    asked = generation.command or "vllm"
    found = shutil.which(Path(asked).expanduser() if "/" in asked else asked)
    if found is None:
        what = f"`{asked}` is no executable on this machine"
        hint = "install vLLM in a virtual environment of its own and name its bin/vllm there"
        raise ModelError(what, "model.generation.command", hint, code="model-server-start")
    return str(Path(found).absolute())


def sampler_on(
    servers: Servers, lm: LanguageModel, generation: GenerationSpec, texts: Sequence[str]
) -> VllmSampler:
    """Return a sampler on servers, once all of them answer and fit the sweep.

    Args:
        servers: The servers.
        lm: The base that they should serve.
        generation: The settings of sampling.
        texts: Every prompt of the sweep; the longest must fit.

    Raises:
        ModelError: If a server does not start, is away or unfit, or differs from the others.
    """
    try:
        ready = servers.ready()
    except WorkerError as error:
        raise ModelError(error.what, error.where, error.hint, code="model-server-start") from error
    facts = _common([(server, facts_of(server)) for server in ready])
    longest = max(map(len, encode(lm, texts)), default=0)
    if longest + generation.max_new_tokens > facts.window:
        what = f"the longest prompt has {longest} tokens and may be answered by "
        what += f"{generation.max_new_tokens}; the server takes {facts.window} in all"
        hint = "start it with a larger --max-model-len, or set data.max_prompt_tokens"
        raise ModelError(what, ready[0].root, hint, code="model-server")
    shared = generation.adapter_folder
    if shared is not None:
        Path(shared).mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="paretoflow-adapters-", dir=shared)).absolute()
    if shared is not None:
        home.chmod(0o755)  # servers of other users read it
    weakref.finalize(servers, shutil.rmtree, home, ignore_errors=True)
    return VllmSampler(servers, facts, home)


def try_out(
    sampler: VllmSampler,
    lm: LanguageModel,
    generation: GenerationSpec,
    texts: Sequence[str],
    lora: LoraSpec | None,
) -> None:
    """Let servers answer a few prompts, for the base and for a random adapter.

    Args:
        sampler: Samples on the servers.
        lm: The base.
        generation: The settings of sampling.
        texts: Some prompts.
        lora: The largest adapter of the sweep; None tries the base alone.

    Raises:
        ModelError: If the servers answer otherwise than the base or the adapter, or refuse them.
    """
    few = list(texts[:_TRIED]) or ["a"]
    tokens = min(_TRIED, generation.max_new_tokens)
    short = generation.model_copy(update={"max_new_tokens": tokens})
    asked = (lm, few, range(len(few)), short)
    try:
        for _ in sampler.sample(lm.model, *asked):
            pass
        if lora is None:
            return
        model = fresh_adapter(lm, lora, 0)
        try:
            _disturb(model)
            for _ in sampler.sample(model, *asked):
                pass
        finally:
            unload(model)
    except WorkerError as error:
        raise ModelError(error.what, error.where, error.hint, code="model-server-away") from error


def _disturb(model: PeftModel) -> None:
    """Give a fresh adapter an effect: as it is, its second factors are zero."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)


def _common(found: Sequence[tuple[VllmServer, ServerFacts]]) -> ServerFacts:
    """Return the facts that hold for all servers."""
    server, first = found[0]
    for other, facts in found[1:]:
        if (facts.version, facts.base) != (first.version, first.base):
            what = f"it is vLLM {facts.version} with {facts.base}, and {server.root} is vLLM "
            what += f"{first.version} with {first.base}; allowed: equal ones"
            hint = "start all with the same version and --served-model-name"
            raise ModelError(what, other.root, hint, code="model-server")
    return replace(first, window=min(facts.window for _, facts in found))


def _on_cpu(model: ModelSpec) -> bool:
    own = "cpu" if isinstance(model, EmbeddedModelSpec) else model.device
    return own == "cpu" or not torch.cuda.is_available()


def _arguments(model: ModelSpec, lora: LoraSpec) -> Iterator[str]:
    yield str(TINY_BASE_DIR) if isinstance(model, EmbeddedModelSpec) else model.path
    yield from ("--served-model-name", _BASE)
    if isinstance(model, EmbeddedModelSpec):
        yield from ("--dtype", "float32")
    else:
        yield from ("--dtype", model.dtype)
        yield from ("--revision", model.revision) if model.revision else ()
        yield from ("--trust-remote-code",) if model.trust_remote_code else ()
    rank = server_rank(rank_of(lora)) or RANKS[-1]
    yield from ("--enable-lora", "--max-lora-rank", str(rank), "--generation-config", "vllm")
    options: dict[str, str | bool | int | float] = {}
    if _on_cpu(model):
        # a prompt that is cut in two takes down the CPU engine if its request has a seed
        options["enable_chunked_prefill"] = False
    else:
        options["gpu_memory_utilization"] = _GPU_SHARE
    for name, value in (options | model.generation.options).items():
        word = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{word}" if value else f"--no-{word}"
        else:
            yield from (f"--{word}", str(value))


def environment(*, on_cpu: bool) -> Mapping[str, str]:
    """Return the variables of a server that the sweep starts."""
    env = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_NO_USAGE_STATS": "1"}
    if on_cpu:
        env["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "2")
    return env
