"""The shared stage: answers that a worker samples and scores before the first launch.

Answers that were made before are read. Where runs learn from human feedback, the base's answers to
the train prompts are sampled only if runs draw from them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from paretoflow.core.feedback import Feedback
from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import Problem
from paretoflow.data.prompts import PromptSets
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.folders import unread
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.scoring.base_answers import give_base_answers
from paretoflow.scoring.calibrate import calibration_notes, require_differences
from paretoflow.scoring.costs import SystemCosts
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.given import GivenStage, joined
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.preparing import Preparing
from paretoflow.scoring.shared import SharedStage, raw_scores, standardised_by
from paretoflow.scoring.signals import ASSUMED_BETA
from paretoflow.spec.capabilities import needs_scores
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.methods import units_of
from paretoflow.spec.objectives import unmoved
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder


class Pulse:
    """Forwards signs of life to the current receiver.

    Attributes:
        tells: Called at each sign of life.
    """

    def __init__(self) -> None:
        self.tells: Callable[[], None] = lambda: None

    def beat(self) -> None:
        """Give a sign of life."""
        self.tells()


@dataclass(frozen=True)
class Lessons:
    """The training data of all runs, and the evaluators.

    Args:
        candidates: Training data: the base's scored answers to the train prompts, human feedback,
            or both.
        scored: Answers of the base scored by the objectives, for calibration: those of the training
            data, or the held-out ones.
        evaluator: Scores policies.
        of_base: Scores the base, and saves its answers and scores one by one.
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
        pulse: Signs of life of the panel's scorers and the evaluator.
        sampler: The engine that samples answers.
    """

    spec: SweepSpec
    folder: Folder
    lm: LanguageModel
    panel: ObjectivePanel
    prompts: PromptSets
    pulse: Pulse
    sampler: Sampler = HF

    def learn(self, mailbox: Preparing) -> Lessons:
        """Sample and score the answers that all runs share; answers made before are read.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails; answers made before are kept.
            LedgerError: If kept answers are damaged.
            RunInterrupted: If the mailbox requests it; answers made before are kept.
            StorageError: If storage refuses.
        """
        spec, generation = self.spec, self.spec.model.generation
        self.pulse.tells = lambda: mailbox.doing("preparing", 0, 0)
        self.pulse.beat()
        parts = (self.folder, self.lm, generation, self.panel, spec.objectives, mailbox)
        shared = SharedStage(*parts, self.sampler)
        seed = seed_of(spec.seed, "eval")
        self._let_compare(shared, seed)
        own, candidates = self._learnt(shared)
        held_out = shared.candidates(
            self.prompts.validation, spec.data.held_out, spec.seed, "held-out answers"
        )
        units = units_of(spec.method)
        scored = held_out if own is None else own
        in_units = replace(scored, standard=units)
        if units != "global":  # the spread of the few held-out answers is unreliable
            held_out = replace(held_out, std=in_units.unit)
        evaluator = Evaluator(
            self.lm,
            generation,
            self.panel,
            self.prompts.eval,
            seed,
            held_out,
            standardised_by(in_units, spec.objectives),
            getattr(spec.method, "beta", 0) or ASSUMED_BETA,
            SystemCosts.of(spec.objectives),
            self.pulse.beat,
            given=self._said_of_held_out(shared),
            sampler=self.sampler,
        )
        keeper = shared.keeper("answers to evaluate the base")
        return Lessons(candidates, scored, evaluator, replace(evaluator, keeper=keeper))

    def _let_compare(self, shared: SharedStage, seed: int) -> None:
        """Give the base's answers to the objectives that compare with them."""
        prompts, keeper = self.prompts, shared.keeper("answers to compare with")
        everything = [*prompts.eval, *prompts.validation, *prompts.train]
        give_base_answers(
            self.panel.objectives,
            everything,
            seed,
            lambda texts, seeds: keeper.sample(
                self.lm.model, self.lm, texts, seeds, shared.generation
            ),
        )

    def _learnt(self, shared: SharedStage) -> tuple[Candidates | None, Candidates]:
        """Return the base's own answers, None where runs do not use them, and the training data."""
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
        """Return human feedback on answers to the validation prompts; None for none."""
        rows = _rows(self.prompts.validation, self.prompts.given_held_out)
        return GivenStage(shared, 1.0, scores=False).candidates(rows) if rows else None


def notes_of(
    spec: SweepSpec, problem: Problem, scored: Candidates, panel: ObjectivePanel
) -> list[str]:
    """Return notes about the objectives before any run; refuse those that teach nothing."""
    scores = raw_scores(scored, spec.objectives)
    if spec.method.type != "command":  # a program chooses its own training data
        require_differences(spec.objectives, scores)
    told = [note for o in panel.objectives for note in getattr(o, "notes", ())]
    told += unread(getattr(spec.model, "path", ""))
    return [*told, *calibration_notes(problem, scores, unmoved(spec.objectives))]


def _rows(
    prompts: Sequence[Prompt], given: Sequence[Sequence[Feedback]]
) -> list[tuple[Prompt, Feedback]]:
    if not given:
        return []
    return [(prompt, one) for prompt, said in zip(prompts, given, strict=True) for one in said]
