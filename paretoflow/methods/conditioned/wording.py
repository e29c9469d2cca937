"""Goals and directions as words in a prompt.

The words stand before the prompt's last line, which in most formats says that the answer begins:
`Answer:`, or a chat's mark of the assistant. Near the answer a small model heeds them; before a
long prompt it did not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.conditioned.directions import direction_of
from paretoflow.methods.conditioned.goals import DECIMALS


def goals_prefix(names: Sequence[str], goals: FloatArray) -> str:
    """Return scores to reach as words: `<coverage> 1.2 <length> -0.3` and a line break."""
    parts = (f"<{n}> {g:.{DECIMALS}f}" for n, g in zip(names, goals, strict=True))
    return " ".join(parts) + "\n"


def direction_numbers(weights: FloatArray) -> list[int]:
    """Return a direction in whole hundredths. By hand: (0.5, 0.5) gives 71 and 71."""
    return [int(v) for v in np.round(100 * direction_of(weights))]


def direction_prefix(names: Sequence[str], weights: FloatArray) -> str:
    """Return a direction as words: `Weights: coverage 71, length 71.` and a line break."""
    pairs = zip(names, direction_numbers(weights), strict=True)
    return "Weights: " + ", ".join(f"{name} {number}" for name, number in pairs) + ".\n"


def put_before(prefix: str, text: str, bos: str | None) -> str:
    r"""Return a prompt with the words before its last line that is not empty.

    A prompt of one line has them before it, but behind a begin-of-text token that it opens with.

    By hand: `P` and a line break before `Question\nAnswer:` give `Question\nP\nAnswer:`.
    """
    cut = text.rstrip("\n").rfind("\n") + 1
    if cut == 0 and bos and text.startswith(bos):
        cut = len(bos)
    return text[:cut] + prefix + text[cut:]
