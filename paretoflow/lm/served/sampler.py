"""Sample on vLLM servers.

The servers get token ids and answer with token ids, so prompts, special tokens, stop texts and the
limit of length are those of `hf`. Each request has the seed of its prompt: two checkpoints share
the noise of a prompt, as with `hf`, but it is the server's noise, so answers differ from those of
`hf` unless the temperature is 0.

Log-probabilities come from the worker's own model, in one pass over the answers. They are the
reference of losses, and a server's kernels round otherwise. The server's own are compared with
them, always: a server with another base, or an adapter that is applied otherwise, is found at the
first answers.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from peft import PeftModel
from transformers import PreTrainedModel

from paretoflow.core.errors import ModelError
from paretoflow.lm.base import LanguageModel, decode, encode
from paretoflow.lm.generation import Answer, batches_of, check_room
from paretoflow.lm.logprobs import rated
from paretoflow.lm.served.adapters import on_servers
from paretoflow.lm.served.client import VllmServer
from paretoflow.lm.served.facts import ServerFacts
from paretoflow.lm.stops import StopTexts
from paretoflow.spec.models import GenerationSpec

APART = 0.1
"""Largest mean difference of a token's log-probability, in nats, between server and worker.

docs/guides/generation.md has the measured ones.
"""
_LARGEST_SEED = 2**63


class Servers(Protocol):
    """The servers of a sweep, or of one worker group."""

    def ready(self) -> Sequence[VllmServer]:
        """Return the servers, all of which run; start again what has ended.

        Raises:
            WorkerError: If one does not start.
        """
        ...


@dataclass(frozen=True)
class _Drawn:
    """An answer as a server gives it: its tokens, and the sum of their log-probabilities."""

    token_ids: list[int]
    logprob: float


@dataclass(frozen=True)
class VllmSampler:
    """A `Sampler` over servers that all serve the sweep's base.

    Args:
        servers: They share the prompts evenly.
        facts: Facts that hold for each of them.
        home: Folder that this process and the servers see; adapters lie in it while they answer.
    """

    servers: Servers
    facts: ServerFacts
    home: Path

    def sample(
        self,
        model: PreTrainedModel,
        lm: LanguageModel,
        prompts: Sequence[str],
        seeds: Sequence[int],
        gen: GenerationSpec,
        known: Container[int] = (),
    ) -> Iterator[tuple[list[int], list[Answer]]]:
        """Sample one answer for each prompt; see `Sampler`.

        Raises:
            DataError: If a prompt is empty, or has no room left for `gen.max_new_tokens`.
            ModelError: If the servers answer otherwise than the model, or refuse a request.
            WorkerError: If a server is away.
        """
        ids = encode(lm, prompts)
        check_room(lm, ids, gen.max_new_tokens)
        batches = [b for b in batches_of(ids, gen.batch_size) if any(i not in known for i in b)]
        if not batches:
            return
        servers = self.servers.ready()
        with self._name(model, servers) as name, _pool(gen.batch_size * len(servers)) as pool:
            asked: dict[int, Future[_Drawn]] = {}
            for number, row in enumerate(row for batch in batches for row in batch):
                body = _body(name, ids[row], seeds[row], gen, lm)
                asked[row] = pool.submit(_drawn, servers[number % len(servers)], body)
            for batch in batches:
                started = time.perf_counter()
                drawn = [asked[row].result() for row in batch]
                answers = self._answers(model, lm, [ids[row] for row in batch], drawn, gen)
                seconds = (time.perf_counter() - started) / len(batch)
                yield batch, [replace(answer, seconds=seconds) for answer in answers]

    @contextmanager
    def _name(self, model: PreTrainedModel, servers: Sequence[VllmServer]) -> Iterator[str]:
        """Yield the name under which the servers serve a model."""
        if not isinstance(model, PeftModel):
            yield self.facts.base
            return
        with on_servers(model, servers, self.home) as name:
            yield name

    def _answers(
        self,
        model: PreTrainedModel,
        lm: LanguageModel,
        prompts: Sequence[Sequence[int]],
        drawn: Sequence[_Drawn],
        gen: GenerationSpec,
    ) -> list[Answer]:
        stops = StopTexts.of(lm, gen)
        whole = rated(model, lm, prompts, [each.token_ids for each in drawn])
        self._require_same(drawn, [logprob for logprob, _ in whole])
        cut = [stops.cut(each.token_ids) for each in drawn]
        if any(len(short) < len(each.token_ids) for short, each in zip(cut, drawn, strict=True)):
            whole = rated(model, lm, prompts, cut)
        return [
            Answer(stops.before(decode(lm, prompt, ids)), tuple(ids), logprob, topk)
            for prompt, ids, (logprob, topk) in zip(prompts, cut, whole, strict=True)
        ]

    def _require_same(self, drawn: Sequence[_Drawn], own: Sequence[float]) -> None:
        """Refuse answers of another model than the one that was asked for."""
        theirs = np.array([each.logprob for each in drawn])
        lengths = np.array([len(each.token_ids) for each in drawn])
        apart = float(np.abs(theirs - np.array(own)).sum() / lengths.sum())
        if not apart <= APART:
            what = "the servers answer otherwise than the sweep's base or its adapter: a token's "
            what += f"log-probability differs by {apart:.3g} nats in the mean; allowed: {APART}"
            hint = "serve the very base of model.path, in its precision, with logprobs_mode raw"
            raise ModelError(what, "model.generation", hint, code="model-server")


@contextmanager
def _pool(width: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that does not begin what is no longer asked for."""
    pool = ThreadPoolExecutor(width)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _body(
    name: str, ids: Sequence[int], seed: int, gen: GenerationSpec, lm: LanguageModel
) -> Mapping[str, Any]:
    """Return a request whose answer depends on no default of a server or of its model's folder."""
    return {
        "model": name,
        "prompt": list(ids),
        "max_tokens": gen.max_new_tokens,
        "temperature": gen.temperature,
        "top_p": gen.top_p if gen.temperature else 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "ignore_eos": True,  # the worker's own ends count, which the next line names
        "stop_token_ids": sorted(lm.eos_ids),
        "stop": list(gen.stop),
        "skip_special_tokens": False,  # a special token may be a stop text
        "logprobs": 0,
        "return_token_ids": True,
        **({"seed": seed % _LARGEST_SEED} if gen.temperature else {}),
    }


def _drawn(server: VllmServer, body: Mapping[str, Any]) -> _Drawn:
    reply = server.ask("/v1/completions", body)
    if reply.status != 200:
        what = f"the vLLM server refuses a request with HTTP status {reply.status}: {reply.told}"
        raise ModelError(what, server.root, "see the server's log", code="model-server")
    choice = reply.body["choices"][0]
    logprobs = choice["logprobs"]["token_logprobs"] if choice["logprobs"] else []
    ids = choice["token_ids"]
    if not ids or len(logprobs) != len(ids):
        raise server.failure(f"gives up on an answer ({choice['finish_reason']})")
    return _Drawn(ids, float(sum(logprobs)))
