"""Capabilities of every method, and the launches that proposers need beside weighted ones."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.spec.objectives import reads_references
from paretoflow.spec.sweep import SweepSpec

TRAINING_LAUNCHES = ("weighted", "constrained")
"""Launch kinds of every method that trains."""

_COMMAND = {
    "command": Capabilities(
        paper="the program's own",
        kind="program",
        data="scored",
        serves="point",
        distributed="single",
        launches=TRAINING_LAUNCHES,
        distributed_note="a worker group starts one program; it may start processes of its own",
        needs=("program",),
    ),
}

_GIVEN = ("pairs", "ratings")
"""Data for a method that compares two answers and needs no scores."""
_RATED = ("ratings",)
_SAMPLES_ALONE = "it samples the policy in training, on one rank"


def _conditioned(paper: str, data: str, note: str, given: tuple[str, ...] = ()) -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="conditioned",
        data=data,
        serves="continuum",
        distributed="single",
        launches=("weighted",),
        distributed_note=note,
        given=given,
    )


_CONDITIONED = {
    "dpa": _conditioned("Wang et al. 2024, arXiv 2402.18571", "scored", _SAMPLES_ALONE),
    "mah_dpo": _conditioned(
        "Shen et al. 2025, arXiv 2510.01167",
        "pairs",
        "its hook on the output layer has been tried on one rank only",
        _GIVEN,
    ),
    "meet": _conditioned(
        "Xue et al. 2023, arXiv 2310.00819",
        "scored",
        "gradients are dropped between passes, as DeepSpeed would not allow",
    ),
    "ric": _conditioned("Yang et al. 2024, arXiv 2402.10207", "scored", _SAMPLES_ALONE),
}

_GRADIENTS = {
    "gradient_dpo": Capabilities(
        paper="Chen et al. 2026, arXiv 2602.02495 (RACO)",
        kind="offline",
        data="pairs",
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note=(
            "exact at every ZeRO stage, in two passes; at stage 3 each rank holds the whole base "
            "in the first"
        ),
        needs=("gradients",),
        given=_GIVEN,
    ),
}


def _offline(
    paper: str,
    data: str = "pairs",
    distributed_note: str = "",
    given: tuple[str, ...] = _GIVEN,
) -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="offline",
        data=data,
        serves="point",
        distributed="zero",
        launches=TRAINING_LAUNCHES,
        distributed_note=distributed_note,
        given=given,
    )


_OFFLINE = {
    "bco": _offline(
        "Jung et al. 2024, arXiv 2404.04656",
        "scored",
        "the reward shift is the mean over all ranks",
        _RATED,
    ),
    "dpo": _offline("Rafailov et al. 2023, arXiv 2305.18290"),
    "f_dpo": _offline("Wang et al. 2023, arXiv 2309.16240"),
    "ipo": _offline("Azar et al. 2023, arXiv 2310.12036"),
    "kto": _offline(
        "Ethayarajh et al. 2024, arXiv 2402.01306",
        "scored",
        "the level is the mean over all ranks",
    ),
    "lipo": _offline("Liu et al. 2024, arXiv 2402.01878", "lists", given=_RATED),
    "ln_dpo": _offline("Ahrabian et al. 2024, arXiv 2407.15229"),
    "mm_dpo": _offline("Zhang et al. 2025, arXiv 2502.10391", given=_RATED),
    "modpo": _offline("Zhou et al. 2023, arXiv 2310.03708", given=("scored pairs", *_RATED)),
    "pro": _offline("Liu et al. 2025, arXiv 2511.10656", given=_RATED),
    "rpo": _offline("Liu et al. 2024, arXiv 2405.16436"),
    "sft": _offline("Dong et al. 2023, arXiv 2304.06767 (RAFT)"),
    "simpo": _offline("Meng et al. 2024, arXiv 2405.14734"),
}

_OWN_SAMPLES = "each rank samples for itself: another number of ranks is another draw"


def _online(paper: str, distributed: str = "zero", note: str = _OWN_SAMPLES) -> Capabilities:
    return Capabilities(
        paper=paper,
        kind="online",
        data="prompts",
        serves="point",
        distributed=distributed,
        launches=TRAINING_LAUNCHES,
        distributed_note=note,
    )


_ONLINE = {
    "grao": _online("Wang et al. 2025, arXiv 2508.07750"),
    "grpo": _online("Shao et al. 2024, arXiv 2402.03300"),
    "ipo_md": _online(
        "Calandriello et al. 2024, arXiv 2403.08635",
        "ddp",
        "each rank samples for itself, to its own length",
    ),
    "rloo": _online("Ahmadian et al. 2024, arXiv 2402.14740"),
}

CAPABILITIES: dict[str, Capabilities] = {
    **_COMMAND,
    **_CONDITIONED,
    **_GRADIENTS,
    **_OFFLINE,
    **_ONLINE,
}
"""Method tag to capabilities."""

BEYOND_WEIGHTED = {
    "cmorl": "constrained",
    "cmorl_hv": "constrained",
    "empty_box": "constrained",
    "map": "merge",
    "merge_screen": "merge",
    "pg_predict": "continued",
    "reevaluate": "reevaluate",
    "soups": "merge",
}
"""Proposer tag to the kind of launch that it requires; other proposers need weights alone."""

BY_ANY_METHOD = ("merge", "reevaluate", "continued")
"""Kinds of launch that work with every method whose adapters serve one preference: the first two do
not use the method, and plain training starts from a parent as from the base."""


def references_for(spec: SweepSpec) -> tuple[str, ...]:
    """Return what needs a reference answer for each prompt: objectives by name, or the method."""
    found = [o.name for o in spec.objectives if reads_references(o)]
    if "references" in CAPABILITIES[spec.method.type].needs:
        found.append(f"method {spec.method.type}")
    return tuple(found)


GIVEN = {"preferences": ("pairs", "scored pairs"), "ratings": _RATED}
"""Type of given data to the kinds of data, one of which a method must learn from."""


def learns_from(tag: str, data: str) -> bool:
    """Return whether a method can learn from a type of given data."""
    return bool(set(GIVEN[data]) & set(CAPABILITIES[tag].given))


def needs_scores(spec: SweepSpec) -> bool:
    """Return whether the answers of given pairs are scored by the objectives before runs begin."""
    pairs = spec.data.type == "preferences"
    return pairs and "scored pairs" in CAPABILITIES[spec.method.type].given
