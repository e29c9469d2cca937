"""A real vLLM server on the CPU, on the loopback address; skipped where it is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel
    from paretoflow.lm.served.process import OwnServer
    from paretoflow.lm.served.sampler import VllmSampler

COMMAND = Path(__file__).with_name("vllm")
OPTIONS = {"enforce_eager": True, "max_model_len": 512}


@pytest.fixture(scope="session")
def command() -> str:
    """Return the path of the vllm executable."""
    if not (COMMAND.parents[2] / ".venv-vllm/bin/python").exists():
        pytest.skip("vLLM is not installed: make test-vllm")
    return str(COMMAND)


@pytest.fixture(scope="session")
def base() -> LanguageModel:
    """Return the embedded base."""
    import torch

    from paretoflow.lm.base import load_base
    from paretoflow.spec.models import EmbeddedModelSpec

    torch.set_num_threads(2)
    return load_base(EmbeddedModelSpec())


@pytest.fixture(scope="session")
def server(command: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Return a server of the embedded base for adapters up to rank 8."""
    from paretoflow.lm.served.process import OwnServer
    from paretoflow.lm.served.setup import servers_of
    from paretoflow.spec.models import EmbeddedModelSpec, GenerationSpec, LoraSpec

    own = GenerationSpec(engine="vllm", command=command, options=OPTIONS)
    logs = tmp_path_factory.mktemp("servers")
    found = servers_of(EmbeddedModelSpec(generation=own), LoraSpec(rank=8), logs)
    assert isinstance(found, OwnServer)
    found.ready()
    yield found
    found.close()


@pytest.fixture
def sampler_for(server: OwnServer, base: LanguageModel) -> Callable[..., VllmSampler]:
    """Return a function that puts a sampler on the server, as a sweep does."""
    from paretoflow.lm.served.setup import sampler_on
    from paretoflow.spec.models import GenerationSpec

    def found(texts: Any = ("a",), **settings: Any) -> VllmSampler:
        return sampler_on(server, base, GenerationSpec(engine="vllm", **settings), texts)

    return found
