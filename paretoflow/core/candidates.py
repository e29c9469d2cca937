"""What is asked, and what the base answered: the material that all runs of a sweep learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from paretoflow.core.values import FloatArray, IntArray

Standard = Literal["prompt", "global", "none"]
"""In what units objectives are weighed against each other.

prompt: standard deviations of the answers to one prompt, the same unit for all prompts, counted
from the prompt's mean; global: standard deviations over the answers to all prompts; none: as
scored.
"""

_NOTHING = 1e-9
"""Objectives whose answers to a prompt differ by less, relative to their size, do not differ."""


@dataclass(frozen=True)
class Prompt:
    """One row of the common prompt schema that every data source is brought into.

    Args:
        prompt_id: Content-derived and stable.
        text: The rendered prompt, ending where the answer begins.
        reference: Reference answer; empty when there is none.
        passages: Texts that the answer may draw on.
        messages: The chat turns that `text` was rendered from; empty for a plain prompt.
        extra: Any other column that the user's own objective may want.
    """

    prompt_id: str
    text: str
    reference: str = ""
    passages: tuple[str, ...] = ()
    messages: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidates:
    """The base's scored answers to the train prompts, which every run learns from.

    Sampled and scored once per sweep: P prompts with C answers each; empty answers are kept.

    Args:
        prompts: Length P.
        completions: Answer texts, P rows of C, stripped at both ends, no end-of-text token.
        completion_ids: Token ids of each answer, with the end-of-text token if the model gave one.
        prompt_ids: Token ids of each prompt.
        gains: Oriented scores, shape (P, C, m).
        mean: Mean gain over all candidates, shape (m,); frozen for the sweep.
        std: Standard deviation likewise, at least 1e-8.
        ref_logprobs: Sum of the base's log-probabilities over each answer's ids, shape (P, C).
        standard: The units of `standardised`.

    By hand, `prompt`: two prompts, one objective, gains (0, 2) and (10, 14): means 1 and 12,
    squared distances 1 + 1 + 4 + 4 over 2 (2 - 1) degrees of freedom, unit sqrt(5). `global`: mean
    6.5, unit 5.7227, so that most of the unit is how prompts differ, which no pair has.
    """

    prompts: tuple[Prompt, ...]
    completions: tuple[tuple[str, ...], ...]
    completion_ids: tuple[tuple[tuple[int, ...], ...], ...]
    prompt_ids: tuple[tuple[int, ...], ...]
    gains: FloatArray
    mean: FloatArray
    std: FloatArray
    ref_logprobs: FloatArray
    standard: Standard = "global"

    @property
    def standardised(self) -> FloatArray:
        """Return the gains in the units of `standard`, shape (P, C, m)."""
        return self.in_standard(self.gains, np.arange(len(self.gains)))

    def in_standard(self, gains: FloatArray, rows: IntArray) -> FloatArray:
        """Return what answers scored, in the units of `standard`.

        Args:
            gains: Of answers to the prompts of `rows`, shape (n, ..., m).
            rows: Indices of their prompts, shape (n,).
        """
        centre = self._centres()[rows]
        shape = (len(gains), *(1,) * (gains.ndim - 2), gains.shape[-1])
        return np.asarray((gains - centre.reshape(shape)) / self.unit, dtype=np.float64)

    @property
    def unit(self) -> FloatArray:
        """Return what one of `standard` is in gains, shape (m,), positive.

        Of an objective that no two answers to a prompt differ in, `prompt` is as `global`.
        """
        if self.standard == "none":
            return np.ones_like(self.std)
        if self.standard == "global":
            return self.std
        count, each, _ = self.gains.shape
        apart = self.gains - self.gains.mean(axis=1, keepdims=True)
        within = np.sqrt(np.square(apart).sum(axis=(0, 1)) / max(count * (each - 1), 1))
        nothing = within <= _NOTHING * np.abs(self.gains).max(axis=(0, 1), initial=0.0)
        return np.asarray(np.where(nothing, self.std, within), dtype=np.float64)

    def _centres(self) -> FloatArray:
        """Return what gains are counted from, shape (P, m)."""
        count, _, m = self.gains.shape
        if self.standard == "prompt":
            return np.asarray(self.gains.mean(axis=1), dtype=np.float64)
        centre = self.mean if self.standard == "global" else np.zeros(m)
        return np.asarray(np.broadcast_to(centre, (count, m)), dtype=np.float64)
