"""Sampling from the nucleus."""

from __future__ import annotations

import pytest
import torch

from paretoflow.lm.base import LanguageModel
from paretoflow.lm.generation import generate, nucleus
from paretoflow.spec.models import GenerationSpec

pytestmark = pytest.mark.train


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.3, 1), (0.6, 2), (0.79, 2), (0.9, 3), (1.0, 3)], ids=str
)
def test_the_fewest_tokens_that_hold_the_share_are_kept(top_p: float, kept: int) -> None:
    logits = torch.tensor([[0.3, 0.2, 0.5], [0.2, 0.5, 0.3]]).log()
    found = nucleus(logits, top_p)
    assert found.isfinite().sum(-1).tolist() == [kept, kept]
    assert found.argmax(-1).tolist() == [2, 1]
    assert (found[found.isfinite()] == logits[found.isfinite()]).all()


def test_a_narrow_nucleus_answers_as_temperature_0_does(tiny_lm: LanguageModel) -> None:
    def answers(**how: float) -> list[str]:
        gen = GenerationSpec(max_new_tokens=8, **how)
        return [a.text for a in generate(tiny_lm.model, tiny_lm, ["A dict"] * 3, range(3), gen)]

    assert answers(top_p=1e-6) == answers(temperature=0)
    assert answers(top_p=0.9) != answers(top_p=1e-6)
