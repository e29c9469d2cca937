"""The model card of a front on the Hugging Face hub: YAML front matter and Markdown."""

from __future__ import annotations

from typing import Any

import yaml

from paretoflow.core.values import BASE_RUN_ID, Direction
from paretoflow.core.views import FrontView, SweepView
from paretoflow.exporters.asking import asking_of
from paretoflow.exporters.base_model import BaseModel, base_of, check_lines
from paretoflow.exporters.card import (
    changes_lines,
    doubt_lines,
    hypervolume_line,
    points_table,
)
from paretoflow.exporters.confirmed_card import confirmed_lines
from paretoflow.exporters.snippet import usage_lines
from paretoflow.spec.public import on_hub


def hub_card(view: SweepView, base: BaseModel | None = None) -> str:
    """Return the card: front matter for the hub, the points, and how to load and upload them.

    Args:
        view: The sweep.
        base: Base of the adapters; by default the spec's.
    """
    front = view.front
    matter = yaml.safe_dump(front_matter(view), sort_keys=False, allow_unicode=True)
    return "\n".join(
        [
            "---",
            matter.rstrip(),
            "---",
            "",
            f"# {front.sweep}",
            "",
            f"{len(front.points)} points of a Pareto front over {_objectives(front)}: none beats "
            "another in every objective. Each trained point is a LoRA adapter in a folder of its "
            "own; take the one that suits your preference. Found with ParetoFlow in "
            f"{front.finished} finished runs.",
            "",
            "![The front](front.png)",
            "",
            *points_table(front),
            "",
            hypervolume_line(front),
            "Scores are means over the eval prompts with one standard error.",
            "",
            *doubt_lines(front),
            *confirmed_lines(view.confirmation),
            *changes_lines(view),
            "## Use one",
            "",
            *_usage(view, base or base_of(view)),
            "",
            "## Files",
            "",
            "`front.parquet` and `evaluations.parquet` hold every number, `spec.yaml` the sweep, "
            "`manifest.json` the SHA-256 of every file: `paretoflow verify .` checks them and "
            "recomputes the front.",
            "",
            *_upload(front.sweep),
            "",
        ]
    )


def front_matter(view: SweepView) -> dict[str, Any]:
    """Return the front matter: base, library, tags, and the best score of each objective.

    A base that is not on the hub is left out, since its name would link to an unrelated model.
    """
    base = hub_base(view.spec["model"])
    known = {} if base is None else {"base_model": base, "base_model_relation": "adapter"}
    return {
        **known,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "pareto-front", "multi-objective", "paretoflow", _method(view)],
        "model-index": [
            {
                "name": view.front.sweep,
                "results": [
                    {
                        "task": {"type": "text-generation"},
                        "dataset": {"type": _data(view), "name": f"{_data(view)}, eval prompts"},
                        "metrics": _metrics(view.front),
                    }
                ],
            }
        ],
    }


def hub_base(model: dict[str, Any]) -> str | None:
    """Return the base's id on the hub; None for any other base.

    A base with an adapter merged into it is another model than that of the id.
    """
    if model.get("adapter"):
        return None
    path = str(model.get("path", ""))
    return path if model["type"] == "pretrained" and on_hub(path) else None


def _metrics(front: FrontView) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = []
    for k, objective in enumerate(front.problem.objectives):
        best = max if objective.direction is Direction.MAXIMIZE else min
        way = "more" if objective.direction is Direction.MAXIMIZE else "less"
        unit = f" [{objective.unit}]" if objective.unit else ""
        metrics.append(
            {
                "type": objective.name,
                "name": f"{objective.name}{unit}, {way} is better: best of the front",
                "value": float(best(p.scores[k] for p in front.points)),
            }
        )
    return metrics


def _usage(view: SweepView, base: BaseModel) -> list[str]:
    trained = [p for p in view.front.points if p.path]
    if not trained:
        return ["No point of this front has an adapter: there is nothing to load."]
    middle = trained[len(trained) // 2]
    lines = usage_lines(
        base,
        f"your-name/{view.front.sweep}",
        asking_of(view.spec, middle),
        middle,
        subfolder=middle.adapter_name,
    )
    text = [*check_lines(base), "```python", *lines, "```"]
    if any(p.run_id == BASE_RUN_ID for p in view.front.points):
        text += ["", "The point that was not trained is the base model itself."]
    return text


def _upload(sweep: str) -> list[str]:
    return [
        "## Upload",
        "",
        "Nothing was uploaded. Add a `license` to the lines at the top, then, in this folder:",
        "",
        "```console",
        f"hf upload your-name/{sweep} .",
        "```",
    ]


def _objectives(front: FrontView) -> str:
    return ", ".join(f"`{o.name}` ({o.direction.value})" for o in front.problem.objectives)


def _method(view: SweepView) -> str:
    return str(view.spec["method"]["type"])


def _data(view: SweepView) -> str:
    """Return the data set's id on the hub, or else the kind of source: a local path is private."""
    data = view.spec["data"]
    path = str(data.get("path", ""))
    return path if data["type"] == "hub" and on_hub(path) else str(data["type"])
