"""Eval prompts that a run has nearly seen in training.

Measured on runs of five characters of the words alone (lower case, no punctuation, so that scripts
without spaces work too): two prompts are near when they share at least seven tenths of theirs. Runs
that more than a quarter of all prompts contain, for instance a template's words, do not count. The
search is exact: every eval prompt is compared with every other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from paretoflow.core.protocols import Prompt
from paretoflow.data.identity import normal_form

NEAR = 0.7
"""Share of the runs of either prompt that both have."""
_LENGTH = 5
_COMMON_SHARE, _COMMON_LEAST = 0.25, 8
_AT_ONCE = 64
_WORD = re.compile(r"\w+")
_BASE = np.uint64(0x9E3779B97F4A7C15)

Codes = NDArray[np.uint64]


def near_pairs(evals: Sequence[Prompt], others: Sequence[Prompt]) -> list[tuple[int, int]]:
    """Return each eval prompt that is near another prompt, with the nearest, as indices."""
    rows = [_codes(p.text) for p in (*evals, *others)]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    codes, columns = np.unique(np.concatenate([*rows, np.zeros(0, np.uint64)]), return_inverse=True)
    shape = (len(rows), len(codes))
    table = csr_array((np.ones(len(columns), np.int32), columns, starts), shape=shape)
    counts = np.bincount(columns, minlength=len(codes))
    table = table[:, counts <= max(_COMMON_LEAST, _COMMON_SHARE * len(rows))]
    own, rest = table[: len(evals)], table[len(evals) :]
    sizes = rest.sum(axis=1)
    found = []
    for start in range(0, len(evals), _AT_ONCE):
        shared = (own[start : start + _AT_ONCE] @ rest.T).toarray()
        either = own[start : start + _AT_ONCE].sum(axis=1)[:, None] + sizes - shared
        alike = shared / np.maximum(either, 1)
        for index in np.flatnonzero((alike >= NEAR).any(axis=1)).tolist():
            found.append((start + index, int(alike[index].argmax())))
    return found


def _codes(text: str) -> Codes:
    """Return a number for each distinct run of characters; a shorter text is one run."""
    words = " ".join(_WORD.findall(normal_form(text)))
    points = np.frombuffer(f"{words:{_LENGTH}}".encode("utf-32-le"), np.uint32).astype(np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(points, _LENGTH)
    code = np.zeros(len(runs), np.uint64)
    for column in range(_LENGTH):
        code = (code ^ runs[:, column]) * _BASE
        code ^= code >> np.uint64(29)
    return np.unique(code)
