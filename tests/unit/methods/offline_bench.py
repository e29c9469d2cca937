"""Scored answers made of nothing but their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.protocols import Candidates, Prompt


def candidates(gains: Sequence[Sequence[Sequence[float]]], ids=None) -> Candidates:
    """Return a table with mean 0 and deviation 1, so that gains are their own standardised form."""
    array = np.array(gains, dtype=np.float64)
    rows, count, m = array.shape
    distinct = tuple(tuple((10 + c, 2) for c in range(count)) for _ in range(rows))
    return Candidates(
        prompts=tuple(Prompt(str(i), f"prompt {i}") for i in range(rows)),
        completions=tuple(tuple(str(c) for c in range(count)) for _ in range(rows)),
        completion_ids=distinct if ids is None else ids,
        prompt_ids=tuple((5, i) for i in range(rows)),
        gains=array,
        mean=np.zeros(m),
        std=np.ones(m),
        ref_logprobs=-np.arange(rows * count, dtype=np.float64).reshape(rows, count),
    )
