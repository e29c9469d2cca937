"""From a pool of prompts to the three disjoint sets of a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.spec.data import DataSpec

RenderChat = Callable[[list[dict[str, str]]], str]
"""Turns chat turns ({role, content}) into a prompt that ends where the answer begins."""

_SMALLEST_SET = 2


@dataclass(frozen=True)
class Pools:
    """All prompts of a source.

    Args:
        source: Name of the source for messages.
        train: What the train and validation sets are drawn from.
        eval: What the eval set is drawn from; None when the source has no such split, and `train`
            serves all.
    """

    source: str
    train: tuple[Prompt, ...]
    eval: tuple[Prompt, ...] | None = None


@dataclass(frozen=True)
class PromptSets:
    """The prompts of a sweep; no two share a text.

    Args:
        digest: Hash of everything in the three sets, in order.
    """

    train: tuple[Prompt, ...]
    eval: tuple[Prompt, ...]
    validation: tuple[Prompt, ...]
    digest: str


def new_prompt(
    text: str,
    *,
    reference: str = "",
    passages: Sequence[str] = (),
    messages: Sequence[Mapping[str, str]] = (),
    extra: Mapping[str, Any] | None = None,
) -> Prompt:
    """Build a prompt named by a hash of its text, reference and passages."""
    prompt_id = digest_of({"text": text, "reference": reference, "passages": list(passages)})[:16]
    return Prompt(prompt_id, text, reference, tuple(passages), tuple(messages), extra or {})


def draw(pools: Pools, sizes: DataSpec, seed: int) -> PromptSets:
    """Draw the sets of a sweep.

    Prompts are ordered by a hash of seed and id, so the draw does not depend on the order of rows;
    of rows with the same text the first counts, so that no set has seen another's prompt.

    Raises:
        DataError: If there are too few distinct prompts.
    """
    if pools.eval is None:
        wanted = {"eval": sizes.eval, "validation": sizes.validation, "train": sizes.train}
        sets = _drawn(pools.train, wanted, seed, pools.source)
    else:
        held_out = {p.text for p in pools.eval}
        rest = [p for p in pools.train if p.text not in held_out]
        wanted = {"validation": sizes.validation, "train": sizes.train}
        sets = _drawn(rest, wanted, seed, f"{pools.source} (train split)")
        sets |= _drawn(pools.eval, {"eval": sizes.eval}, seed, f"{pools.source} (eval split)")
    return PromptSets(**sets, digest=digest_of({name: _plain(part) for name, part in sets.items()}))


def _drawn(
    pool: Iterable[Prompt], wanted: Mapping[str, int], seed: int, source: str
) -> dict[str, tuple[Prompt, ...]]:
    """Return consecutive stretches of the shuffled pool, in the order of `wanted`."""
    first: dict[str, Prompt] = {}
    for prompt in pool:
        first.setdefault(prompt.text, prompt)
    if len(first) < sum(wanted.values()):
        raise _too_few(len(first), wanted, source)
    order = sorted(first.values(), key=lambda p: digest_of([seed, p.prompt_id]))
    sets: dict[str, tuple[Prompt, ...]] = {}
    start = 0
    for name, size in wanted.items():
        sets[name] = tuple(order[start : start + size])
        start += size
    return sets


def _too_few(available: int, wanted: Mapping[str, int], source: str) -> DataError:
    parts = " + ".join(
        f"{name} {size}" for name, size in sorted(wanted.items(), key=lambda w: -w[1])
    )
    total = sum(wanted.values())
    largest = max(wanted, key=lambda name: wanted[name])
    room = available - (total - wanted[largest])
    if room >= _SMALLEST_SET:
        hint = f"lower data.{largest} to at most {room}"
    elif available >= _SMALLEST_SET * len(wanted):
        names = ", ".join(f"data.{name}" for name in wanted)
        hint = f"lower {names} to at most {available} in all"
    else:
        hint = f"use a larger source: the smallest sizes need {_SMALLEST_SET * len(wanted)} prompts"
    what = f"{available} distinct prompts, but {parts} asks for {total}"
    return DataError(what, where=source, hint=hint)


def _plain(prompts: Iterable[Prompt]) -> list[str]:
    # ASCII JSON: an extra column may hold text that UTF-8 cannot encode
    return [json.dumps(asdict(p), sort_keys=True, default=str) for p in prompts]
