"""The contract of a sampler, held by a real vLLM server against the exact reference."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from paretoflow.core.errors import WorkerError
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.messages import Cause
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.folded import fold
from paretoflow.lm.generation import Answer, cut_off, in_order
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.lm.served.facts import facts_of
from paretoflow.lm.served.process import OwnServer, ServerCommand
from paretoflow.lm.served.sampler import VllmSampler
from paretoflow.lm.served.setup import try_out
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.faults import raises

pytestmark = [pytest.mark.vllm, pytest.mark.train]
SamplerFor = Callable[..., VllmSampler]

WORDS = ("dict", "list", "set", "bytes", "tuple", "range", "int", "float", "str", "bool", "file",
         "path", "loop", "class", "code", "test")  # fmt: skip
TEXTS = [
    f"Document: The {word} type is part of Python. It holds {other} values.\n"
    f"Question: What is {word}?\nAnswer:"
    for word in WORDS
    for other in ("no", "two")
]
GREEDY = GenerationSpec(max_new_tokens=16, temperature=0, batch_size=16)
DRAWN = GenerationSpec(max_new_tokens=16, temperature=1.6, batch_size=16)


def answers(
    sampler: Sampler,
    lm: LanguageModel,
    gen: GenerationSpec,
    model: Any = None,
    seeds: Sequence[int] = range(len(TEXTS)),
) -> list[Answer]:
    return in_order(sampler.sample(model or lm.model, lm, TEXTS, seeds, gen))


def same(one: Sequence[Answer], other: Sequence[Answer]) -> float:
    return float(np.mean([a.token_ids == b.token_ids for a, b in zip(one, other, strict=True)]))


@contextmanager
def disturbed(lm: LanguageModel, lora: LoraSpec, std: float = 0.05) -> Iterator[PeftModel]:
    """Yield a model with an adapter that has an effect, as a trained one's."""
    model = fresh_adapter(lm, lora, 0)
    with torch.no_grad():
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=std)
    try:
        yield model
    finally:
        unload(model)


