"""`paretoflow pick`: the adapter of a front that matches a preference."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from paretoflow.cli.console import echo, new_console
from paretoflow.cli.front import Snapshot
from paretoflow.cli.options import Format, FormatOption, SweepRoot
from paretoflow.core.errors import UserError
from paretoflow.core.values import BASE_RUN_ID
from paretoflow.core.views import front_number

if TYPE_CHECKING:
    from paretoflow.api import Front
    from paretoflow.core.front_point import FrontPoint
    from paretoflow.core.views import SweepView


_NAMED = "NAME=NUMBER,…"
_PREFER_HELP = "How much each objective matters; the rest matter nothing."
_LEAST_HELP = "Lowest score allowed, for objectives to maximize."
_MOST_HELP = "Highest score allowed, for objectives to minimize."

Named = list[str] | None
Prefer = Annotated[Named, typer.Option("--prefer", metavar=_NAMED, help=_PREFER_HELP)]
AtLeast = Annotated[Named, typer.Option("--at-least", metavar=_NAMED, help=_LEAST_HELP)]
AtMost = Annotated[Named, typer.Option("--at-most", metavar=_NAMED, help=_MOST_HELP)]

Confirmed = Annotated[
    bool,
    typer.Option(
        "--confirmed", help="Choose among the confirmed points, by their scores on fresh prompts."
    ),
]


def pick(
    sweep: SweepRoot,
    prefer: Prefer = None,
    at_least: AtLeast = None,
    at_most: AtMost = None,
    confirmed: Confirmed = False,
    format: FormatOption = Format.TEXT,
    snapshot: Snapshot = None,
) -> None:
    """Pick the point of a front that matches a preference, and show how to use its adapter.

    Among the points that keep the constraints, the one with the largest preference-weighted sum of
    scores wins, each score as a share of its frozen range. Without --prefer, the objectives without
    a constraint have equal weights.
    """
    from paretoflow.api import Front, open_sweep
    from paretoflow.front.confirmed import confirmed_view

    wishes = {
        "prefer": named_numbers(prefer, "--prefer"),
        "at_least": named_numbers(at_least, "--at-least"),
        "at_most": named_numbers(at_most, "--at-most"),
    }
    opened = open_sweep(sweep)
    view = opened.view(snapshot)
    found = Front(confirmed_view(view) if confirmed else view.front, opened.root)
    point = found.pick(**wishes)
    if format is Format.JSON:
        adapter = found.adapter(point)
        facts = {
            "sweep": found.view.sweep,
            **front_number(found.view.snapshot, found.view.after),
            **found.point_dict(point),
        }
        echo(json.dumps(facts | {"adapter": adapter and str(adapter)}, indent=1, allow_nan=False))
    else:
        _show(found, point, view)


def named_numbers(given: list[str] | None, option: str) -> dict[str, float]:
    """Parse `a=0.7,b=0.3`, given once or several times.

    Raises:
        UserError: If a part is not a name with a number, or a name comes twice.
    """
    numbers: dict[str, float] = {}
    for part in (p.strip() for text in given or [] for p in text.split(",")):
        name, equals, value = (s.strip() for s in part.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not (name and equals) or number != number:
            raise UserError(
                f"{part!r} is not a name with a number",
                option,
                f"write {option} coverage=0.7,length=0.3",
                code="usage-option",
            )
        if name in numbers:
            raise UserError(
                f"{name} is given twice", option, "give each name once", code="usage-option"
            )
        numbers[name] = number
    return numbers


def _show(found: Front, point: FrontPoint, view: SweepView) -> None:
    from paretoflow.core.settings import settings_text
    from paretoflow.exporters.adapters import kept_start
    from paretoflow.exporters.asking import asking_of
    from paretoflow.exporters.base_model import base_of, digest_in
    from paretoflow.exporters.snippet import usage_lines
    from paretoflow.report.labels import score_text, weights_text
    from paretoflow.storage.cache import adapter_cache

    console = new_console()
    problem = found.view.problem
    console.print(f"{point.snapshot_id}", style="bold", markup=False)
    for objective, score, stderr in zip(
        problem.objectives, point.scores, point.stderr, strict=True
    ):
        console.print(
            f"  {objective.name} {score_text(score, stderr)} {objective.unit}".rstrip(),
            markup=False,
        )
    made = "trained towards" if point.merge is None else "mixed for"
    how = made if point.condition is None else "asked for"
    console.print(f"  {how} {weights_text(point.weights, problem)} ({point.kind})", markup=False)
    if point.settings:
        console.print(f"  with {settings_text(point.settings)}", markup=False)
    if point.merge is not None:
        console.print(f"  {point.merge}", markup=False)
    adapter = found.adapter(point)
    if adapter is None:
        bare = point.run_id == BASE_RUN_ID
        console.print("  the base model itself: no adapter" if bare else "  no adapter was kept")
        return
    console.print(f"  adapter {shlex.quote(str(adapter))}\n", markup=False, soft_wrap=True)
    base = replace(base_of(view), digest=digest_in(adapter))
    if base.start:
        base = replace(base, start=str(kept_start(view, adapter_cache() / base.digest)))
    for line in usage_lines(base, str(adapter), asking_of(view.spec, point), point):
        console.print(line, markup=False, soft_wrap=True)
