"""`empty_box`: constrained launches into the largest hypervolume gap; the default below m = 5."""

from __future__ import annotations

from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.boxes import Box, Landscape, Way, largest_box
from paretoflow.proposers.gaps import GapProposer
from paretoflow.proposers.ranges import scale_of
from paretoflow.proposers.wording import bounds, improve
from paretoflow.spec.proposers import EmptyBoxProposerSpec


class EmptyBoxProposer(GapProposer):
    """Fills the gaps of the front, the largest first.

    After the opening stage, each launch takes the largest box that the front leaves open and that
    earlier launches have not deleted (`boxes`). It starts from the point that is nearest to keeping
    the box's thresholds, and raises the target while the other objectives stay above the middle of
    the box, less the slack. Pending launches are expected to reach their aim, so that several
    worker groups spread out. Boxes narrower than the combined standard errors are skipped. When no
    box is left, weights far from all tried so far use up the budget.

    By hand: gains (0, 10), (4, 7), (9, 1) on ranges of 10, slack 0.05: the boxes hold 4 * 3 = 12
    and 5 * 6 = 30 hundredths of the normalised plane. The second box is longer in the second
    objective, which is halved: from (4, 7), raise the first, keeping the second at 4 - 0.5 = 3.5.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.

    References:
        Röpke et al. (2024), arXiv 2402.07182 (IPRO): boxes, and deletion on success or failure.
        Departures: the box of largest volume instead of the lower corner of largest improvement; a
        constrained launch instead of an achievement scalarisation; a deletion holds for one target,
        so that a box that training failed to fill from one side is tried from the other.
    """

    tag = "empty_box"

    def __init__(self, spec: EmptyBoxProposerSpec, *, m: int, runs: int) -> None:
        super().__init__(m, runs, spec.initial)
        self._slack = spec.slack

    def _filling(
        self, land: Landscape, history: History, asked: Asked, seed: int
    ) -> Proposal | None:
        """Return the launch into the largest box."""
        way = largest_box(land, self._slack)
        if way is None:
            return None
        return box_launch(way, land, history, seed_for(seed, asked), self.tag)

    def _no_gap(self, *, opening: bool) -> str:
        """Return the reason in words why no box is filled."""
        return "No gap to fill is known " + ("yet" if opening else "any more")


def starting_weights(box: Box) -> WeightVector:
    """Return the first weights of a launch into a box: half the target, half the gap's normal.

    The normal is inverse to the sides and values both ends of the gap equally; on a convex front
    the weights converge to it. On a concave front the normal alone would lead back to an end: the
    target keeps the run moving, and the dual controller keeps it above the thresholds.

    By hand: sides (.5, .25), the first as the target: (1, 0) / 2 + (1/3, 2/3) / 2 = (2/3, 1/3).
    """
    normal = 1 / box.side
    target = WeightVector.one_hot(len(normal), box.target).array
    return WeightVector.of(target + normal / normal.sum())


def box_launch(
    way: Way, land: Landscape, history: History, run_seed: int, proposer: str
) -> Proposal:
    """Return the constrained launch along a way into a box, with its reason."""
    box = way.box
    thresholds = history.nadir + way.thresholds * scale_of(history)
    parent = history.snapshot_ids[land.rows[way.parent]]
    gap = "A gap asked about before" if box.again else "The largest gap of the front"
    return Proposal(
        kind=LaunchKind.CONSTRAINED,
        weights=starting_weights(box),
        seed=run_seed,
        reason=f"{gap}, with {box.volume:.1%} of the ranges' hypervolume to win: starts from "
        f"{parent} and {improve(box.target, history.problem)}, keeping "
        f"{bounds(thresholds, box.target, history.problem)}.",
        proposer=proposer,
        parent=parent,
        target=box.target,
        thresholds=tuple(thresholds.tolist()),
        tag="box",
    )
