"""The cost of runs and evaluations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Time and tokens spent on a run or an evaluation; costs can be added.

    Args:
        wall_s: Wall-clock seconds.
        device_s: Seconds times devices (a worker without a GPU counts as one device).
        tokens: Tokens trained on or generated.
    """

    wall_s: float = 0.0
    device_s: float = 0.0
    tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Return the sum of two costs."""
        return Cost(
            self.wall_s + other.wall_s, self.device_s + other.device_s, self.tokens + other.tokens
        )
