"""The setup of a launch: a method and an evaluator with the launch's settings."""

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
    """The method and evaluator of one launch.

    Args:
        method: Trains or merges the launch.
        spec: Spec of the method, with the launch's settings.
        evaluator: Scores its checkpoints.
        decoding: The launch's own settings of decoding; empty where those of the sweep apply.
    """

    method: Method
    spec: MethodSpec
    evaluator: Evaluator
    decoding: Mapping[str, float | int]


class RunSetups:
    """Holds the sweep's own method, and builds another for a launch with settings of its own.

    A launch's settings of decoding apply to evaluations only. The base's answers, the samples of an
    online method and the dual controller's looks are drawn with the sweep's settings.

    Args:
        context: The collaborators of the sweep's method.
        evaluator: Evaluator with the sweep's settings.

    Raises:
        SpecError: If the method's settings contradict each other.
    """

    def __init__(self, spec: SweepSpec, context: MethodContext, evaluator: Evaluator) -> None:
        self._spec = spec
        self._context = context
        self._evaluator = evaluator
        self._merging = narrowed(MergeMethod, context)
        self._latest = self._parts(()), build(spec.method, context)

    def setup_for(self, proposal: Proposal) -> RunSetup:
        """Return the setup of a launch.

        Raises:
            SpecError: If its settings and the method's other settings contradict each other.
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
        """Return the evaluator of checkpoints whose launch had these settings.

        Raises:
            SpecError: If they and the method's other settings contradict each other.
        """
        return self._scoring(self._parts(settings))

    def _scoring(self, parts: Fitted) -> Evaluator:
        beta = getattr(parts.method, "beta", 0) or ASSUMED_BETA
        return replace(self._evaluator, generation=parts.generation, beta=beta)

    def _parts(self, settings: Settings) -> Fitted:
        return fitted(self._spec.method, self._spec.model, settings)

    def _method(self, parts: Fitted) -> Method:
        """Return the method with these settings; the latest is kept, as most launches share it."""
        kept, method = self._latest
        if (kept.method, kept.lora) != (parts.method, parts.lora):
            method = build(parts.method, replace(self._context, lora=parts.lora))
            self._latest = parts, method
        return method
