"""Facts about a vLLM server: its version, base and abilities, asked before anything is spent."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from paretoflow.core.errors import ModelError, WorkerError
from paretoflow.lm.served.client import ServerReply, VllmServer
from paretoflow.spec.models import GenerationSpec

LEAST = (0, 11)
"""Oldest version: earlier ones do not return token ids."""
WAIT_S = 10.0
"""Longest wait for an answer to a question of this module."""
_REFUSED = (401, 403)


@dataclass(frozen=True)
class ServerFacts:
    """Facts about a server.

    Args:
        version: vLLM's.
        base: Name under which it serves the base.
        root: Folder or hub id that it loaded the base from, as it says.
        window: Maximum tokens of prompt and answer together.
    """

    version: str
    base: str
    root: str
    window: int


def key_of(generation: GenerationSpec) -> str:
    """Return the servers' key; empty for none.

    Raises:
        ModelError: If it is to be in the environment, and is not.
    """
    name = generation.api_key_env
    key = os.environ.get(name, "").strip() if name else ""
    if name and not key:
        what = f"the environment variable {name} is not set; it holds the servers' key"
        hint = f"export {name}=... where the command and its workers run"
        raise ModelError(what, "model.generation.api_key_env", hint, code="model-server-key")
    return key


def facts_of(server: VllmServer) -> ServerFacts:
    """Return the facts of a server that a sweep can use.

    Raises:
        ModelError: If it is away, refuses the key, is too old or no vLLM, or allows no adapters to
            be loaded while it runs.
    """
    version = _version(server)
    models = _asked(server, "/v1/models")
    found = models.body.get("data") if isinstance(models.body, dict) else None
    bases = [m for m in found or () if isinstance(m, dict) and not m.get("parent")]
    if not bases or not isinstance(bases[0].get("max_model_len"), int):
        raise _unfit(server, f"lists no base model (HTTP {models.status})", "start it with a model")
    if _asked(server, "/v1/load_lora_adapter", {}).status in (404, 405):
        raise _unfit(
            server,
            "loads no adapters while it runs",
            "start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and --enable-lora",
        )
    base = bases[0]
    return ServerFacts(
        version, str(base["id"]), str(base.get("root") or base["id"]), base["max_model_len"]
    )


def _version(server: VllmServer) -> str:
    reply = _asked(server, "/version")
    version = str(reply.body.get("version", "")) if isinstance(reply.body, dict) else ""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if reply.status != 200 or numbers is None:
        raise _unfit(
            server,
            f"does not say its version of vLLM (HTTP {reply.status})",
            "name the address of a vLLM server in model.generation.url",
        )
    if (int(numbers[1]), int(numbers[2])) < LEAST:
        least = ".".join(map(str, LEAST))
        raise _unfit(server, f"is vLLM {version}; needed: {least} or later", "install a later one")
    return version


def _asked(server: VllmServer, path: str, body: dict[str, str] | None = None) -> ServerReply:
    try:
        reply = server.ask(path, body, WAIT_S)
    except WorkerError as error:
        hint = "start it, or correct model.generation.url"
        raise ModelError(error.what, error.where, hint, code="model-server-away") from error
    if reply.status in _REFUSED:
        what = f"the vLLM server refuses the key with HTTP status {reply.status}"
        hint = "correct it in the variable that model.generation.api_key_env names"
        raise ModelError(what, server.root, hint, code="model-server-key")
    return reply


def _unfit(server: VllmServer, what: str, hint: str) -> ModelError:
    return ModelError(f"the server {what}", server.root, hint, code="model-server")
