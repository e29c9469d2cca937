"""Train reward models and write them, whole or not at all."""

from __future__ import annotations

import gc
import json
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from paretoflow.core.errors import StorageError, UserError
from paretoflow.objectives.reward_model import RewardModel
from paretoflow.rewards.backbone import device_of, embedded_differences, load_backbone
from paretoflow.rewards.groups import Search, find_groups, projected
from paretoflow.rewards.metrics import RewardMetrics, measured_margins
from paretoflow.rewards.pairs import (
    PairSets,
    PreferencePair,
    read_pairs,
    regrouped,
    split_pairs,
)
from paretoflow.rewards.trainer import RewardTrainer
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from paretoflow.spec.rewards import RewardSpec
from paretoflow.storage.output import output_errors, whole_folder

_NO_ROOM = "free some space, or name another place with -o"
METRICS_FILE = "metrics.json"
"""In the output folder; its presence marks a folder of rewards."""
ANNOTATORS_FILE = "annotators.json"
"""In the output folder, where groups were looked for: each annotator's group."""


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training.

    Args:
        model: Name of the model in training; empty while groups are looked for.
        step, steps: Optimiser steps done, of all models together.
        loss: Loss of the last step.
    """

    model: str
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class _Job:
    """One model to train: its folder, the names of its outputs, and which objectives feed it."""

    folder: str
    outputs: tuple[str, ...]
    objectives: tuple[int, ...]

    def output_of(self, objective: int) -> int:
        return self.objectives.index(objective) if len(self.outputs) > 1 else 0


def train_rewards(
    spec: RewardSpec, told: Callable[[TrainingProgress], None], *, force: bool = False
) -> tuple[RewardMetrics, ...]:
    """Train the models of the spec; return the metrics of the saved models on held-out pairs.

    The output folder is written whole, at the end. An error before that writes nothing and leaves
    an earlier output unchanged.

    Args:
        spec: The models to train.
        told: Called with the progress after every step.
        force: Replace an earlier output of this function.

    Raises:
        UserError: If the output folder is taken.
        StorageError: If it cannot be written.
        DataError: If pairs cannot be read, or are too few.
        ModelError: If the base cannot be loaded.
        NonFiniteLossError: If training blows up.
    """
    out = Path(spec.output).absolute()
    with output_errors(out):
        _refuse_taken(out, force=force)
    pairs = read_pairs(spec)
    groups = _groups_of(pairs, spec)
    sets = split_pairs(regrouped(pairs, groups) if groups else pairs, spec)
    with whole_folder(out) as stage:
        metrics = _train_all(spec, sets, stage, told)
        facts = {
            "spec": spec.model_dump(mode="json"),
            "rewards": [m.to_dict() for m in metrics],
        }
        _write(stage / METRICS_FILE, facts)
        if groups:
            _write(stage / ANNOTATORS_FILE, groups)
    return metrics


def _groups_of(pairs: Sequence[PreferencePair], spec: RewardSpec) -> dict[str, int]:
    """Return the group of each annotator; empty where the spec requests no groups."""
    if spec.groups is None:
        return {}
    names = sorted({pair.annotator for pair in pairs})
    if len(names) < spec.groups.count:
        raise UserError(
            f"{len(names)} annotators cannot make {spec.groups.count} groups",
            "groups.count",
            "lower it, or check groups.annotator",
            code="usage-option",
        )
    bare = spec.model.model_copy(update={"lora": None})
    backbone = load_backbone(spec.model_copy(update={"model": bare}), ("group",))
    differences = embedded_differences(backbone, pairs)
    numbers = {name: i for i, name in enumerate(names)}
    annotators = np.array([numbers[pair.annotator] for pair in pairs])
    wanted = spec.groups
    search = Search(wanted.count, wanted.restarts, wanted.iterations, wanted.ridge, spec.seed)
    mixture = find_groups(projected(differences, wanted.components), annotators, search)
    return {name: int(mixture.groups[i]) for name, i in numbers.items()}


def _jobs(spec: RewardSpec, names: tuple[str, ...]) -> list[_Job]:
    everyone = tuple(range(len(names)))
    if spec.outputs == "separate":
        return [_Job(name, (name,), (i,)) for i, name in enumerate(names)]
    return [_Job("model", names if spec.outputs == "heads" else ("shared",), everyone)]


def _train_all(
    spec: RewardSpec, sets: PairSets, stage: Path, told: Callable[[TrainingProgress], None]
) -> tuple[RewardMetrics, ...]:
    jobs = _jobs(spec, sets.names)
    metrics: list[RewardMetrics] = []
    for number, job in enumerate(jobs):
        start = TrainingProgress(job.folder, number * spec.steps, len(jobs) * spec.steps, math.nan)

        def tell(step: int, loss: float, start: TrainingProgress = start) -> None:
            told(replace(start, step=start.step + step, loss=loss))

        _train(spec, job, sets, stage, tell)
        metrics += _measured(job, sets, stage, spec)
    return tuple(metrics)


def _train(
    spec: RewardSpec, job: _Job, sets: PairSets, stage: Path, tell: Callable[[int, float], None]
) -> None:
    backbone = load_backbone(spec, job.outputs)
    with tempfile.TemporaryDirectory() as scratch:
        chosen = [sets.train[i] for i in job.objectives]
        with warnings.catch_warnings():  # PEFT uses a deprecated transformers API
            warnings.simplefilter("ignore", FutureWarning)
            RewardTrainer(backbone, chosen, spec, tell, Path(scratch)).train()
    try:
        backbone.save(stage / job.folder)
    except SafetensorError as error:  # raised for a full disk
        raise StorageError(
            f"cannot be written: {error}", spec.output, _NO_ROOM, code="storage-refused"
        ) from error
    del backbone
    gc.collect()  # a trainer is full of cycles, and the saved model is loaded next


def _measured(job: _Job, sets: PairSets, stage: Path, spec: RewardSpec) -> Iterator[RewardMetrics]:
    """Measure a saved model as a sweep would load it."""
    path = str(stage / job.folder)
    source = RewardModelObjectiveSpec(
        type="reward_model", name="held_out", path=path, max_length=spec.max_length
    )
    model = RewardModel(source, device_of(spec.model))
    for i in job.objectives:
        pairs, output = sets.held_out[i], job.output_of(i)
        prompts = [pair.prompt for pair in pairs]
        chosen, rejected = (
            model.score_all(prompts, answers, source.batch_size)[:, output]
            for answers in ([p.chosen for p in pairs], [p.rejected for p in pairs])
        )
        counts = (len(sets.train[i]), len(pairs))
        place = (sets.names[i], job.folder, output)
        yield measured_margins(place, counts, chosen - rejected)


def _refuse_taken(out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if not (out / METRICS_FILE).is_file():
        raise UserError(
            "exists, and holds no rewards",
            str(out),
            "choose a new folder with -o",
            code="usage-occupied",
        )
    if not force:
        hint = "choose a new folder with -o, or replace it with --force"
        raise UserError("rewards are already there", str(out), hint, code="usage-occupied")


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
