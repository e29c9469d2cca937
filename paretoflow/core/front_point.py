"""One point of a front, as commands, reports and exports show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.merge import Merge
from paretoflow.core.settings import Settings
from paretoflow.core.values import Proposal

DOUBTFUL = 0.25
"""A point is doubtful from this probability on that another point of the front beats it."""

_NUMBER_OF_CONDITION = re.compile(r"-c\d+$")


@dataclass(frozen=True)
class FrontPoint:
    """One non-dominated evaluation with its provenance; scores are raw.

    Args:
        evaluation: The point's scores and the path of its adapter.
        kind: Kind of its launch; `base` for the base model.
        weights: Weights that it was trained towards; where its adapter serves many preferences, the
            preference that it was conditioned on. None for the base model.
        cost: Cost of its whole run.
        doubt: Probability that one other point of the front is truly better or equal in every
            objective, estimated from the eval prompts. `rival` is the most likely such point.
    """

    evaluation: Evaluation
    kind: str
    weights: tuple[float, ...] | None
    proposal: Proposal | None
    cost: Cost
    doubt: float = 0.0
    rival: str = ""

    @property
    def snapshot_id(self) -> str:
        """Return the name of the checkpoint, as in stored tables and JSON."""
        return self.evaluation.snapshot_id

    @property
    def run_id(self) -> str:
        """Return the point's run; `base` for the base model."""
        return self.evaluation.run_id

    @property
    def step(self) -> int:
        """Return the optimiser step at which the checkpoint was saved."""
        return self.evaluation.step

    @property
    def scores(self) -> tuple[float, ...]:
        """Return the raw means over the eval prompts, length m."""
        return tuple(self.evaluation.scores.tolist())

    @property
    def stderr(self) -> tuple[float, ...]:
        """Return the standard error of each mean, length m."""
        return tuple(self.evaluation.stderr.tolist())

    @property
    def n(self) -> int:
        """Return the number of eval prompts."""
        return self.evaluation.n

    @property
    def path(self) -> str:
        """Return the adapter's folder relative to the sweep's root; empty for the base model.

        Points of one adapter with different conditions share its folder.
        """
        return self.evaluation.path

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the adapter's folder."""
        return self.evaluation.digest

    @property
    def diagnostics(self) -> Mapping[str, float]:
        """Return the extra measurements: `kl`, `length_tokens`, `ranking_accuracy` and others."""
        return self.evaluation.diagnostics

    @property
    def condition(self) -> Mapping[str, Any] | None:
        """Return the condition that selects this preference; None where the adapter serves one."""
        return self.evaluation.condition

    @property
    def checkpoint_id(self) -> str:
        """Return the name of the checkpoint; `snapshot_id` in stored tables and JSON."""
        return self.snapshot_id

    @property
    def doubtful(self) -> bool:
        """Check whether the doubt is large enough to report."""
        return self.doubt >= DOUBTFUL

    @property
    def adapter_name(self) -> str:
        """Return the adapter's name in an export; points of one adapter share it."""
        return _NUMBER_OF_CONDITION.sub("", self.snapshot_id)

    @property
    def settings(self) -> Settings:
        """Return the settings of its launch beside the weights; empty for none."""
        return self.proposal.settings if self.proposal else ()

    @property
    def merge(self) -> Merge | None:
        """Return the merge that made the point; None where it was trained."""
        return self.proposal.merge if self.proposal else None
