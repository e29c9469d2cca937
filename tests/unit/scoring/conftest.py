"""Prompts and a panel of two scorers that need no reference, for tests around the tiny base."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.objectives import ImportObjectiveSpec, LengthObjectiveSpec, ObjectiveSpec
from tests.conftest import TINY_TEXTS


class Letters:
    """Counts letters, and how often it was asked."""

    calls = 0

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        self.calls += 1
        return np.array([float(sum(ch.isalpha() for ch in c)) for c in completions])


class Length:
    """Counts characters."""

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        return np.array([float(len(c)) for c in completions])


@pytest.fixture
def prompts() -> tuple[Prompt, ...]:
    return tuple(Prompt(f"p{i}", text, reference="A type.") for i, text in enumerate(TINY_TEXTS))


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def panel(letters: Letters) -> ObjectivePanel:
    return ObjectivePanel(["letters", "length"], [letters, Length()])


@pytest.fixture
def objectives() -> tuple[ObjectiveSpec, ...]:
    """Return specs for the panel: letters to maximise, length to minimise."""
    return (
        ImportObjectiveSpec(type="import", name="letters", path="tests.letters:score"),
        LengthObjectiveSpec(type="length", name="length"),
    )
