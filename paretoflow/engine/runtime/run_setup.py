"""What a launch is executed with: a method and an evaluator, with its settings in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from paretoflow.core.protocols import Method
from paretoflow.core.settings import Settings
from paretoflow.core.values import LaunchKind, Proposal
from paretoflow.methods import build
from paretoflow.methods.merging.method import MergeMethod
from paretoflow.methods.objective_subset import narrowed
from paretoflow.methods.training.context import MethodContext
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.signals import ASSUMED_BETA
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.search import Fitted, fitted
from paretoflow.spec.sweep import SweepSpec


@dataclass(frozen=True)
class RunSetup:
    """What one launch is executed with.

    Args:
        method: Trains it, or merges.
        spec: The method's knobs, with the launch's settings in them.
        evaluator: Scores its checkpoints.
        decoding: How answers are drawn where the launch says so; empty where the sweep does.
    """

    method: Method
    spec: MethodSpec
    evaluator: Evaluator
    decoding: Mapping[str, float | int]


class RunSetups:
    """Holds the sweep's own method, and builds another for a launch with settings of its own.

    Settings of decoding reach the evaluations only: the base's answers, what an online method
    samples and the dual controller's looks are drawn as the sweep says.

    Args:
        context: The collaborators of the sweep's method.
        evaluator: Scores as the sweep says.

    Raises:
        SpecError: If the method's knobs contradict each other.
    """

    def __init__(self, spec: SweepSpec, context: MethodContext, evaluator: Evaluator) -> None:
        self._spec = spec
        self._context = context
        self._evaluator = evaluator
        self._merging = narrowed(MergeMethod, context)
        self._latest = self._parts(()), build(spec.method, context)

    def setup_for(self, proposal: Proposal) -> RunSetup:
        """Return what a launch is executed with.

        Raises:
            SpecError: If its settings and the method's other knobs contradict each other.
        """
        parts = self._parts(proposal.settings)
        plain = self._spec.model.generation
        decoding = {
            name: value
            for name, value in parts.generation.model_dump().items()
            if value != getattr(plain, name)
        }
        merges = proposal.kind is LaunchKind.MERGE
        method = self._merging if merges else self._method(parts)
        return RunSetup(method, parts.method, self._scoring(parts), decoding)

    def evaluator_for(self, settings: Settings) -> Evaluator:
        """Return what scores a checkpoint whose launch had these settings.

        Raises:
            SpecError: If they and the method's other knobs contradict each other.
        """
        return self._scoring(self._parts(settings))

    def _scoring(self, parts: Fitted) -> Evaluator:
        beta = getattr(parts.method, "beta", 0) or ASSUMED_BETA
        return replace(self._evaluator, generation=parts.generation, beta=beta)

    def _parts(self, settings: Settings) -> Fitted:
        return fitted(self._spec.method, self._spec.model, settings)

    def _method(self, parts: Fitted) -> Method:
        """Return the method with these knobs; the latest is kept, since most launches share one."""
        kept, method = self._latest
        if (kept.method, kept.lora) != (parts.method, parts.lora):
            method = build(parts.method, replace(self._context, lora=parts.lora))
            self._latest = parts, method
        return method
