"""`portfolio`: several proposers take turns; those with better launches choose more often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from paretoflow.core.protocols import Proposer
from paretoflow.core.values import History, Proposal
from paretoflow.proposers import build
from paretoflow.proposers.arms import (
    PORTFOLIO,
    RestoredRuns,
    arm_of,
    outcomes_of,
    restored,
    signed,
    worths,
)
from paretoflow.proposers.arrival import ends_of
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.improvements import still_rising
from paretoflow.proposers.initial import SPARE_SHARE, initial_count, initial_launch
from paretoflow.proposers.lead import CONTINUING, GAPS, MODEL, Prospects
from paretoflow.proposers.settings import drawn
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.spec.proposers import PortfolioProposerSpec
from paretoflow.spec.search import Axis


class PortfolioProposer(StepwiseProposer):
    """Chooses the proposer of each launch by a bandit: hypervolume added by its launches per cost.

    The opening stage belongs to no arm; every later launch is an arm's. For each arm a worth is
    drawn from its ended launches (`arms`), and the arm with the highest draw chooses. If it
    proposes nothing, the next arm chooses, unless the first waits for the opening. While
    continuations do not improve policies (`improvements.still_rising`), the arm that continues
    policies comes last. Before any continuation, it may make one launch at a time.

    The first `lead` launches after the opening are those with the largest promise instead (`lead`):
    arms of which nothing is known would take turns at random for most of a small budget.

    Recent launches count more, as the best arm changes while a front fills. An arm sees all
    launches, its own and the others', as if their proposers had taken turns. Its launches have the
    tag `<arm>|<its own tag>`.

    By hand: see `arms.worths`.

    Args:
        spec: Its options; `arms` is set.
        m: Number of objectives.
        runs: Runs of the sweep.
        axes: Settings of launches beside weights.

    References:
        See `arms.worths`.
    """

    def __init__(
        self, spec: PortfolioProposerSpec, *, m: int, runs: int, axes: Sequence[Axis] = ()
    ) -> None:
        super().__init__()
        arms = spec.arms or ()
        self._arms: dict[str, Proposer] = {
            arm.type: build(arm, m=m, runs=runs, axes=axes) for arm in arms
        }
        self._axes = axes
        self._discount = spec.discount
        self._lead = spec.lead
        self._initial = initial_count(m, spec.initial)
        self._spare = max(self._initial, runs // SPARE_SHARE)
        self._restored = RestoredRuns()

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None if no arm proposes one."""
        names = history.problem.names
        outcomes = cache(lambda: outcomes_of(history))
        seen = self._restored.of(history)
        rising = cache(lambda: still_rising(seen))
        rises = cache(lambda: ends_of(seen).rising)

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._initial, names, seed, PORTFOLIO)
            if first is not None:
                return drawn(first, self._axes, len(asked), seed)
            leads = len(asked) < self._initial + self._lead
            opening = any(p.tag == "initial" for p in pending)
            if leads and (not opening or len(seen.runs) >= self._initial):
                prospects = Prospects(seen, asked, [*map(restored, pending)], seed)
                promised = prospects.best(self._arms)
                if promised is not None:
                    launch = signed(promised.proposal, promised.arm, promised.why)
                    return drawn(launch, self._axes, len(asked), seed)
            known = {o.arm for o in outcomes()}
            draws = worths(
                outcomes(), tuple(self._arms), self._discount, seed_for(seed, asked), PORTFOLIO
            )
            idle: list[str] = []
            held = CONTINUING if self._is_held(rising(), pending) else ""
            leader = (GAPS if rises() else MODEL) if leads else ""
            for arm in sorted(draws, key=lambda arm: (arm != leader, arm == held, -draws[arm])):
                chosen = self._arms[arm].propose(seen, [*map(restored, pending)], 1, seed)
                if chosen:
                    why = _LEADS[arm] if arm == leader else _why(arm, draws, known, idle)
                    return signed(chosen[0], arm, why)
                if opening and len(asked) >= self._spare:
                    return None  # the arm waits for the opening and keeps its turn
                idle.append(arm)
            return None

        return choose

    def _is_held(self, rising: bool | None, pending: Sequence[Proposal]) -> bool:
        """Return whether the arm that continues policies comes last."""
        if rising is None:
            return any(arm_of(p) == CONTINUING for p in pending)
        return not rising


_LEADS = {
    MODEL: f"{MODEL} leads while little is known",
    GAPS: f"{GAPS} leads while little is known and runs end before they arrive",
}


def _why(arm: str, draws: Mapping[str, float], known: set[str], idle: Sequence[str]) -> str:
    """Return the reason in words why an arm was drawn."""
    if idle:
        return f"{arm} is next, as {' and '.join(idle)} had nothing to propose"
    if arm not in known:
        return f"{arm} is drawn, as nothing is known of its launches yet"
    return f"{arm} is drawn, which may add {draws[arm]:.2%} of the ranges' hypervolume a run"
