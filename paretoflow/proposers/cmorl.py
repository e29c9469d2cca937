"""`cmorl`: weighted runs, then rounds of constrained extension from policies chosen by crowding.

This faithful version is the control for other proposers of constrained launches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind, Proposal, WeightVector
from paretoflow.front.dominance import nondominated
from paretoflow.front.indicators import crowding_distance
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.initial import initial_count, initial_launch
from paretoflow.proposers.keeping import kept_so_far, slack_of
from paretoflow.proposers.ranges import scale_of
from paretoflow.proposers.spread import spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import bounds, improve
from paretoflow.spec.proposers import CmorlProposerSpec

_TAG = re.compile(r"round:(\d+):(.+)")
_BASE_ROW = -1

Hopeful = Callable[[str], Sequence[int]]
"""Maps a parent to the objectives that it may be extended in."""


@dataclass(frozen=True)
class Round:
    """One selection of policies, and the extensions launched from it.

    Args:
        number: Counts from 1.
        parents: Checkpoints selected together.
        asked: (parent, objective) pairs that are launched already.
    """

    number: int
    parents: tuple[str, ...]
    asked: frozenset[tuple[str, int]]

    def left(self, hopeful: Hopeful) -> list[tuple[str, int]]:
        """Return the extensions not launched yet, parent by parent, objective by objective.

        Args:
            hopeful: Maps a parent to the objectives that it may be extended in.
        """
        return [(p, i) for p in self.parents for i in hopeful(p) if (p, i) not in self.asked]


class CmorlProposer(StepwiseProposer):
    """C-MORL's two stages, asynchronous.

    A round selects `select` policies of the front, extremes first, then by crowding distance,
    skipping gains that were selected before, and extends each in every objective l: raise G_l
    subject to

        G_i >= G_i(parent) - slack * (ideal_i - nadir_i)    for i other than l,

    frozen at the parent. With `beta` the paper's own G_i >= beta * G_i(parent) takes its place.
    Beware: for a negative gain (any minimised score) `beta` *tightens* the bound beyond the
    parent, so that the parent itself is infeasible; near zero it leaves no room at all.

    By hand: gains (0, 10), (4, 7), (9, 1) on ranges of 10 with slack 0.05, `select: 2`: the
    extremes are (9, 1) in the first objective and (0, 10) in the second. (9, 1) extended in the
    second keeps the first at 9 - 0.5 = 8.5; (4, 7) is next in round two, being the only one left.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep; nothing depends on it.

    An extension is left out if similar launches did not keep their thresholds; see `keeping`.

    References:
        Liu et al. (2024), arXiv 2410.02236, sec. 5.1 to 5.3, alg. 1. Departures: no barrier (the
        next round is selected from the present front once all launches of the last one are made);
        additive slack unless `beta` is set; when every policy of the front was selected already,
        those extended longest ago are selected again with fresh seeds; the method
        keeps the constraint, by multipliers or by a barrier (`method.dual.form`), from half the
        parent's weights and half the target on.
    """

    def __init__(self, spec: CmorlProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._m = m
        self._initial = initial_count(m, spec.initial)
        self._select = spec.select
        self._slack = spec.slack
        self._beta = spec.beta

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None while all possible parents train."""
        rows = {name: row for row, name in enumerate(history.snapshot_ids)}

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            names = history.problem.names
            first = initial_launch(asked, self._initial, names, seed, "cmorl")
            if first is not None:
                return first
            hopeful = self._hopeful(history, rows)
            rounds = rounds_of(asked, rows)
            current = self._current(history, rounds, hopeful, waiting=bool(pending))
            if current is not None:
                pair = current.left(hopeful)[0]
                return self._extension(history, current, pair, seed_for(seed, asked))
            if pending:
                return None
            why = "No run gave a policy that is worth extending"
            return spread_launch(asked, names, seed, why, "cmorl")

        return choose

    def _current(
        self, history: History, rounds: list[Round], hopeful: Hopeful, *, waiting: bool
    ) -> Round | None:
        """Return the round with launches left, the last or a new one; None if there is none."""
        if rounds and rounds[-1].left(hopeful):
            return rounds[-1]
        ranked = [r for r in ranked_policies(history) if hopeful(history.snapshot_ids[r])]
        last_round = {
            _gains_key(history, _row(history, parent)): r.number
            for r in rounds
            for parent in r.parents
        }
        fresh = [row for row in ranked if _gains_key(history, row) not in last_round]
        if not fresh and not waiting:
            fresh = sorted(ranked, key=lambda row: last_round[_gains_key(history, row)])
        if not fresh:
            return None
        parents = tuple(history.snapshot_ids[row] for row in fresh[: self._select])
        return Round(rounds[-1].number + 1 if rounds else 1, parents, frozenset())

    def _extension(
        self, history: History, current: Round, pair: tuple[str, int], run_seed: int
    ) -> Proposal:
        parent, target = pair
        row = _row(history, parent)
        thresholds = self._thresholds(history, row, target)
        held = bounds(thresholds, target, history.problem)
        place = place_of(history, row)
        return Proposal(
            kind=LaunchKind.CONSTRAINED,
            weights=starting_weights(history, row, target),
            seed=run_seed,
            reason=f"Round {current.number}: extends {parent}, {place}: "
            f"{improve(target, history.problem)}, keeping {held}.",
            proposer="cmorl",
            parent=parent,
            target=target,
            thresholds=tuple(thresholds.tolist()),
            tag=f"round:{current.number}:{','.join(current.parents)}",
        )

    def _hopeful(self, history: History, rows: dict[str, int]) -> Hopeful:
        """Return a function from a parent to the objectives that it may be extended in.

        It leaves out objectives in which similar launches were in vain.
        """
        record, scale = kept_so_far(history), scale_of(history)

        def hopeful(parent: str) -> list[int]:
            row = rows[parent]
            kept = [self._thresholds(history, row, target) for target in range(self._m)]
            slacks = [slack_of((history.gains[row] - k) / scale, i) for i, k in enumerate(kept)]
            return [i for i, slack in enumerate(slacks) if not record.hopeless(i, slack)]

        return hopeful

    def _thresholds(self, history: History, row: int, target: int) -> FloatArray:
        gains = history.gains[row]
        if self._beta is not None:
            kept = self._beta * gains
        else:
            kept = gains - self._slack * (history.ideal - history.nadir)
        kept[target] = gains[target]
        return np.asarray(kept, dtype=np.float64)


