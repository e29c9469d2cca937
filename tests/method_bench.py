"""A small context for tests of methods: four prompts, four answers each, three objectives."""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretoflow.core.launch import AdapterRef, Launch
from paretoflow.core.protocols import AttemptContext, Candidates, Checkpoint, Prompt
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.conftest import TINY_TEXTS

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel
    from paretoflow.methods.training.context import MethodContext
    from paretoflow.spec.methods import DpoMethodSpec, MethodSpec

ANSWERS = 4
NAMES = ("length", "vowels", "breadth")
OF_THE_LAUNCH = ("accumulation_factor", "front", "parent_gains")


def score(completions: Sequence[str]) -> FloatArray:
    """Return three conflicting gains of each text, shape (b, 3)."""
    rows = [
        (len(c) / 7, -float(sum(c.count(v) for v in "aeiou")), len(set(c)) - 0.4 * len(c))
        for c in completions
    ]
    return np.array(rows, dtype=np.float64)


def make_context(
    lm: LanguageModel,
    columns: Sequence[int] = (0, 1, 2),
    factors: Sequence[float] = (1, 1, 1),
    shifts: Sequence[float] = (0, 0, 0),
) -> MethodContext:
    """Return a context whose objectives are the chosen columns, each times its factor.


    Each shift is added p times to the gains of prompt p.
    """
    from paretoflow.lm.base import encode
    from paretoflow.lm.logprobs import sequence_logprobs
    from paretoflow.methods.training.context import MethodContext

    rng = np.random.default_rng(0)
    prompt_ids = encode(lm, TINY_TEXTS)
    count = len(TINY_TEXTS)
    letters = [i for t, i in lm.tokenizer.get_vocab().items() if t.isalpha() and t.isascii()]
    letters.sort()
    ids = [
        tuple(
            (*(int(v) for v in rng.choice(letters, size=3 + k)), lm.tokenizer.eos_token_id)
            for k in range(ANSWERS)
        )
        for _ in range(count)
    ]
    texts = [tuple(lm.tokenizer.batch_decode(row, skip_special_tokens=True)) for row in ids]
    flat = [answer for row in ids for answer in row]
    repeated = [p for p in prompt_ids for _ in range(ANSWERS)]
    logprobs = sequence_logprobs(lm.model, lm, repeated, flat, 8).reshape(count, ANSWERS)
    scaled, moved = [factors[c] for c in columns], np.array([shifts[c] for c in columns])

    def rewards(prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        numbers = np.array([int(p.prompt_id) for p in prompts])[:, None]
        return score(completions)[:, list(columns)] * scaled + numbers * moved

    prompts = tuple(Prompt(str(i), text) for i, text in enumerate(TINY_TEXTS))
    gains = np.stack([rewards([p] * ANSWERS, row) for p, row in zip(prompts, texts, strict=True)])
    candidates = Candidates(
        prompts=prompts,
        completions=tuple(texts),
        completion_ids=tuple(ids),
        prompt_ids=tuple(tuple(p) for p in prompt_ids),
        gains=gains,
        mean=gains.mean(axis=(0, 1)),
        std=gains.std(axis=(0, 1)),
        ref_logprobs=logprobs,
    )
    return MethodContext(
        lm=lm,
        lora=LoraSpec(rank=4, alpha=8),
        generation=GenerationSpec(max_new_tokens=6),
        candidates=candidates,
        objective_names=tuple(NAMES[c] for c in columns),
        scale=np.ones(len(columns)),
        rewards=rewards,
        validate=lambda model: np.zeros(len(columns)),
    )


def plain_dpo(**knobs: Any) -> DpoMethodSpec:
    """Return the spec of DPO with the beta of related methods, and only its last checkpoint."""
    from paretoflow.spec.methods import DpoMethodSpec

    plain = {"beta": 0.1, "checkpoint_every": None, "early_stop": None}
    return DpoMethodSpec(**{**plain, **knobs})


def weighted(*weights: float) -> Proposal:
    """Return a weighted launch."""
    return Proposal(LaunchKind.WEIGHTED, WeightVector(weights), 0, "test", "test")


@dataclass
class Trained:
    """Reports of one call of `train`, with the saved adapters and the logged steps."""

    folder: Path
    checkpoints: list[Checkpoint] = field(default_factory=list)
    logged: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)

    @property
    def adapter(self) -> dict[str, FloatArray]:
        """Return the final adapter's tensors by name."""
        return read_adapter(self.checkpoints[-1].folder)


def read_adapter(folder: Path) -> dict[str, FloatArray]:
    """Return an adapter folder's tensors by name."""
    from safetensors.numpy import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


@functools.cache
def settle(tag: str) -> None:
    """Exclude the objects of a method's libraries from garbage collection.

    Every training ends with a collection, which otherwise takes longer than the training.
    """
    gc.collect()
    gc.freeze()


def train(
    context: MethodContext,
    spec: MethodSpec,
    proposal: Proposal,
    folder: Path,
    *,
    seed: int = 0,
    parent: Path | None = None,
    report: Callable[[Checkpoint], None] | None = None,
    **fields: Any,
) -> Trained:
    """Run one launch in a new folder below `folder`; `fields` are of the launch or the attempt."""
    from paretoflow.methods import build

    place = folder / f"run-{len(list(folder.iterdir()))}"
    place.mkdir()
    trained = Trained(place)

    def take(checkpoint: Checkpoint) -> None:
        if report is not None:
            report(checkpoint)
        trained.checkpoints.append(replace(checkpoint, model=None))

    start = None if parent is None else AdapterRef(str(parent), "")
    given = {name: fields.pop(name) for name in OF_THE_LAUNCH if name in fields}
    launch = Launch("run", 0, replace(proposal, seed=seed), start, **given)
    log = {"log_step": lambda step, values: trained.logged.append((step, values))}
    attempt = AttemptContext(launch, place, **{**log, **fields})
    method = build(spec, context)
    settle(spec.type)
    method.train(attempt, take)
    return trained


def parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters: the signature that a hook depends on."""
    return list(inspect.signature(function).parameters)
