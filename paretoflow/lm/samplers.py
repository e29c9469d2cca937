"""The seam of generation: whatever samples answers of the base, and of adapters on it.

The shared stage, evaluations, the dual controller's looks and `confirm` sample through a `Sampler`.
Methods that sample in training do not: they need the model's own steps.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Protocol

from transformers import PreTrainedModel

from paretoflow.lm import generation
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.generation import Answer
from paretoflow.spec.models import GenerationSpec


class Sampler(Protocol):
    """Samples answers: one engine of generation."""

    def sample(
        self,
        model: PreTrainedModel,
        lm: LanguageModel,
        prompts: Sequence[str],
        seeds: Sequence[int],
        gen: GenerationSpec,
        known: Container[int] = (),
    ) -> Iterator[tuple[list[int], list[Answer]]]:
        """Sample one answer for each prompt: yield indices of prompts, and the answers to them.

        Args:
            model: The base, or a PEFT model on it; its adapter need not be saved.
            lm: The base with its tokenizer.
            prompts: As text; one may occur more than once, with different seeds.
            seeds: One for each prompt. An answer depends on model, prompt, seed and settings alone.
            gen: How to sample.
            known: Indices of prompts with an answer; a batch of only these is skipped.

        Raises:
            DataError: If a prompt is empty, or has no room left for `gen.max_new_tokens`.
            ModelError: If the engine does not serve the model.
            WorkerError: If the engine is away.
        """
        ...


HF: Sampler = generation
"""The exact reference: the worker's own model and the token loop of `generation.sample`."""
