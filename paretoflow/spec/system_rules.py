"""Rules for objectives that are system costs; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft
from paretoflow.spec.objectives import SystemObjectiveSpec
from paretoflow.spec.positions import Fault


def system_costs(draft: Draft) -> Iterator[Fault]:
    """Yield faults of system costs: no range, or nothing beside them that a run could train for."""
    costs = [(i, o) for i, o in draft.objectives if isinstance(o, SystemObjectiveSpec)]
    for index, objective in costs:
        if objective.range is None:
            what = f"`{objective.name}` declares no range, and the base's answers do not tell one"
            hint = f"add `range: [low, high]` in {objective.unit or 'its unit'}, the differences "
            hint += "that matter"
            yield Fault(("objectives", index, "type"), what, hint)
    if len(costs) > 1 and len(costs) == len(draft.objectives):
        what = "got system costs alone, and no training moves them; allowed: beside an objective "
        what += "of the answers"
        yield Fault(("objectives", costs[0][0], "type"), what, "add what the answers are to be")
