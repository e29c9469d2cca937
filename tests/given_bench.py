"""Small data of people: the answers of `method_bench` in pairs, labelled or rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from paretoflow.core.candidates import Given
from paretoflow.core.values import IntArray
from tests.method_bench import NAMES, make_context

if TYPE_CHECKING:
    from paretoflow.core.protocols import Candidates
    from paretoflow.lm.base import LanguageModel
    from paretoflow.methods.training.context import MethodContext


def labels_of(candidates: Candidates) -> IntArray:
    """Return labels of the pairs (0, 1) and (2, 3) of each prompt, shape (2 P, m).


    Each objective prefers the answer that it scores higher. The first labels all pairs, the second
    every other pair and the third those of the last two prompts, so that some pairs have one label
    and others labels that disagree.
    """
    apart = candidates.gains[:, 0::2] - candidates.gains[:, 1::2]
    signs = np.sign(apart).astype(np.int64).reshape(-1, candidates.gains.shape[-1])
    rows = np.arange(len(signs))
    signs[rows % 2 == 1, 1] = 0
    signs[rows < len(signs) - 4, 2] = 0
    return signs


def labelled_context(
    lm: LanguageModel, columns: Sequence[int] = (0, 1, 2), *, scored: bool = False
) -> MethodContext:
    """Return a context whose table holds labelled pairs, with the chosen objectives.

    Args:
        lm: The base.
        columns: Columns of the objectives.
        scored: Whether the answers are scored as well.
    """
    context = make_context(lm, columns)
    whole = make_context(lm).candidates
    labels = labels_of(whole)[:, list(columns)]
    kept = np.flatnonzero(labels.any(axis=1))
    own = context.candidates
    places = [(int(row) // 2, 2 * (int(row) % 2)) for row in kept]
    gains = np.stack([own.gains[p, a : a + 2] for p, a in places])
    gains = gains if scored else np.zeros_like(gains)
    candidates = replace(
        own,
        prompts=tuple(own.prompts[p] for p, _ in places),
        completions=tuple(own.completions[p][a : a + 2] for p, a in places),
        completion_ids=tuple(own.completion_ids[p][a : a + 2] for p, a in places),
        prompt_ids=tuple(own.prompt_ids[p] for p, _ in places),
        gains=gains,
        ref_logprobs=np.stack([own.ref_logprobs[p, a : a + 2] for p, a in places]),
        given=Given(len(kept), 1.0, tuple(NAMES[c] for c in columns), labels[kept], scored=scored),
        counts=np.full(len(kept), 2),
    )
    return replace(context, candidates=candidates)
