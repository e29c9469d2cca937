"""The engine of generation of one worker: its own model, or servers that have been tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from paretoflow.core.errors import WorkerError
from paretoflow.data.prompts import PromptSets
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.spec.methods import CommandMethodSpec
from paretoflow.spec.served import largest_lora
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder

if TYPE_CHECKING:
    from paretoflow.lm.served.sampler import Servers, VllmSampler


class Elsewhere:
    """The engine of a worker that samples nothing: the first worker of its group does."""

    def sample(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse.

        Raises:
            WorkerError: Always.
        """
        raise WorkerError("only the first worker of a group samples answers with engine: vllm")


class Engine:
    """Opens the engine of a spec in two steps, so that servers start while the base loads.

    Args:
        spec: Spec of the sweep.
        root: The sweep's folder, for the logs of servers; None for none.
        first: Whether this is the first worker of its group.

    Raises:
        ModelError: If servers cannot be named or started here.
    """

    def __init__(self, spec: SweepSpec, root: Root | None, *, first: bool) -> None:
        self._spec, self._first = spec, first
        self._servers: Servers | None = None
        self._lora = largest_lora(spec.method, spec.model, spec.search)
        if first and spec.model.generation.engine == "vllm":
            from paretoflow.lm.served.setup import servers_of

            self._servers = servers_of(spec.model, self._lora, _logs(root))

    def sampler(self, lm: LanguageModel, prompts: PromptSets) -> tuple[Sampler, dict[str, str]]:
        """Return the engine for a base, tried on the sweep's prompts, and its version by name.

        Raises:
            ModelError: If servers do not start, or answer otherwise than the base and its adapters.
        """
        if self._spec.model.generation.engine == "hf":
            return HF, {}
        if self._servers is None:
            return Elsewhere(), {}
        found = self._tried(self._servers, lm, prompts)
        return found, {"vllm": found.facts.version}

    def _tried(self, servers: Servers, lm: LanguageModel, prompts: PromptSets) -> VllmSampler:
        from paretoflow.lm.served.setup import sampler_on, try_out

        spec, generation = self._spec, self._spec.model.generation
        texts = [p.text for p in (*prompts.eval, *prompts.validation, *prompts.train)]
        found = sampler_on(servers, lm, generation, texts)
        own = isinstance(spec.method, CommandMethodSpec)  # its adapters are the program's affair
        try_out(found, lm, generation, texts, None if own else self._lora)
        return found


def _logs(root: Root | None) -> Path | None:
    from paretoflow.lm.served.setup import LOG_FOLDER

    folder = None if root is None else as_folder(root).local
    return None if folder is None else folder / LOG_FOLDER
