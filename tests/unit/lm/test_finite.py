from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from paretoflow.core.errors import ModelError
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.conftest import TINY_TEXTS
from tests.faults import raises

pytestmark = pytest.mark.train
GEN = GenerationSpec(max_new_tokens=4, batch_size=3)


@contextmanager
def damaged(lm: LanguageModel, name: str, value: float) -> Iterator[None]:
    """Put a value into a weight for the time of the block."""
    weight = lm.model.get_parameter(name)
    before = weight.detach().clone()
    with torch.no_grad():
        weight.view(-1)[:5] = value
    try:
        yield
    finally:
        with torch.no_grad():
            weight.copy_(before)


@pytest.mark.parametrize("gen", [GEN, GEN.model_copy(update={"temperature": 0.0})])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.layers.0.mlp.up_proj.weight", float("nan")),
        ("model.norm.weight", float("inf")),
        ("model.layers.1.self_attn.v_proj.weight", float("-inf")),
        ("model.layers.1.mlp.down_proj.weight", 3e38),  # finite weights, logits that are not
    ],
)
def test_nothing_is_sampled_from_logits_that_are_not_finite(
    name: str, value: float, gen: GenerationSpec, tiny_lm: LanguageModel
) -> None:
    with damaged(tiny_lm, name, value), pytest.raises(ModelError) as caught:
        generate(tiny_lm.model, tiny_lm, TINY_TEXTS, [0, 1, 2, 3], gen)
    assert "not finite at token 1 of the answer to prompt" in caught.value.what
    assert caught.value.where == "tiny"
    generate(tiny_lm.model, tiny_lm, TINY_TEXTS, [0, 1, 2, 3], gen)


def test_of_a_trained_model_the_run_fails_and_is_not_tried_again(tiny_lm: LanguageModel) -> None:
    model = fresh_adapter(tiny_lm, LoraSpec(rank=2), seed=0)
    try:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.fill_(float("nan"))
        with raises("training-not-finite", "token 1") as caught:
            generate(model, tiny_lm, TINY_TEXTS, [0, 1, 2, 3], GEN)
        ids = encode(tiny_lm, TINY_TEXTS)
        with raises("training-not-finite", "answer 0", "4"):
            sequence_logprobs(model, tiny_lm, ids, [(3, 4)] * 4, 2)
    finally:
        unload(model)
    assert not failure_of(caught.value).retryable


def test_a_later_token_is_found_too(tiny_lm: LanguageModel) -> None:
    head, steps = tiny_lm.model.get_output_embeddings(), []

    def spoil(layer: object, given: object, logits: torch.Tensor) -> torch.Tensor:
        steps.append(1)
        return logits * float("nan") if len(steps) == 3 else logits

    hook = head.register_forward_hook(spoil)
    try:
        with raises("model-not-finite", "token 3"):
            generate(tiny_lm.model, tiny_lm, TINY_TEXTS[:2], [5, 6], GEN)
    finally:
        hook.remove()


def test_the_likelihood_of_a_given_answer_must_be_finite(tiny_lm: LanguageModel) -> None:
    ids = encode(tiny_lm, TINY_TEXTS)
    with (
        damaged(tiny_lm, "model.norm.weight", float("nan")),
        raises("model-not-finite", "answer 0", "4"),
    ):
        sequence_logprobs(tiny_lm.model, tiny_lm, ids, [(3, 4), (5,), (), (6,)], 2)


def test_tokens_that_a_model_rules_out_are_no_fault(tiny_lm: LanguageModel) -> None:
    head, ruled_out = tiny_lm.model.get_output_embeddings(), torch.arange(40, 90)

    def rule_out(layer: object, given: object, logits: torch.Tensor) -> torch.Tensor:
        return logits.index_fill(-1, ruled_out, float("-inf"))

    hook = head.register_forward_hook(rule_out)
    try:
        answers = generate(tiny_lm.model, tiny_lm, TINY_TEXTS, [0, 1, 2, 3], GEN)
    finally:
        hook.remove()
    assert not {t for a in answers for t in a.token_ids} & set(ruled_out.tolist())


def test_an_online_run_fails_at_the_step_that_samples(
    tiny_lm: LanguageModel, tmp_path: Path
) -> None:
    from paretoflow.spec.methods import GrpoMethodSpec, IpoMdMethodSpec
    from tests.method_bench import make_context, train, weighted

    context = make_context(tiny_lm)
    shared = {"steps": 1, "batch_size": 4, "learning_rate": 1e-3}
    online = GrpoMethodSpec(type="grpo", generations=2, **shared)
    mixture = IpoMdMethodSpec(type="ipo_md", **shared)
    with damaged(tiny_lm, "model.layers.0.mlp.up_proj.weight", float("nan")):
        for spec in (online, mixture):
            with raises("training-not-finite", "step 1"):
                train(context, spec, weighted(0.5, 0.3, 0.2), tmp_path)