def rounds_of(asked: Asked, rows: dict[str, int]) -> list[Round]:
    """Return the rounds of extension that the launches so far belong to, in order.

    Args:
        asked: Every launch so far.
        rows: Row of each checkpoint in the history; a parent without a row is left out.
    """
    parents: dict[int, tuple[str, ...]] = {}
    extended: dict[int, set[tuple[str, int]]] = {}
    for proposal in asked.constrained():
        match = _TAG.fullmatch(proposal.tag) if proposal.proposer == "cmorl" else None
        if match and proposal.parent is not None and proposal.target is not None:
            number = int(match[1])
            parents[number] = tuple(p for p in match[2].split(",") if p in rows)
            extended.setdefault(number, set()).add((proposal.parent, proposal.target))
    return [Round(n, parents[n], frozenset(extended[n])) for n in sorted(parents)]


def ranked_policies(history: History) -> list[int]:
    """Return the rows of the front's trained policies, the best of each objective first.

    The others follow by crowding distance. The base model counts as a neighbour on the front, but
    is not extended. If it dominates every run, the front of the runs alone is used.
    """
    front: IntArray = history.front
    if not (history.run_index[front] != _BASE_ROW).any():
        trained = np.flatnonzero(history.run_index != _BASE_ROW)
        front = trained[nondominated(history.gains[trained])]
    if not len(front):
        return []
    crowding = crowding_distance(history.gains[front])
    trained = np.flatnonzero(history.run_index[front] != _BASE_ROW)
    extremes = trained[history.gains[front[trained]].argmax(axis=0)]
    by_crowding = trained[np.argsort(-crowding[trained], kind="stable")]
    order = dict.fromkeys([*extremes.tolist(), *by_crowding.tolist()])
    return [int(front[place]) for place in order]


def starting_weights(history: History, row: int, target: int) -> WeightVector:
    """Return the first weights of an extension: half the parent's weights, half the target."""
    m = history.problem.m
    run = int(history.run_index[row])
    parent = history.runs[run].proposal.weights.array if run >= 0 else np.full(m, 1 / m)
    return WeightVector.of(parent + WeightVector.one_hot(m, target).array)


def place_of(history: History, row: int) -> str:
    """Return the reason in words why a policy was selected."""
    best = history.gains[history.front].max(axis=0)
    leads = np.flatnonzero(history.gains[row] == best)
    names = [history.problem.names[i] for i in leads]
    return f"the front's best in {' and '.join(names)}" if names else "which has few neighbours"


def _row(history: History, snapshot: str) -> int:
    return history.snapshot_ids.index(snapshot)


def _gains_key(history: History, row: int) -> tuple[float, ...]:
    return tuple(history.gains[row].tolist())
