"""The preferences that a checkpoint serves, and the condition for each.

A method maps one preference to its condition (`Ask`). This module covers the simplex evenly and,
where the spec chooses one of several answers, gives the condition of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from paretoflow.core.ids import rng_of
from paretoflow.core.protocols import Checkpoint, Served
from paretoflow.core.values import FloatArray, WeightVector
from paretoflow.front.simplex import lattice_at_least
from paretoflow.methods.conditioned.prompts import directions_within, weights_of
from paretoflow.spec.methods.conditioned import RpsSelectSpec, SelectSpec, ServeSpec

Ask = Callable[[FloatArray], Served]
"""Maps weights, shape (m,), to the artifact's condition for them, which is JSON-able."""

Report = Callable[[Checkpoint], None]


def served_points(serve: ServeSpec, m: int, ask: Ask) -> tuple[Served, ...]:
    """Return the preferences to evaluate, evenly over the simplex, first objective's last.

    The same for every checkpoint and seed. By hand: two objectives and 3 points are the weights
    (0, 1), (0.5, 0.5) and (1, 0).

    Args:
        serve: Number of preferences, and whether one of several answers is chosen.
        m: Number of objectives.
        ask: Maps a preference to its condition.
    """
    lattice = lattice_at_least(m, serve.points)
    points = [ask(WeightVector.of(row).array) for row in lattice]
    if serve.select is None:
        return tuple(points)
    return tuple(chosen_among(point, serve.select, ask) for point in points)


def chosen_among(point: Served, select: SelectSpec, ask: Ask) -> Served:
    """Return the point with several answers per prompt, of which the best counts.

    References:
        RPS (robust preference selection), default k = 5 and angle = 30: one answer to each of k
        neighbouring preferences, of which the best along the requested preference is kept; its fair
        baseline is the best of k answers to that preference. Departures: (1) the neighbours of a
        point are drawn once and stated in its condition, not again for each prompt, so that a user
        of the artifact prompts it as the evaluation did; (2) scores are standardised by the base's
        answers.
    """
    draws = tuple(ask(w) for w in _asked_for(point.weights, select))
    conditions = [dict(d.condition) for d in draws]
    condition = {
        **point.condition,
        "select": {**select.model_dump(), "draws": conditions},
    }
    return replace(point, condition=condition, draws=draws)


def serving(report: Report, served: tuple[Served, ...]) -> Report:
    """Return a report callback that adds the served preferences to each checkpoint."""
    return lambda checkpoint: report(replace(checkpoint, served=served))


def _asked_for(weights: FloatArray, select: SelectSpec) -> list[FloatArray]:
    if not isinstance(select, RpsSelectSpec):
        return [weights] * select.k
    rng = rng_of("rps", *(f"{w:.12f}" for w in weights))
    near = directions_within(weights, select.angle, select.k, rng)
    return [WeightVector.of(weights_of(v)).array for v in near]
