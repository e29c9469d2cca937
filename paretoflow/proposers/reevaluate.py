"""`reevaluate`: another proposer's launches, and between them a second look at what is doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from paretoflow.core.status import RunStatus
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.front.orient import scores_of
from paretoflow.proposers import build
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.doubt import Doubts
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.spec.proposers import ReevaluateProposerSpec
from paretoflow.spec.search import Axis

ROUNDING = 1e-9


class ReevaluateProposer(StepwiseProposer):
    """Spends a share of launches on evaluating checkpoints again, where that tells most.

    Every launch but these is the inner proposer's, as it would have been, and bears its tag. The
    next look goes where (root of the chance to be wrong) x (hypervolume at stake) x (share of the
    standard error that one more draw takes off) is largest. Only checkpoints of ended runs are
    looked at again, none while it is evaluated already, none more than `times` times, none without
    a standard error, and none whose look failed. A share that nothing was worth is kept for later,
    when the front is crowded; with the inner proposer at its end, so is this one.

    By hand: with `share: 0.2` the fifth launch is the first that may look again, the tenth the
    second; had the fifth nothing to look at, the sixth may.

    Args:
        spec: Its knobs; `of` is resolved, not `auto`.
        m: Number of objectives.
        runs: Runs of the sweep.
        axes: What the inner proposer's launches set beside weights; what is looked at again is
            asked as it was before, by the engine.

    References:
        Lee et al. 2010 (MOCBA), see `doubt.wrong_chances`. Weighting by the hypervolume at stake
        and by the draws there are is ours, and so is the root: on simulated noisy fronts the chance
        itself went to near twins, of which either may stand for both, and was no better than
        looking at all points in turn.
    """

    def __init__(
        self, spec: ReevaluateProposerSpec, *, m: int, runs: int, axes: Sequence[Axis] = ()
    ) -> None:
        super().__init__()
        self._spec = spec
        self._inner = build(spec.of, m=m, runs=runs, axes=axes)

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return how one launch is chosen; none where the inner proposer waits or has ended."""
        looks = _Looks(history)

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            spent = looks.ended + sum(p.kind is LaunchKind.REEVALUATE for p in pending)
            if spent + 1 <= self._spec.share * (len(asked) + 1) + ROUNDING:
                look = looks.next(pending, self._spec.times, seed_for(seed, asked))
                if look is not None:
                    return look
            return next(iter(self._inner.propose(history, pending, 1, seed)), None)

        return choose


class _Looks:
    """What another look at each checkpoint of a history would be worth."""

    def __init__(self, history: History) -> None:
        self._history = history
        again = [r for r in history.runs if r.proposal.kind is LaunchKind.REEVALUATE]
        self.ended = len(again)
        self._times = Counter(r.proposal.parent for r in again)
        self._failed = {r.proposal.parent for r in again if r.status is RunStatus.FAILED}

    @cached_property
    def _doubts(self) -> Doubts:
        return Doubts.of(self._history)

    def next(self, pending: Sequence[Proposal], times: int, run_seed: int) -> Proposal | None:
        """Return the look that tells most; None when none tells enough."""
        doubts, history = self._doubts, self._history
        names = [history.snapshot_ids[row] for row in doubts.rows.tolist()]
        draws = np.array([1 + self._times[name] for name in names])
        busy = {p.parent for p in pending if p.kind is LaunchKind.REEVALUATE} | self._failed
        may = (history.run_index[doubts.rows] >= 0) & (draws <= times)
        may &= np.array([name not in busy for name in names], dtype=np.bool_)
        sharper = 1 - np.sqrt(draws / (draws + 1))
        worth = np.where(may, np.sqrt(doubts.wrong) * doubts.stake * sharper, 0.0)
        if not worth.any():
            return None
        return self._launch(int(worth.argmax()), run_seed)

    def _launch(self, place: int, run_seed: int) -> Proposal:
        doubts, history = self._doubts, self._history
        row = int(doubts.rows[place])
        snapshot = history.snapshot_ids[row]
        taken = "is on the front" if doubts.on_front[place] else "is dominated"
        reason = (
            f"Evaluates {snapshot} again, at {_seen(history, row)}: that it {taken} is wrong with "
            f"a chance of {doubts.wrong[place]:.0%}, and {doubts.stake[place]:.2%} of the ranges' "
            "hypervolume depend on its scores."
        )
        return Proposal(
            kind=LaunchKind.REEVALUATE,
            weights=history.runs[history.run_index[row]].proposal.weights,
            seed=run_seed,
            reason=reason,
            proposer="reevaluate",
            parent=snapshot,
            tag="doubt",
        )


def _seen(history: History, row: int) -> str:
    """Return for instance `coverage 0.81 ± 0.02, length 35 ± 1.4`."""
    scores = scores_of(history.gains[row], history.problem)
    return ", ".join(
        f"{name} {score:.4g} ± {error:.2g}"
        for name, score, error in zip(
            history.problem.names, scores, history.stderr[row], strict=True
        )
    )
