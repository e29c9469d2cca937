"""MEET: train control tokens first, with the model frozen, then the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paretoflow.core.protocols import AttemptContext, Checkpoint, Served
from paretoflow.core.values import FloatArray, WeightVector
from paretoflow.lm.targets import targets_with
from paretoflow.methods.conditioned.control_tokens import (
    Controls,
    bins_for,
    bins_of,
    control_layer,
    control_parameters,
    make_controls,
)
from paretoflow.methods.conditioned.prompts import put_before
from paretoflow.methods.conditioned.sampling import Conditioner
from paretoflow.methods.conditioned.serving import served_points, serving
from paretoflow.methods.conditioned.sft import StageTrainer
from paretoflow.methods.conditioned.stages import Example, ExampleStage, Pulse
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import train_run
from paretoflow.spec.methods.conditioned import RoundsBase
from paretoflow.spec.methods.conditioned_heads import MeetMethodSpec

CONTROLS_FILE = "controls.json"
"""File beside PEFT's own: the control word of each bin of each objective."""

_NOTE = (
    "Put a line with one control word for each objective before the prompt's last line, in the "
    "order given here; the words of an objective go from its lowest scores to its highest."
)


class MeetMethod:
    """MEET on the base's scored answers: one artifact for all preferences, set by control tokens.

    Each objective's scores are cut at their quantiles into bins, and each bin has a control token.
    An answer is learnt after the tokens of its own bins: for the first part of the steps only the
    tokens' embeddings are trained, after that only the model, with the tokens in place. A
    preference selects bins by its weights; bins are few, so several weights may select the same
    bins, and each set of bins is evaluated once. A launch's weights do not enter the training.

    By hand: 3 bins and 8 answers with scores 0 to 7 have the edges 7/3 and 14/3; an answer that
    scores 5 is learnt after the word of bin 2.

    References:
        Xue et al. 2023, arXiv 2310.00819 (MEET). Departures: (1) a control token is a spare word of
        the vocabulary whose embedding gets a low-rank delta (prompt tuning of tokens inside the
        prompt), since PEFT's prompt tuning does not stack with LoRA in one adapter; (2) the second
        part trains the adapter, not the whole model, and the tokens stay as they are; (3) bins of
        each of several objectives, where the paper has good and bad; (4) one schedule of the step
        size over both parts; (5) a preference selects bins by RiC's `linf` map.
    """

    def __init__(self, spec: MeetMethodSpec, context: MethodContext) -> None:
        self._spec = spec
        # a bin must mean the same with every prompt
        self._context = replace(context, candidates=replace(context.candidates, standard="global"))
        self._names = context.objective_names
        self._controls = make_controls(context.lm, context.candidates, self._names, spec.bins)

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        lm = self._context.lm
        embeddings = lm.model.get_input_embeddings()
        options = {"target_modules": targets_with(lm, self._context.lora, embeddings)}
        points = served_points(self._spec.serve, len(self._names), self._ask)
        report = self._described(serving(report, each_way_once(points)))
        train_run(self._context, self._spec, attempt, report, self._trainer, options)

    def _trainer(self, run: Run) -> ControlTrainer:
        return ControlTrainer(run, self._spec, self._context, self._controls)

    def _ask(self, weights: FloatArray) -> Served:
        bins = dict(zip(self._names, bins_for(weights, self._spec.bins), strict=True))
        prefix = self._controls.prefix(bins)
        bos = self._context.lm.tokenizer.bos_token
        rewrite = partial(put_before, prefix, bos=bos)
        return Served(weights, {"prefix": prefix, "bins": bins}, rewrite=rewrite)

    def _described(self, report: Callable[[Checkpoint], None]) -> Callable[[Checkpoint], None]:
        plain = {"words": {n: list(w) for n, w in self._controls.words.items()}, "note": _NOTE}

        def describe(checkpoint: Checkpoint) -> None:
            path = Path(checkpoint.folder) / CONTROLS_FILE
            path.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
            report(checkpoint)

        return describe


class ControlStages:
    """The only stage: the base's answers after the words of their bins."""

    def __init__(
        self, spec: MeetMethodSpec, context: MethodContext, controls: Controls, seed: int
    ) -> None:
        self._bins = spec.bins
        self._context = context
        self._controls = controls
        self._seed = seed

    def first(self) -> ExampleStage:
        """Return all of the base's answers."""
        table, names = self._context.candidates, self._context.objective_names
        each, m = table.standardised.shape[1:]
        bins = bins_of(table.standardised.reshape(-1, m), self._bins)
        asked = [
            (row // each, self._controls.prefix(dict(zip(names, map(int, own), strict=True))))
            for row, own in enumerate(bins)
        ]
        answers = [ids for row in table.completion_ids for ids in row]
        ids = Conditioner(self._context, self._seed).ids(asked)
        examples = (Example(p, a) for p, a in zip(ids, answers, strict=True) if a)
        return ExampleStage(0, tuple(examples))

    def following(self, before: ExampleStage, model: Any, pulse: Pulse) -> tuple[ExampleStage, int]:
        """Return the same stage: nothing is sampled."""
        return before, 0


class ControlTrainer(StageTrainer):
    """Trains the control tokens' embeddings first, then everything else."""

    def __init__(
        self, run: Run, spec: MeetMethodSpec, context: MethodContext, controls: Controls
    ) -> None:
        plan = RoundsBase(steps=spec.steps, batch_size=spec.batch_size, rounds=0)
        stages = ControlStages(spec, context, controls, run.attempt.launch.seed)
        super().__init__(run, plan, context.lm.tokenizer, stages)
        self._opening = control_steps(spec)
        self._tokens = control_parameters(control_layer(run.model), controls.ids)
        own = {id(p) for p in self._tokens}
        self._rest = [p for p in run.model.parameters() if p.requires_grad and id(p) not in own]

    def training_step(self, *given: Any, **options: Any) -> torch.Tensor:
        """Compute the gradients of one forward pass, for the part that is in training."""
        loss: torch.Tensor = super().training_step(*given, **options)
        idle = self._rest if self.state.global_step < self._opening else self._tokens
        for parameter in idle:
            parameter.grad = None  # the optimiser skips it, and keeps no moments for it
        return loss


def control_steps(spec: MeetMethodSpec) -> int:
    """Return the steps that train control tokens, at least one. By hand: 0.25 of 10 are 2."""
    return max(1, int(spec.steps * spec.control_frac))


def each_way_once(points: tuple[Served, ...]) -> tuple[Served, ...]:
    """Return one point for each set of bins, in the order of first occurrence.

    Its weights are the mean of the weights that select these bins, and select them too. By hand:
    two objectives and 3 bins; (1, 0) and (0.9, 0.1) select the same bins, and become (0.95, 0.05).
    """
    alike: dict[str, list[Served]] = {}
    for point in points:
        alike.setdefault(json.dumps(point.condition, sort_keys=True), []).append(point)
    means = [WeightVector.of(np.mean([p.weights for p in own], axis=0)) for own in alike.values()]
    return tuple(
        replace(own[0], weights=mean.array) for own, mean in zip(alike.values(), means, strict=True)
    )
