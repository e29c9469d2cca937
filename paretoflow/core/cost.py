"""What runs and evaluations spend."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What was spent on a run or an evaluation; costs add.

    Args:
        wall_s: Wall-clock seconds.
        device_s: Seconds times devices (a rank without a GPU counts as one device).
        tokens: Tokens trained on or generated.
    """

    wall_s: float = 0.0
    device_s: float = 0.0
    tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(
            self.wall_s + other.wall_s, self.device_s + other.device_s, self.tokens + other.tokens
        )
