"""Proposers choose the next launches, with reasons: pure functions of (history, pending, seed).

    lattice     a fixed lattice of weights, coarse to fine: the baseline
    dirichlet   corners, then draws from the simplex; the default from seven objectives on
    cmorl       C-MORL's two stages: weighted runs, then constrained extension of lonely policies
    cmorl_hv    the same extension, of the policies beside the largest gain in hypervolume
    ols         weights at the corners of the known points, where the bound leaves most to win
    gp_hvi      weights whose run a Gaussian process expects to add most, or a gap that adds more
    empty_box   constrained launches into the largest hypervolume gap; the default of long sweeps,
                and of five and six objectives
    psl         weights and settings of the Pareto set that a model of the runs expects
    svh_psl     the same, from particles that share gradients and repel each other
    pg_predict  continues policies where earlier continuations predict most gain, as PGMORL
    soups       experts for single objectives, then mixtures of their adapters on a grid
    map         experts, then mixtures that a quadratic fit of a few predicts to be the front
    merge_screen
                experts and their mixtures; trains only where that should beat all mixtures
    portfolio   several of the above; those with better launches choose more often; the default
                below five objectives, where the launch with the largest promise comes first
                (`lead`)
    reevaluate  another proposer's launches, and a share that evaluates doubtful checkpoints again

Shared modules: `stepwise` (one launch after another), `gaps` (opening, ends, gaps, spread),
`ranges` (gains in shares of the ranges), `asked` (the launches so far), `initial` (the weighted
stage that opens a sweep), `extremes` (ends of the front to train for again), `spread` (places far
from everything tried), `boxes` (gaps of the front), `wording` (reasons in words), `experts` (runs
to merge), `mixtures` (merge launches), `quadratics` (fits of merges), `gaussian` (a Gaussian
process for each objective), `kernels` (its covariance), `particles` (the Pareto set of such a
model), `configurations` (its inputs: weights with settings), `settings` (settings beside weights),
`doubt` (points that may be wrongly on the front, or off it), `belief` (expected outcomes at untried
weights), `corners` (bounds by weighted runs), `gain` (hypervolume that many points would add),
`improvements` (changes by continuations), `hyperbolas` (fits of these changes), `arms` (of a
portfolio), `lead` (promises of launches, before arms compete), `arrival` (whether runs have
converged at their end, and the gain of a further run).

When to stop: `outlook` (expected gain of a further run).

How to add one (the tag is the YAML `proposer.type` and the module's name):

1. Its options: a spec in `spec/proposers.py` with `type: Literal["<tag>"]`, in `ProposerSpec`.
2. Its code: `proposers/<tag>.py` with a class `(spec, *, m, runs)` that satisfies
   `core.protocols.Proposer`; one that also chooses settings takes `axes` and is in `SEARCHING`.
   Derive it from `stepwise.StepwiseProposer` and write the choice of one launch: then a batch
   spreads out just as single launches do.
3. One line in `TAGS` below.
4. One line in `SPECS` of `tests/contracts/test_proposers.py`, which then runs the suite on it.

Importing this package loads numpy and the specs; the first decision that needs a front loads pymoo.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from paretoflow.core.protocols import Proposer
from paretoflow.core.values import LaunchKind
from paretoflow.proposers.settings import DrawnSettings
from paretoflow.spec.proposers import (
    ArmSpec,
    AutoProposerSpec,
    CmorlHvProposerSpec,
    DirichletProposerSpec,
    EmptyBoxProposerSpec,
    GpHviProposerSpec,
    OlsProposerSpec,
    PgPredictProposerSpec,
    PortfolioProposerSpec,
    ProposerSpec,
    ReevaluateProposerSpec,
)
from paretoflow.spec.search import Axis

__all__ = ["TAGS", "build", "default_arms", "resolve_tag", "resolved"]

TAGS = {
    "cmorl": "paretoflow.proposers.cmorl:CmorlProposer",
    "cmorl_hv": "paretoflow.proposers.cmorl_hv:CmorlHvProposer",
    "dirichlet": "paretoflow.proposers.dirichlet:DirichletProposer",
    "empty_box": "paretoflow.proposers.empty_box:EmptyBoxProposer",
    "gp_hvi": "paretoflow.proposers.gp_hvi:GpHviProposer",
    "lattice": "paretoflow.proposers.lattice:LatticeProposer",
    "map": "paretoflow.proposers.map:MapProposer",
    "merge_screen": "paretoflow.proposers.merge_screen:MergeScreenProposer",
    "portfolio": "paretoflow.proposers.portfolio:PortfolioProposer",
    "psl": "paretoflow.proposers.psl:PslProposer",
    "reevaluate": "paretoflow.proposers.reevaluate:ReevaluateProposer",
    "ols": "paretoflow.proposers.ols:OlsProposer",
    "pg_predict": "paretoflow.proposers.pg_predict:PgPredictProposer",
    "soups": "paretoflow.proposers.soups:SoupsProposer",
    "svh_psl": "paretoflow.proposers.svh_psl:SvhPslProposer",
}
"""YAML tag to `module:Name`."""

SEARCHING = ("portfolio", "psl", "reevaluate", "svh_psl")
"""Tags of proposers that take `axes`: they choose settings, or their inner proposers may."""

MANY_OBJECTIVES = 5
"""Number of objectives from which pairs of points say little about gaps: plain draws do better."""
MOST_BOXED = 6
"""Number of objectives up to which gaps are still the best guide, and found within a second."""
LONG_SWEEP = 300
"""Number of runs beyond which a model takes too much time: gaps are then chosen by rule."""

ANY_LAUNCHES: tuple[str, ...] = tuple(LaunchKind)


def build(
    spec: ProposerSpec,
    *,
    m: int,
    runs: int,
    launches: Sequence[str] = ANY_LAUNCHES,
    axes: Sequence[Axis] = (),
) -> Proposer:
    """Build the proposer that the spec names.

    Args:
        spec: The sweep's proposer; `auto` is resolved by the number of objectives and the launches.
        m: Number of objectives.
        runs: Number of runs that the sweep may launch in all; `auto` depends on it, too.
        launches: Kinds of launch that the method supports.
        axes: Settings of launches beside weights; drawn evenly for a proposer of weights.
    """
    spec = resolved(spec, m, runs, launches)
    module, name = TAGS[spec.type].split(":")
    make = getattr(import_module(module), name)
    if spec.type in SEARCHING:
        searching: Proposer = make(spec, m=m, runs=runs, axes=axes)
        return searching
    proposer: Proposer = make(spec, m=m, runs=runs)
    return DrawnSettings(proposer, axes) if axes else proposer


def resolve_tag(
    spec: ProposerSpec, m: int, runs: int, launches: Sequence[str] = ANY_LAUNCHES
) -> str:
    """Return the tag of the proposer that `build` would build."""
    return resolved(spec, m, runs, launches).type


def default_arms(m: int, launches: Sequence[str] = ANY_LAUNCHES) -> tuple[ArmSpec, ...]:
    """Return the default arms of a portfolio for m objectives.

    The arms fail differently: a model of weights and gaps is right where runs end at their optimum;
    continuations help where runs were too short for that.
    """
    model = GpHviProposerSpec(type="gp_hvi")
    if m >= MANY_OBJECTIVES:
        return model, DirichletProposerSpec(type="dirichlet")
    if LaunchKind.CONSTRAINED not in launches:
        return model, OlsProposerSpec(type="ols")
    gaps, further = CmorlHvProposerSpec(type="cmorl_hv"), PgPredictProposerSpec(type="pg_predict")
    return model, gaps, further


def resolved(
    spec: ProposerSpec, m: int, runs: int, launches: Sequence[str] = ANY_LAUNCHES
) -> ProposerSpec:
    """Return the spec with `auto` and unset arms replaced, also inside other proposers."""
    if isinstance(spec, AutoProposerSpec):
        spec = _default(m, runs, launches, spec.lead)
    if isinstance(spec, ReevaluateProposerSpec):
        return spec.model_copy(update={"of": resolved(spec.of, m, runs, launches)})
    if isinstance(spec, PortfolioProposerSpec):
        arms = spec.arms or default_arms(m, launches)
        taken = tuple(resolved(arm, m, runs, launches) for arm in arms)
        return spec.model_copy(update={"arms": taken})
    if isinstance(spec, GpHviProposerSpec) and LaunchKind.CONSTRAINED not in launches:
        return spec.model_copy(update={"constrained": False})
    return spec


def _default(m: int, runs: int, launches: Sequence[str], lead: int) -> ProposerSpec:
    boxed = m < MANY_OBJECTIVES or (m <= MOST_BOXED and lead > 0)
    if not boxed or LaunchKind.CONSTRAINED not in launches:
        return DirichletProposerSpec(type="dirichlet")
    if runs > LONG_SWEEP or m >= MANY_OBJECTIVES:
        return EmptyBoxProposerSpec(type="empty_box")
    arms = default_arms(m)
    if lead:
        arms = (*arms, EmptyBoxProposerSpec(type="empty_box"))
    return PortfolioProposerSpec(type="portfolio", arms=arms, lead=lead)