def test_greedy_answers_are_those_of_the_reference(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    ours, exact = answers(sampler_for(TEXTS), base, GREEDY), answers(HF, base, GREEDY)
    assert same(ours, exact) >= 0.95
    for a, b in zip(ours, exact, strict=True):
        if a.token_ids == b.token_ids:
            assert a.text == b.text
            assert a.logprob == pytest.approx(b.logprob, abs=1e-2)
            assert a.topk == pytest.approx(b.topk, abs=1e-3)
            assert cut_off(a, base, GREEDY) == cut_off(b, base, GREEDY)


def test_an_answer_depends_on_its_prompt_and_seed_alone(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    sampler = sampler_for(TEXTS)
    whole = answers(sampler, base, DRAWN)
    few = [30, 4, 17, 4]
    small = DRAWN.model_copy(update={"batch_size": 3})
    alone = in_order(sampler.sample(base.model, base, [TEXTS[i] for i in few], few, small))
    assert [a.token_ids for a in alone] == [whole[i].token_ids for i in few]
    assert same(whole, answers(sampler, base, DRAWN, seeds=range(100, 100 + len(TEXTS)))) < 0.5


def test_checkpoints_share_the_noise_of_a_prompt(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    sampler, others = sampler_for(TEXTS), range(100, 100 + len(TEXTS))
    plain = answers(sampler, base, DRAWN)
    with disturbed(base, LoraSpec(rank=4), std=0.002) as model:
        near = answers(sampler, base, DRAWN, model)
        apart = answers(sampler, base, DRAWN, model, others)
    assert same(plain, near) > 0.5 > same(plain, apart)


def test_drawn_answers_agree_with_the_reference_in_distribution(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    ours, exact = answers(sampler_for(TEXTS), base, DRAWN), answers(HF, base, DRAWN)
    for told in (lambda a: a.tokens, lambda a: a.logprob / a.tokens, lambda a: a.topk[0]):
        x, y = np.array([told(a) for a in ours]), np.array([told(a) for a in exact])
        error = np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
        assert abs(x.mean() - y.mean()) < 4 * error


@pytest.mark.parametrize(
    "lora",
    [
        LoraSpec(rank=8, alpha=16),
        LoraSpec(rank=4, alpha=40, ranks={"q_proj": 2, "down_proj": 8}),
        LoraSpec(rank=4, alpha=8, rslora=True),
        LoraSpec(rank=2, targets=("q_proj", "v_proj"), peft={"alpha_pattern": {"v_proj": 16}}),
    ],
)
def test_an_adapter_answers_as_it_is_trained(
    sampler_for: SamplerFor, base: LanguageModel, lora: LoraSpec
) -> None:
    sampler, plain = sampler_for(TEXTS), answers(HF, base, GREEDY)
    with disturbed(base, lora) as model:
        ours, exact = answers(sampler, base, GREEDY, model), answers(HF, base, GREEDY, model)
    assert same(exact, plain) < 0.9, "the adapter does nothing"
    assert same(ours, exact) >= 0.9
    assert not list(sampler.home.iterdir()), "an adapter is left behind"
    models = sampler.servers.ready()[0].ask("/v1/models").body["data"]
    assert [m["id"] for m in models] == [sampler.facts.base]


def test_stop_texts_end_answers_as_the_reference_ends_them(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    gen = GREEDY.model_copy(update={"stop": (".", "type is", base.tokenizer.eos_token)})
    ours, exact = answers(sampler_for(TEXTS), base, gen), answers(HF, base, gen)
    assert same(ours, exact) >= 0.95
    assert np.mean([a.text == b.text for a, b in zip(ours, exact, strict=True)]) >= 0.95
    assert not any("." in a.text for a in ours)


def test_a_server_of_another_model_is_found_at_its_first_answers(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    other = deepcopy(base.model)
    with torch.no_grad():
        torch.manual_seed(0)
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter) * parameter.std() * 0.3)
    changed = replace(base, model=other)
    with raises("model-server", "log-probability"):
        try_out(sampler_for(TEXTS), changed, DRAWN, TEXTS, None)


def test_an_adapter_that_a_server_does_not_apply_is_found(
    sampler_for: SamplerFor, base: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def bare(*_: Any) -> Iterator[str]:
        yield "base"

    sampler = sampler_for(TEXTS)
    try_out(sampler, base, DRAWN, TEXTS, LoraSpec(rank=8))
    monkeypatch.setattr("paretoflow.lm.served.sampler.on_servers", bare)
    with raises("model-server", "log-probability"):
        try_out(sampler, base, DRAWN, TEXTS, LoraSpec(rank=8))


def test_a_rank_above_the_servers_is_refused_by_name(
    sampler_for: SamplerFor, base: LanguageModel
) -> None:
    with raises("model-server", "rank 16", "--max-lora-rank 16"):
        try_out(sampler_for(TEXTS), base, DRAWN, TEXTS, LoraSpec(rank=16))


def test_a_folder_that_the_server_does_not_see_is_told(
    sampler_for: SamplerFor, base: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = sampler_for(TEXTS)

    def hidden(folder: Path) -> int:
        rank: int = fold(folder)
        (folder / "adapter_config.json").unlink()
        folder.rename(folder.with_name("hidden"))
        return rank

    monkeypatch.setattr("paretoflow.lm.served.adapters.fold", hidden)
    with raises("model-server", "adapter_folder"):
        try_out(sampler, base, DRAWN, TEXTS, LoraSpec(rank=8))


def test_a_window_that_is_too_small_is_refused_before_anything_is_sampled(
    sampler_for: SamplerFor,
) -> None:
    with raises("model-server", "512"):
        sampler_for(TEXTS, max_new_tokens=500)


def test_a_server_that_dies_is_an_outage_and_is_started_again(
    server: OwnServer, sampler_for: SamplerFor, base: LanguageModel
) -> None:
    sampler = sampler_for(TEXTS)
    before = answers(sampler, base, GREEDY)
    long = DRAWN.model_copy(update={"temperature": 2.0, "max_new_tokens": 200})
    asked = (base.model, base, TEXTS * 8, range(8 * len(TEXTS)), long)
    Timer(2.0, os.killpg, (server.pid, signal.SIGKILL)).start()
    with pytest.raises(WorkerError) as caught:
        list(sampler.sample(*asked))
    assert failure_of(caught.value).cause is Cause.OUTAGE
    assert same(before, answers(sampler, base, GREEDY)) == 1.0


def test_a_server_that_takes_no_adapters(command: str, tmp_path: Path) -> None:
    from paretoflow.embedded import TINY_BASE_DIR

    words = [command, "serve", str(TINY_BASE_DIR), "--dtype", "float32", "--enforce-eager"]
    server = OwnServer(ServerCommand(words, {"VLLM_CPU_KVCACHE_SPACE": "1"}, tmp_path / "log"))
    try:
        (found,) = server.ready()
        with raises("model-server", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
            facts_of(found)
        with raises("model-server-key"):
            facts_of(replace(found, key="another"))
    finally:
        server.close()
