"""The README of an exported front."""

from __future__ import annotations

from paretoflow.core.conditions import condition_brief
from paretoflow.core.front_point import DOUBTFUL, FrontPoint
from paretoflow.core.shown import html_text as escape
from paretoflow.core.values import LaunchKind
from paretoflow.core.views import FrontView, SweepView
from paretoflow.exporters.asking import asking_of
from paretoflow.exporters.base_model import BaseModel, base_of, check_lines
from paretoflow.exporters.confirmed_card import confirmed_lines
from paretoflow.exporters.snippet import usage_lines

_FILES = (
    "- `front.parquet`: the points with scores, errors, weights, thresholds, parents, seeds, costs",
    "- `evaluations.parquet`: every evaluation of the sweep, with the score of every prompt",
    "- `adapters/`: one ordinary PEFT folder for each trained point",
    "- `spec.json`, `spec.yaml`: the sweep's spec with every default written out; private values, "
    "such as paths, are left out",
    "- `manifest.json`: the numbers above for programs, and the SHA-256 of every file; "
    "`paretoflow verify` checks them and recomputes the front",
)


def card_text(view: SweepView, base: BaseModel | None = None) -> str:
    """Return a Markdown card: the export, its points, and how to load and prompt one.

    Args:
        view: The sweep.
        base: Base of the adapters; by default the spec's.
    """
    front, known = view.front, base or base_of(view)
    return "\n".join(
        [
            f"# {front.sweep}: a Pareto front of adapters",
            "",
            f"{len(front.points)} points that no other beats in every objective, found by "
            f"ParetoFlow in {front.finished} finished runs ({front.failed} failed). "
            f"It is {_snapshot_text(front)}.",
            "",
            hypervolume_line(front),
            "",
            "![The front](front.png)",
            "",
            "## Points",
            "",
            *points_table(front),
            "",
            "Scores are means over the eval prompts with one standard error; "
            "the same prompts and seeds for every point.",
            "",
            *doubt_lines(front),
            *confirmed_lines(view.confirmation),
            *changes_lines(view),
            "## Use one",
            "",
            *_usage(view, known),
            "",
            "## Files",
            "",
            *_FILES,
            *(["- `start_adapter/`: the adapter that the base starts from"] if known.start else []),
            "",
        ]
    )


def changes_lines(view: SweepView) -> list[str]:
    """Return lines on the changes of inputs that make evaluations differ; none without changes.

    A patch release of a library is not one of them; the manifest records it.
    """
    told = [f"**{_cell(_capital(str(change)))}.**" for change in view.changes if change.stops]
    return [line for text in told for line in (text, "")]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _snapshot_text(front: FrontView) -> str:
    """Return the number of the front snapshot in words, for a sentence."""
    if front.snapshot is not None:
        return f"front snapshot {front.snapshot} of the sweep"
    since = "any front snapshot" if front.after is None else f"front snapshot {front.after}"
    return f"newer than {since} that the sweep had recorded"


def hypervolume_line(front: FrontView) -> str:
    """Return sentences with the reported and corrected hypervolume and its interval."""
    low, high = front.hypervolume_ci
    ref = ", ".join(f"{o.name} {o.ref:.4g}" for o in front.problem.objectives)
    told = f"Hypervolume {front.hypervolume:.4g} as reported"
    if front.hypervolume_corrected is None:
        return f"{told}, against the reference point {ref}."
    return (
        f"{told}, {front.hypervolume_corrected:.4g} corrected, 95 % interval {low:.4g} to "
        f"{high:.4g}, against the reference point {ref}. The correction takes off what the points "
        "owe to luck: they were selected among all evaluations by the scores told here."
    )


def doubt_lines(front: FrontView) -> list[str]:
    """Return lines on points that another point may truly beat; none without such points."""
    if not any(p.doubtful for p in front.points):
        return []
    return [
        "A point marked ? may truly be beaten by another in every objective, with at least "
        f"{DOUBTFUL:.0%} probability by the eval prompts.",
        "",
    ]


def points_table(front: FrontView) -> list[str]:
    """Return the lines of a Markdown table with a row for each point."""
    names = [_cell(f"{o.name} {o.unit} ({o.direction.value})") for o in front.problem.objectives]
    conditioned = any(p.condition is not None for p in front.points)
    head = ["#", *names, "trained towards", "adapter", *(["asked with"] if conditioned else [])]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for number, point in enumerate(front.points, start=1):
        scores = [f"{s:.4g} ± {e:.2g}" for s, e in zip(point.scores, point.stderr, strict=True)]
        adapter = f"`{point.adapter_name}`" if point.path else "none"
        asked = [f"`{_cell(condition_brief(point.condition))}`"] if conditioned else []
        cells = [
            f"{number} ?" if point.doubtful else str(number),
            *scores,
            _towards(point),
            adapter,
            *asked,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _towards(point: FrontPoint) -> str:
    if point.weights is None:
        return "not trained"
    mixed = " (mixed)" if point.kind == LaunchKind.MERGE else ""
    return ", ".join(f"{w:.2f}" for w in point.weights) + mixed


def _usage(view: SweepView, base: BaseModel) -> list[str]:
    trained = [p for p in view.front.points if p.path]
    if not trained:
        return ["No point of this front has an adapter: there is nothing to load."]
    point = trained[len(trained) // 2]
    lines = usage_lines(base, f"adapters/{point.adapter_name}", asking_of(view.spec, point), point)
    return [*check_lines(base), "```python", *lines, "```"]


def _cell(text: str) -> str:
    return escape(" ".join(text.split())).replace("|", "\\|")
