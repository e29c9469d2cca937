"""What a worker samples and scores before the first launch, or reads where that was done before.

Where people gave what runs learn from, the base's answers to the train prompts are sampled only as
far as runs draw of them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from paretoflow.core.feedback import Feedback
from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.data.prompts import PromptSets
from paretoflow.lm.base import LanguageModel
from paretoflow.scoring.costs import SystemCosts
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.given import GivenStage, joined
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.preparing import Preparing
from paretoflow.scoring.shared import SharedStage, standardised_by
from paretoflow.scoring.signals import ASSUMED_BETA
from paretoflow.spec.capabilities import needs_scores
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.methods import units_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder


class Pulse:
    """Passes a beat on to whoever is to hear it now.

    Attributes:
        tells: Called at each beat.
    """

    def __init__(self) -> None:
        self.tells: Callable[[], None] = lambda: None

    def beat(self) -> None:
        """Give a sign of life."""
        self.tells()


@dataclass(frozen=True)
class Lessons:
    """What runs learn from, and what scores them.

    Args:
        candidates: What runs learn from: the base's scored answers to the training prompts, what
            people gave, or both.
        scored: Answers of the base as the objectives score them, to calibrate from: those runs
            learn from, or the held-out ones.
        evaluator: Scores policies.
        of_base: Scores the base, and keeps its answers and scores as they come.
    """

    candidates: Candidates
    scored: Candidates
    evaluator: Evaluator
    of_base: Evaluator


@dataclass(frozen=True)
class Stage:
    """The shared stage of a sweep, on one worker.

    Args:
        folder: The sweep's folder.
        pulse: What the panel's scorers and the evaluator beat.
    """

    spec: SweepSpec
    folder: Folder
    lm: LanguageModel
    panel: ObjectivePanel
    prompts: PromptSets
    pulse: Pulse

    def learn(self, mailbox: Preparing) -> Lessons:
        """Sample and score what all runs share, from where it was put down; or read it.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails; what was made before is kept.
            LedgerError: If what was kept is damaged.
            RunInterrupted: If the mailbox asks for it; what was made is kept.
            StorageError: If storage refuses.
        """
        spec, generation = self.spec, self.spec.model.generation
        self.pulse.tells = lambda: mailbox.doing("preparing", 0, 0)
        self.pulse.beat()
        shared = SharedStage(self.folder, self.lm, generation, self.panel, spec.objectives, mailbox)
        own, candidates = self._learnt(shared)
        held_out = shared.candidates(
            self.prompts.validation, spec.data.held_out, spec.seed, "held-out answers"
        )
        units = units_of(spec.method)
        scored = held_out if own is None else own
        in_units = replace(scored, standard=units)
        if units != "global":  # few are held out: their own spread says little
            held_out = replace(held_out, std=in_units.unit)
        evaluator = Evaluator(
            self.lm,
            generation,
            self.panel,
            self.prompts.eval,
            seed_of(spec.seed, "eval"),
            held_out,
            standardised_by(in_units, spec.objectives),
            getattr(spec.method, "beta", 0) or ASSUMED_BETA,
            SystemCosts.of(spec.objectives),
            self.pulse.beat,
            given=self._said_of_held_out(shared),
        )
        keeper = shared.keeper("answers to evaluate the base")
        return Lessons(candidates, scored, evaluator, replace(evaluator, keeper=keeper))

    def _learnt(self, shared: SharedStage) -> tuple[Candidates | None, Candidates]:
        """Return the base's own answers, None where no run draws of them, and what runs do draw."""
        spec, prompts = self.spec, self.prompts
        own, share = None, getattr(spec.data, "sampled", 1.0)
        if share > 0:
            own = shared.candidates(prompts.train, spec.data.candidates, spec.seed)
        if not isinstance(spec.data, GivenSpec):
            assert own is not None
            return own, own
        rows = _rows(prompts.train, prompts.given)
        given = GivenStage(shared, 1.0 - share, needs_scores(spec)).candidates(rows)
        return own, given if own is None else joined(given, own)

    def _said_of_held_out(self, shared: SharedStage) -> Candidates | None:
        """Return what people said of answers to the validation prompts; None where nothing."""
        rows = _rows(self.prompts.validation, self.prompts.given_held_out)
        return GivenStage(shared, 1.0, scores=False).candidates(rows) if rows else None


def _rows(
    prompts: Sequence[Prompt], given: Sequence[Sequence[Feedback]]
) -> list[tuple[Prompt, Feedback]]:
    if not given:
        return []
    return [(prompt, one) for prompt, said in zip(prompts, given, strict=True) for one in said]
