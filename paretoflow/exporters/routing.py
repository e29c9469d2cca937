"""Routing table from preferences to models: a lattice over the simplex, by the rule of `pick`."""

from __future__ import annotations

from dataclasses import replace
from math import comb
from typing import Any

import pyarrow as pa

from paretoflow.core.conditions import condition_json
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.core.views import FrontView, front_number
from paretoflow.exporters.asking import Asking, Marks
from paretoflow.front.selection import pick
from paretoflow.front.simplex import das_dennis

MAX_ROWS = 1000
_DIVISIONS = (100, 50, 20, 10, 5, 4, 2, 1)

RULE = (
    "A preference is one non-negative number for each objective, summing to 1. Take the row whose "
    "`prefer` is nearest to it (least squared distance) and send the request to its `model`. Each "
    "row holds the point with the largest preference-weighted sum of scores, each score as a share "
    "of its frozen range: what `paretoflow pick --prefer` answers. Where a row has a `condition`, "
    "its model serves many preferences: put `condition.prefix` before the last line of the "
    "prompt's text (of a chat: of its rendered text), or ask as the condition says. Send `request` "
    "with every request, and what a row's own `request` says over it: with less, a server draws "
    "other answers than were scored."
)


def divisions_of(m: int) -> int:
    """Return the number of steps along each edge of the simplex: the most within `MAX_ROWS` rows.

    By hand: 100 for two objectives (101 rows), 20 for three (231 rows).
    """
    return next((d for d in _DIVISIONS if comb(d + m - 1, m - 1) <= MAX_ROWS), 1)


def servable(front: FrontView) -> FrontView:
    """Return the front with only the points that a server can serve: adapters, and the base."""
    points = tuple(p for p in front.points if p.path or p.run_id == BASE_RUN_ID)
    return replace(front, points=points)


def model_name(point: FrontPoint, base: str) -> str:
    """Return the name of a point's model in requests."""
    return point.adapter_name if point.path else base


def routing_of(front: FrontView, base: str) -> dict[str, Any]:
    """Return the routing table as plain JSON values.

    `models` holds the scores of each model, or of each point of a model that serves many.

    Args:
        front: The points to choose from; see `servable`.
        base: Name of the base model in requests.
    """
    names = front.problem.names
    divisions = divisions_of(front.problem.m)
    rows = []
    for weights in das_dennis(front.problem.m, divisions).tolist():
        point = pick(front, prefer=dict(zip(names, weights, strict=True)))
        rows.append({"prefer": weights, "model": model_name(point, base), **_asked(point)})
    return {
        "rule": RULE,
        "sweep": front.sweep,
        **front_number(front.snapshot, front.after),
        "objectives": [
            {
                "name": o.name,
                "direction": o.direction.value,
                "unit": o.unit,
                "range": [o.low, o.high],
            }
            for o in front.problem.objectives
        ],
        "step": 1 / divisions,
        "base_model": base,
        "models": {
            _asked(p).get("point", model_name(p, base)): dict(zip(names, p.scores, strict=True))
            for p in front.points
        },
        "table": rows,
    }


def _asked(point: FrontPoint) -> dict[str, Any]:
    """Return the fields of a row for a point that shares its model, or has its own sampling."""
    own = dict(point.settings) | dict(point.condition or {})
    drawn = {name: own[name] for name in ("temperature", "top_p") if name in own}
    row: dict[str, Any] = {"request": drawn} if drawn else {}
    if point.condition is None:
        return row
    return {"point": point.snapshot_id, "condition": dict(point.condition), **row}


def request_of(asking: Asking, marks: Marks) -> dict[str, Any]:
    """Return the fields of every request to a server, so that it samples as in scoring.

    A server has its own defaults, and reads others from the base's `generation_config.json`. So
    each option is set, even one without effect.
    """
    plain = {} if asking.chat else {"add_special_tokens": marks.special}
    args = {"chat_template_kwargs": dict(asking.chat_args)} if asking.chat_args else {}
    stops = {"stop": list(asking.stop)} if asking.stop else {}
    return {
        "max_tokens": asking.max_new_tokens,
        "temperature": asking.temperature,
        "top_p": asking.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        **stops,
        **plain,
        **args,
    }


def routing_table(routing: dict[str, Any]) -> pa.Table:
    """Return the rows of `routing_of`.

    Columns: `prefer_<name>`, `model`, `condition` as JSON text, and `score_<name>`.
    """
    rows, names = routing["table"], [o["name"] for o in routing["objectives"]]
    scores = [routing["models"][row.get("point", row["model"])] for row in rows]
    conditions = [condition_json(row.get("condition")) for row in rows]
    return pa.table(
        {
            **{f"prefer_{n}": [r["prefer"][k] for r in rows] for k, n in enumerate(names)},
            "model": [r["model"] for r in rows],
            "condition": pa.array(conditions, pa.string()),
            **{f"score_{n}": [s[n] for s in scores] for n in names},
        }
    )
