"""Proposers that learn the whole Pareto set of run configurations: weights and settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class SetProposerSpec(Spec):
    """Fields of proposers of learnt Pareto sets; without a `search` block they learn weights."""

    initial: int | None = Field(None, ge=1)
    """Weighted runs before the model, corners first; unset: corners, centre and two per axis."""
    optimism: float = Field(0.5, ge=0, le=1000)
    """Optimism of predictions: standard deviations added to the mean."""
    redraw: bool = False
    """Whether runs on the front may be evaluated with other decoding (`temperature`, `top_p` of
    `search`), which gives points without training."""


class PslProposerSpec(SetProposerSpec):
    """Pareto set learning: the configuration of the learnt set that adds the most hypervolume.

    A Gaussian process for each objective, over weights and the settings of `search`. Lin et al.
    2022, arXiv 2210.08495.
    """

    type: Literal["psl"]
    inner: Literal["psl", "nsga3", "moead"] = "psl"
    """Solver of the model's Pareto set: a descent for each preference, or pymoo's NSGA-III or
    MOEA/D, which take longer."""


class SvhPslProposerSpec(SetProposerSpec):
    """`psl` whose configurations share gradients and repel each other, by a Stein kernel.

    Nguyen et al. 2024, arXiv 2412.17312.
    """

    type: Literal["svh_psl"]
