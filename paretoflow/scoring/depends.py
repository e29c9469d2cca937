"""The settings that answers and scores depend on: they name the tables that are kept."""

from __future__ import annotations

from typing import Any

from paretoflow.spec.models import NO_EFFECT_ON_ANSWERS, GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec

NO_EFFECT_ON_SCORES = {
    *("direction", "unit", "range", "ref"),
    # of judges
    *("base_url", "api_key_env", "concurrency", "requests_per_minute", "retries", "timeout_s"),
    *("asks", "price"),
}
_LATER_KEYS: dict[str, Any] = {"convention": None, "columns": {}, "on_none": "error"}
"""Keys that objectives got later, with defaults under which tables keep their names."""


def scoring_keys(spec: ObjectiveSpec) -> dict[str, Any]:
    """Return the keys of an objective that its scores depend on, without later keys left unset."""
    plain = spec.model_dump(mode="json", exclude=NO_EFFECT_ON_SCORES)
    absent = object()
    return {k: v for k, v in plain.items() if v != _LATER_KEYS.get(k, absent)}


def sampling(generation: GenerationSpec) -> dict[str, object]:
    """Return the settings that decide the answers; tables older than a setting keep their names."""
    plain = generation.model_dump(exclude={*NO_EFFECT_ON_ANSWERS})
    if generation.top_p == 1:
        del plain["top_p"]
    if not generation.stop:
        del plain["stop"]
    if generation.engine == "hf":
        del plain["engine"], plain["options"]
    return plain
