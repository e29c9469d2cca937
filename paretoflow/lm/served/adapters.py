"""An adapter on the servers for as long as it answers.

vLLM reads one rank and one scale for all modules, so the written copy is folded (`lm.folded`).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from peft import PeftModel

from paretoflow.core.errors import ModelError, ParetoflowError, WorkerError
from paretoflow.lm.adapters import save_adapter_files
from paretoflow.lm.folded import fold
from paretoflow.lm.served.client import ServerReply, VllmServer


@contextmanager
def on_servers(model: PeftModel, servers: Sequence[VllmServer], home: Path) -> Iterator[str]:
    """Yield the name of a model's adapter on all servers, which have it until the block ends.

    Args:
        model: A model whose adapter need not be saved.
        servers: Servers of its base.
        home: Folder that this process and the servers see.

    Raises:
        ModelError: If vLLM does not serve such an adapter, or a server refuses it.
        WorkerError: If a server is away.
    """
    name = f"paretoflow-{uuid.uuid4().hex}"
    folder = home / name
    taken: list[VllmServer] = []
    try:
        save_adapter_files(model, folder)
        rank = fold(folder)
        for server in servers:
            asked = {"lora_name": name, "lora_path": str(folder)}
            reply = server.reply("/v1/load_lora_adapter", asked)
            if reply.status != 200:
                raise _refusal(server, reply, rank) from reply.cause
            taken.append(server)
        yield name
    finally:
        for server in taken:
            with suppress(WorkerError):  # it is away, and the adapter with it
                server.ask("/v1/unload_lora_adapter", {"lora_name": name})
        shutil.rmtree(folder, ignore_errors=True)


def _refusal(server: VllmServer, reply: ServerReply, rank: int) -> ParetoflowError:
    if "max_lora_rank" in reply.told:  # with HTTP status 500 in some versions
        hint = f"start it with --max-lora-rank {rank} or more, or lower model.lora.rank"
    elif reply.status >= 500:
        return server.failure(f"fails with HTTP status {reply.status}: {reply.told}")
    elif reply.status == 404:
        hint = "set model.generation.adapter_folder to a folder that workers and servers see"
    else:
        hint = "start it with --enable-lora"
    what = f"the vLLM server does not take an adapter of rank {rank}: {reply.told}"
    return ModelError(what, server.root, hint, code="model-server")
