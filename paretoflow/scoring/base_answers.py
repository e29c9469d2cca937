"""Give the base's answers to the objectives that compare with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import ComparesWithBase, Objective, Prompt
from paretoflow.lm.generation import Answer

Sampling = Callable[[Sequence[str], Sequence[int]], list[Answer]]
"""Samples one answer of the base for each text, with a seed for each."""


def give_base_answers(
    objectives: Sequence[Objective], prompts: Sequence[Prompt], seed: int, sampled: Sampling
) -> None:
    """Sample an answer of the base to each prompt, once, where an objective compares with them.

    Args:
        objectives: All scorers.
        prompts: Every prompt that is to be scored.
        seed: That of evaluations, so that the base's own evaluation has the same answers.
        sampled: Samples them.
    """
    comparing = [o for o in objectives if isinstance(o, ComparesWithBase) and o.wants_base]
    if not comparing:
        return
    distinct = list({prompt.prompt_id: prompt for prompt in prompts}.values())
    seeds = [seed_of(seed, prompt.prompt_id) for prompt in distinct]
    answers = sampled([prompt.text for prompt in distinct], seeds)
    told = {p.prompt_id: answer.text for p, answer in zip(distinct, answers, strict=True)}
    for objective in comparing:
        objective.compare_with(told)
