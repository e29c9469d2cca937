"""`reevaluate`: another proposer's launches, and re-evaluations of doubtful checkpoints."""

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
    """Spends a share of launches on evaluating checkpoints again, where that is most informative.

    All other launches are the inner proposer's, unchanged, and have its tag. The checkpoint with
    the largest (root of the chance to be wrong) x (hypervolume at stake) x (share of the standard
    error that one more draw removes) is evaluated again. Only checkpoints of ended runs are
    evaluated again. A checkpoint is skipped while an evaluation of it is pending, after `times`
    re-evaluations, without a standard error, and after a failed re-evaluation. An unused share is
    kept for later, when the front is crowded. The proposer ends when the inner proposer ends.

    By hand: with `share: 0.2` the fifth launch is the first that may re-evaluate, the tenth the
    second; if the fifth finds no checkpoint, the sixth may.

    Args:
        spec: Its options; `of` is resolved, not `auto`.
        m: Number of objectives.
        runs: Runs of the sweep.
        axes: Settings of the inner proposer's launches beside weights; the engine evaluates a
            checkpoint again with its former settings.

    References:
        Lee et al. 2010 (MOCBA), see `doubt.wrong_chances`. The weights by the hypervolume at stake
        and by the draws so far are ours, and so is the root: on simulated noisy fronts the chance
        itself favoured near twins, of which either may represent both, and was no better than
        evaluating all points in turn.
    """

    def __init__(
        self, spec: ReevaluateProposerSpec, *, m: int, runs: int, axes: Sequence[Axis] = ()
    ) -> None:
        super().__init__()
        self._spec = spec
        self._inner = build(spec.of, m=m, runs=runs, axes=axes)

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None if the inner proposer does."""
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
    """Worth of another evaluation of each checkpoint of a history."""

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
        """Return the most informative re-evaluation; None if none is informative enough."""
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
    """Return the scores of a row in words, for instance `coverage 0.81 ± 0.02, length 35 ± 1.4`."""
    scores = scores_of(history.gains[row], history.problem)
    return ", ".join(
        f"{name} {score:.4g} ± {error:.2g}"
        for name, score, error in zip(
            history.problem.names, scores, history.stderr[row], strict=True
        )
    )
