"""Scores points of a front again, on prompts that no part of the sweep has seen.

Needs neither Ray nor a running sweep: the base is loaded once, and the adapters are loaded on it
one by one. The base itself is scored first, so that every improvement over it is measured on the
same prompts. The front is a sweep's or an export's (`exported`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paretoflow.core.confirmed import Confirmation, FreshFacts
from paretoflow.core.errors import UserError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.ids import seed_of
from paretoflow.core.inputs import Changes, Inputs, changes, require_none
from paretoflow.core.settings import Settings
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.core.views import FrontView, SweepView
from paretoflow.data import read_pools
from paretoflow.data.fresh import Fresh, digest_of_prompts, fresh_of, spec_of_file
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.read.confirmations import ConfirmationFile, key_of
from paretoflow.engine.runtime.loaded import Loaded, loaded
from paretoflow.engine.runtime.prompts import needs_of, prompts_of, renderer_of
from paretoflow.lm.adapters import adapter_on
from paretoflow.lm.generation import in_order
from paretoflow.scoring.base_answers import give_base_answers
from paretoflow.scoring.costs import SystemCosts
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.search import fitted
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder
from paretoflow.storage.cache import cached_adapter

LEFT_OVER = "rows of the sweep's data that are in none of its sets"


@dataclass(frozen=True)
class ConfirmProgress:
    """Progress of a confirmation.

    Args:
        snapshot_id: The point that is scored next; empty at the end.
        done: Number of points with scores, with the base.
        of: Number of points to score, with the base.
    """

    snapshot_id: str
    done: int
    of: int


Watch = Callable[[ConfirmProgress], None]


@dataclass(frozen=True)
class Subject:
    """A front that can be confirmed, with the inputs of its scores.

    Args:
        root: Folder of the sweep or the export; the confirmation is kept in it.
        front: The points; a point's path is relative to the root.
        base: The base's evaluation.
        spec: Spec of the sweep.
        settings: Settings of launches beside the weights, by checkpoint.
        known: Inputs that the scores depended on, as far as they were recorded; other parts are
            empty.
        prompts: SHA-256 of the sweep's prompts, for comparison; empty where `known` has them.
        private: Whether the sweep's own prompts cannot be drawn, since the export leaves out their
            source.
        kept: Folder in which judges keep their replies; None keeps them in memory.
    """

    root: Folder
    front: FrontView
    base: Evaluation
    spec: SweepSpec
    settings: Mapping[str, Settings] = field(default_factory=dict)
    known: Inputs | None = None
    prompts: str = ""
    private: bool = False
    kept: Folder | None = None

    @classmethod
    def of_sweep(cls, root: Folder, view: SweepView, spec: SweepSpec) -> Subject:
        """Return the front of a sweep."""
        base = next(e for e in view.evaluations if e.run_id == BASE_RUN_ID)
        settings = {p.snapshot_id: p.settings for p in view.front.points}
        known = view.front.problem.inputs
        return cls(root, view.front, base, spec, settings, known, kept=root)


@dataclass(frozen=True)
class Confirming:
    """A confirmation: its front and the source of its fresh prompts.

    Args:
        file: File of fresh prompts; None takes unused rows of the sweep's own data.
        count: Number of prompts; None uses the default of `fresh_of`.
        accept_change: Whether to continue although inputs that scores depend on have changed.
        most: Money that judges may cost before the last point is begun; None takes the sweep's
            `stop.cost`, if there is one.
    """

    subject: Subject
    file: Path | None = None
    count: int | None = None
    accept_change: bool = False
    most: float | None = None

    def run(self, points: Sequence[FrontPoint], watch: Watch) -> Confirmation:
        """Score the base and points that have no scores on these prompts yet, one by one.

        Args:
            points: Points of the subject's front; `confirmable` must accept each.
            watch: Called before each point, and at the end.

        Returns:
            The confirmation of the front on these prompts, with points scored earlier.

        Raises:
            UserError: If data, model, objectives or an adapter cannot be used, or have changed; or
                if judges have cost too much: points scored so far are kept.
            ObjectiveError: If a scorer fails.
            StorageError: If storage refuses.
        """
        scorer = _Scorer(self)
        file = ConfirmationFile(self.subject.root, scorer.key)
        before = file.facts.judged if file.facts is not None else 0.0
        asked: list[tuple[str, str, str]] = [(self.subject.base.snapshot_id, "", "")]
        asked += [(p.snapshot_id, p.path, p.digest) for p in points if p.snapshot_id != asked[0][0]]
        for number, (name, path, digest) in enumerate(asked):
            watch(ConfirmProgress(name, number, len(asked)))
            known = file.scores.get(name)
            if known is None or known.digest != digest:
                self._require_money(before + scorer.spent)
                scores = scorer.scored(name, path, digest)
                file.add(scorer.facts, scores, before + scorer.spent)
        watch(ConfirmProgress("", len(asked), len(asked)))
        found = file.of_front(self.subject.front)
        assert found is not None  # the points have just been scored
        return found

    def _require_money(self, spent: float) -> None:
        most = self.subject.spec.stop.cost if self.most is None else self.most
        if most is not None and spent > 0 and spent >= most:
            raise UserError(
                f"judges have cost {spent:.4g} for this confirmation; allowed: {most:.4g}",
                self.subject.root.uri,
                "what is scored is kept; give a larger --max-cost to score the rest",
                code="usage-cost",
            )


def confirmable(points: Iterable[FrontPoint]) -> tuple[list[FrontPoint], list[str]]:
    """Return the points that can be scored again, and the reason against each other point."""
    kept, told = [], []
    for point in points:
        if point.snapshot_id != point.adapter_name:
            told.append(f"{point.snapshot_id} is left out: its adapter serves many preferences")
        elif not point.path and point.run_id != BASE_RUN_ID:
            told.append(f"{point.snapshot_id} is left out: its adapter was not kept")
        else:
            kept.append(point)
    return kept, told


class _Scorer:
    """The loaded base with its scorers and the fresh prompts.

    Attributes:
        facts: Facts about the prompts.
        key: Key derived from all inputs that the scores depend on.
    """

    def __init__(self, asked: Confirming) -> None:
        self._subject = subject = asked.subject
        spec = subject.spec
        draw = _none_of if subject.private else prompts_of
        found = loaded(spec, draw=draw, root=subject.kept)
        self._lm, self._scorers = found.lm, found.scorers
        self._sampler = found.sampler
        changed = _changed(asked, found)
        source = spec.data if asked.file is None else spec_of_file(asked.file, spec.data)
        pools = read_pools(source, renderer_of(spec, self._lm))
        unfit, evals = needs_of(spec, self._lm).unfit, spec.data.eval
        self._fresh: Fresh = fresh_of(pools, found.prompts, spec.seed, asked.count, unfit, evals)
        self._panel = ObjectivePanel([o.name for o in spec.objectives], found.scorers)
        self.facts = FreshFacts(
            source=LEFT_OVER if asked.file is None else asked.file.name,
            n=len(self._fresh.prompts),
            data=digest_of_prompts(self._fresh.prompts),
            seed=seed_of(spec.seed, "confirm"),
            time_s=time.time(),
            repeated=self._fresh.repeated if asked.file is not None else 0,
            near=self._fresh.near,
            pairs=self._fresh.pairs,
            changes=changed,
            compared=not subject.private,
            base=tuple(subject.base.scores.tolist()),
            base_stderr=tuple(subject.base.stderr.tolist()),
        )
        give_base_answers(
            found.scorers,
            self._fresh.prompts,
            self.facts.seed,
            lambda texts, seeds: in_order(
                self._sampler.sample(self._lm.model, self._lm, texts, seeds, spec.model.generation)
            ),
        )
        self.key = key_of({"data": self.facts.data, "inputs": found.inputs.digest})

    @property
    def spent(self) -> float:
        """Return what judges have cost so far, in this process."""
        return sum(float(getattr(scorer, "spent", 0.0)) for scorer in self._scorers)

    def scored(self, name: str, path: str, digest: str) -> Evaluation:
        """Return the evaluation of a checkpoint, with its answers."""
        spec, settings = self._subject.spec, self._subject.settings.get(name, ())
        evaluator = Evaluator(
            self._lm,
            fitted(spec.method, spec.model, settings).generation,
            self._panel,
            self._fresh.prompts,
            self.facts.seed,
            costs=SystemCosts.of(spec.objectives),
            sampler=self._sampler,
        )
        folder = cached_adapter(self._subject.root, path, digest) if path else None
        with adapter_on(self._lm, folder) as model:
            return replace(evaluator.evaluate(model), snapshot_id=name, digest=digest)


def _none_of(*_: object) -> PromptSets:
    return PromptSets((), (), (), "")


def _changed(asked: Confirming, found: Loaded) -> tuple[str, ...]:
    """Return the accepted changes of inputs since the sweep.

    Raises:
        ChangedInputsError: If inputs have changed and the change is not accepted.
    """
    subject, since = asked.subject, Changes()
    if subject.known is not None:
        known, now = subject.known, found.inputs
        parts = {"prompts": known.prompts, "values": known.values}  # an export has neither
        now = replace(now, **{name: {} for name, part in parts.items() if not part})
        since = changes(known, now)
    if subject.prompts and not subject.private and subject.prompts != found.prompts.digest:
        others = "data: the prompts that are drawn from it are not those of the sweep"
        since = replace(since, stops=(*since.stops, others))
    if not asked.accept_change:
        require_none(since, subject.root.uri)
    return since.stops
