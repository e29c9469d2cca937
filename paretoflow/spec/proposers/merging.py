"""Proposers that mix the adapters of a few trained runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec

MergeWay = Literal["cat", "svd", "factors", "peft_linear", "frank_wolfe", "ibcl"]
"""Kinds of merges: `cat` is exact, and ranks add; `svd` cuts that to `rank`; `factors` and
`peft_linear` average LoRA factors as older codes do, which is not the exact mix; `frank_wolfe`
finds coefficients by a loss on a few pairs; `ibcl` draws from posteriors over checkpoints."""


class MergingProposerSpec(Spec):
    """Fields of proposers of merges: a few runs are trained, all others mix their adapters."""

    experts: int | None = Field(None, ge=2)
    """Number of runs to train: corners first, then the weights farthest from all others. Unset: one
    per objective."""
    rank: int | None = Field(None, ge=1)
    """Rank that `how: svd` cuts mixes to; unset: that of `model.lora`."""


class SoupsProposerSpec(MergingProposerSpec):
    """Rewarded soups: train an expert for each objective, then mix their adapters on a grid.

    Merges train nothing and cost an evaluation each; they count as runs. Ramé et al. 2023, arXiv
    2306.04488.
    """

    type: Literal["soups"]
    points: int | None = Field(None, ge=1, le=10_000)
    """Number of mixtures beside the experts, from coarse to fine. Unset: the rest of
    `stop.runs`."""
    how: MergeWay = "cat"
    """Kind of merge: cat (exact), svd, factors, peft_linear, frank_wolfe or ibcl."""
    interval: float = Field(0.9, ge=0, lt=1)
    """For `ibcl`: probability of the intervals that mixtures are drawn from; 0 takes the mean."""


class MapProposerSpec(MergingProposerSpec):
    """MAP: mix experts at random, fit a quadratic to each objective, verify its predicted front.

    Merges train nothing and cost an evaluation each; they count as runs. Li et al. 2024, arXiv
    2406.07529.
    """

    type: Literal["map"]
    samples: int | None = Field(None, ge=1, le=10_000)
    """Number of mixtures that the quadratics are fitted to (in each pair, if nested). Unset: half
    the rest of `stop.runs`, but one to four for each coefficient of a quadratic."""
    verify: int | None = Field(None, ge=1)
    """Number of mixtures of the predicted front to evaluate. Unset: the rest of `stop.runs`."""
    variant: Literal["plain", "nested", "bayesian"] = "plain"
    """nested mixes in pairs up a tree, for many experts; bayesian chooses most samples where the
    fit is uncertain and promising."""
    how: Literal["cat", "svd"] = "cat"
    """Kind of merge: exact, or cut to `rank`."""
    logit: bool = False
    """Fit the logit of normalised scores: for ranges that are the scores' true bounds."""


class MergeScreenProposerSpec(Spec):
    """Mix experts, and train only where a trained run is expected to beat the best mixture.

    Experts are trained first. Merges train nothing and cost an evaluation each; they count as runs.
    """

    type: Literal["merge_screen"]
    initial: int | None = Field(None, ge=2)
    """Number of experts, corners first. Unset: one for each objective and one between; never fewer
    than one for each objective."""
    margin: float = Field(2.0, ge=0)
    """Required lead of a trained run, in standard errors of its predicted utility."""
