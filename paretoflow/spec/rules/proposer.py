"""Rules for proposers: nested ones, requirements of their launches, numbers of runs."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from paretoflow.spec.capabilities import BEYOND_WEIGHTED, BY_ANY_METHOD, CAPABILITIES
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.nested import innermost, nested
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers import (
    LatticeProposerSpec,
    MergingProposerSpec,
    PortfolioProposerSpec,
    ProposerSpec,
    ReevaluateProposerSpec,
    SoupsProposerSpec,
)
from paretoflow.spec.proposers.surrogates import MOST_CORNERED, OlsProposerSpec
from paretoflow.spec.shape import KeyPath

MOST_POINTS = 10_000
"""Maximum points of a lattice, which are sorted before the first launch."""


def _sizes(draft: Draft) -> Iterator[Fault]:
    if draft.proposer is None or draft.stop is None or len(draft.objectives) < 2:
        return
    yield from size_faults(draft.proposer, len(draft.objectives), draft.stop.runs)


def size_faults(proposer: ProposerSpec, m: int, runs: int) -> Iterator[Fault]:
    """Yield faults of proposers that take too many corners or points for so many objectives.

    Args:
        proposer: The proposer with those within it.
        m: Number of objectives, at least 2.
        runs: Runs of the sweep.
    """
    for place, inner in nested(proposer):
        if isinstance(inner, OlsProposerSpec) and m > MOST_CORNERED:
            what = f"got ols with {m} objectives; allowed: at most {MOST_CORNERED}"
            yield Fault((*place, "type"), what, "choose gp_hvi or dirichlet")
        elif isinstance(inner, LatticeProposerSpec):
            yield from _lattice(inner, place, m, runs)


def _lattice(proposer: LatticeProposerSpec, place: KeyPath, m: int, runs: int) -> Iterator[Fault]:
    divisions = proposer.divisions
    if divisions is None and runs > MOST_POINTS:
        what = f"got {runs} runs on a lattice; allowed: at most {MOST_POINTS}"
        yield Fault((*place, "type"), what, "lower stop.runs, or choose dirichlet")
    if divisions is not None and comb(divisions + m - 1, m - 1) > MOST_POINTS:
        what = f"got {divisions} divisions of {m} objectives; allowed: few enough that the "
        what += f"lattice has at most {MOST_POINTS} points"
        hint = "lower it, remove it to fit stop.runs, or choose dirichlet"
        yield Fault((*place, "divisions"), what, hint)


def _initial_runs(draft: Draft) -> Iterator[Fault]:
    if draft.stop is None or draft.proposer is None:
        return
    place, proposer = innermost(draft.proposer)
    initial = getattr(proposer, "initial", None)
    if initial is not None and initial > draft.stop.runs:
        what = f"got {initial} initial runs; allowed: at most stop.runs, {draft.stop.runs}"
        yield Fault((*place, "initial"), what, "raise stop.runs, or start with fewer")


def _launches(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of a proposer whose launches the method does not take."""
    if draft.method is None or draft.proposer is None:
        return
    tag = draft.method.type
    capabilities = CAPABILITIES[tag]
    point = capabilities.serves == "point"
    for place, proposer in nested(draft.proposer):
        kind = BEYOND_WEIGHTED.get(proposer.type)
        if getattr(proposer, "redraw", False):  # a redraw is a merge of one adapter
            kind = "merge"
        if kind is None or (point and kind in (*BY_ANY_METHOD, *capabilities.launches)):
            continue
        takes = f"{tag} takes {' and '.join(capabilities.launches)} ones"
        why = "" if point else ", since one artifact of it serves all preferences"
        what = f"got {proposer.type}, which needs {kind} launches; {takes}{why}"
        yield Fault((*place, "type"), what, "remove it, or choose lattice or dirichlet")


def _merges(draft: Draft) -> Iterator[Fault]:
    """Yield faults of a proposer of merges: experts, rank, and needs of the kind of merge."""
    if draft.proposer is None:
        return
    place, proposer = innermost(draft.proposer)
    if not isinstance(proposer, MergingProposerSpec):
        return
    experts = proposer.experts or max(len(draft.objectives), 2)
    if draft.stop is not None and experts >= draft.stop.runs:
        what = f"got {experts} experts; allowed: fewer than stop.runs, {draft.stop.runs}, since "
        what += "mixtures are runs too"
        key = "type" if proposer.experts is None else "experts"
        yield Fault((*place, key), what, "raise stop.runs, or train fewer")
    how = getattr(proposer, "how", "")
    if proposer.rank is not None and how != "svd":
        what = f"got rank {proposer.rank} with how: {how}; allowed: with how: svd, which cuts to it"
        yield Fault((*place, "rank"), what, "write `how: svd`, or remove this")
    if isinstance(proposer, SoupsProposerSpec):
        yield from _soups(draft, proposer, place)


def _soups(draft: Draft, proposer: SoupsProposerSpec, place: KeyPath) -> Iterator[Fault]:
    if proposer.how == "ibcl" and draft.method is not None:
        every = draft.method.checkpoint_every
        if every is None or every >= draft.method.steps:
            what = "`ibcl` mixes posteriors over the checkpoints of a run, and a run has only one"
            yield Fault((*place, "how"), what, "set method.checkpoint_every")
    cold = draft.model is not None and draft.model.generation.temperature == 0
    if proposer.how == "frank_wolfe" and cold:
        what = "`frank_wolfe` compares the base's answers to a prompt, and at temperature 0 all "
        what += "of them are the same"
        hint = "set model.generation.temperature, for instance to 1.0, or merge otherwise"
        yield Fault((*place, "how"), what, hint)


def _second_looks(draft: Draft) -> Iterator[Fault]:
    """Yield faults of a proposer of second looks: one within another, or deterministic answers."""
    proposer = draft.proposer
    if not isinstance(proposer, ReevaluateProposerSpec):
        return
    if isinstance(proposer.of, ReevaluateProposerSpec):
        what = "got reevaluate within reevaluate; allowed: any other proposer"
        yield Fault(("proposer", "of"), what, "raise the share of the outer one instead")
    if draft.model is not None and draft.model.generation.temperature == 0:
        what = "at temperature 0 a checkpoint gives the same answers again, so nothing is learnt"
        hint = "1.0 samples the model as it is; or take the inner proposer alone"
        yield Fault(("model", "generation", "temperature"), what, hint)


def _distinct_arms(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of an arm that occurs twice: the two could not be distinguished."""
    place, proposer = innermost(draft.proposer) if draft.proposer else ((), None)
    if not isinstance(proposer, PortfolioProposerSpec):
        return
    tags = [arm.type for arm in proposer.arms or ()]
    for index, tag in enumerate(tags):
        if tag in tags[:index]:
            what = f"got {tag} twice; allowed: each proposer once, as launches are told by its tag"
            yield Fault((*place, "arms", index), what, "remove one of them")


RULES: tuple[Rule, ...] = (
    _sizes, _initial_runs, _launches, _merges, _second_looks, _distinct_arms,
)  # fmt: skip
