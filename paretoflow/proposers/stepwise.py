"""Base of the proposers that choose one launch after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from paretoflow.core.values import History, Proposal
from paretoflow.proposers.asked import AskedMemory, Choose, one_by_one


class StepwiseProposer(ABC):
    """A proposer that only defines the choice of one launch; see `core.protocols.Proposer`."""

    def __init__(self) -> None:
        self._memory = AskedMemory()

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return the next launches; fewer than `count` if the chooser returns None.

        Each is chosen as if those before it were pending already.
        """
        asked = self._memory.asked_of(history, pending)
        return one_by_one(self._chooser(history, seed), asked, pending, count)

    @abstractmethod
    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the function that chooses one launch; shared work is done here, once a request."""
