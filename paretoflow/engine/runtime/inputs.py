"""The inputs that a worker's scores depend on, collected from its loaded parts.

`core.inputs` compares them. They are the prompts of all three sets, the base's files and template,
each scorer's code or weights, settings and version, the sampling of answers, and the versions of
libraries. The settings of training are in the sweep's spec, which may not change either.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

from paretoflow import __version__
from paretoflow.core.ids import digest_of
from paretoflow.core.inputs import Changes, Inputs, joined, require_same
from paretoflow.core.protocols import Objective, Prompt
from paretoflow.data.prompts import PromptSets
from paretoflow.engine.state.events import noted
from paretoflow.ledger.tables import Event
from paretoflow.lm.base import LanguageModel
from paretoflow.objectives import VERSIONS
from paretoflow.spec.models import NO_EFFECT_ON_ANSWERS
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.sweep import SweepSpec

LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "trl")
_OF_SCORERS = {"rouge": "rouge-score"}
_SETS = ("eval", "train", "validation")
_NO_EFFECT = {"name", "direction", "unit", "range", "ref", "batch_size", "path"}
"""Keys of an objective without effect here: names, keys frozen with the problem, and the path,
whose content is compared instead.
"""


def inputs_of(
    spec: SweepSpec, lm: LanguageModel, prompts: PromptSets, scorers: Sequence[Objective]
) -> Inputs:
    """Return the inputs that a worker's scores depend on.

    Args:
        spec: Spec of the sweep.
        lm: The loaded base.
        prompts: The drawn prompts.
        scorers: Scorers of the spec's objectives, in its order.
    """
    files = {"model.path" if hasattr(spec.model, "path") else "model": dict(lm.files)}
    names = {"data.path": _name(spec.data), "model.path": _name(spec.model)}
    for objective, scorer in zip(spec.objectives, scorers, strict=True):
        found = dict(getattr(scorer, "files", {}))
        if objective.type == "import":
            found = {f"the source of {name}": digest for name, digest in found.items()}
        if found:
            files[f"objectives.{objective.name}"] = found
    return Inputs(
        prompts={name: joined(_digests(prompts, name)) for name in _SETS},
        files=files,
        values=dict(_values(spec)),
        versions=_versions(spec.objectives),
        names={key: name for key, name in names.items() if name},
    )


def compared(known: Inputs | None, found: Inputs, where: str, *, first: bool) -> list[Event]:
    """Return the inputs as a row, where they differ from those in the ledger; else no row.

    Args:
        known: Inputs in the ledger; None where there are none.
        found: Inputs of this worker.
        where: The sweep's folder, for the message.
        first: Whether this is the first worker of its group.

    Raises:
        ChangedInputsError: If scores would not be comparable with the earlier ones.
    """
    if known is None:
        return [noted(found, Changes(), time.time())]
    if not first:
        known = known.without_version("vllm")  # it asks no server
    changes = require_same(known, found, where)
    return [noted(found, changes, time.time())] if changes else []


def _digests(prompts: PromptSets, name: str) -> Iterator[str]:
    """Yield the digest of each prompt of a set, with the human feedback on answers to it."""
    own = map(_digest, getattr(prompts, name))
    given = {"train": prompts.given, "validation": prompts.given_held_out}.get(name, ())
    if not given:
        yield from own
        return
    for digest, said in zip(own, given, strict=True):
        yield digest_of([digest, [one.plain() for one in said]])


def _digest(prompt: Prompt) -> str:
    # ASCII JSON: an extra column may hold text that UTF-8 cannot encode
    facts = [prompt.text, prompt.reference, prompt.passages, prompt.messages, prompt.extra]
    return digest_of(json.dumps(facts, sort_keys=True, default=str))


def _name(part: Any) -> str:
    """Return the last part of a file's or folder's path; the whole path may be private."""
    return PurePath(getattr(part, "path", "")).name


def _values(spec: SweepSpec) -> Iterator[tuple[str, str]]:
    """Yield the settings that scores depend on and that are not at their defaults."""
    yield "seed", str(spec.seed)
    yield from _set(spec.model.generation, "model.generation", {*NO_EFFECT_ON_ANSWERS})
    if dtype := getattr(spec.model, "dtype", ""):
        yield "model.dtype", dtype
    for objective in spec.objectives:
        key = f"objectives.{objective.name}"
        yield f"{key}.type", objective.type
        if objective.type == "import":
            yield f"{key}.path", objective.path  # names a function, not a file
        yield from _set(objective, key, _NO_EFFECT | {"type"})
        yield f"{key}, version of the scorer", str(VERSIONS[objective.type])


def _set(part: Any, key: str, without: set[str]) -> Iterator[tuple[str, str]]:
    plain = part.model_dump(mode="json", exclude_defaults=True, exclude=without)
    for name, value in plain.items():
        yield f"{key}.{name}", json.dumps(value, sort_keys=True, ensure_ascii=False)


def _versions(objectives: Sequence[ObjectiveSpec]) -> dict[str, str]:
    asked = {_OF_SCORERS[o.type] for o in objectives if o.type in _OF_SCORERS}
    found = {"paretoflow": __version__}
    for name in (*LIBRARIES, *sorted(asked)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # builds without metadata cannot be distinguished
            continue
    return found
