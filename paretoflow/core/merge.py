"""The description of a merge: a launch that mixes adapters instead of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Merge:
    """Parents and parameters of a launch that mixes adapters instead of training.

    Args:
        how: Tag of the merge algorithm, see `methods.merging.WAYS`.
        parents: Checkpoints whose adapters are mixed.
        coefficients: One for each parent; empty where the algorithm finds them itself.
        options: Further parameters of the algorithm; JSON-able, sorted by name.
    """

    how: str
    parents: tuple[str, ...]
    coefficients: tuple[float, ...] = ()
    options: tuple[tuple[str, float | int | str], ...] = ()

    def __str__(self) -> str:
        """Return for instance `0.30 of r0000-…-s0040, 0.70 of r0001-…-s0040 (cat)`."""
        if not self.coefficients:
            return f"{', '.join(self.parents)} ({self.how})"
        pairs = zip(self.coefficients, self.parents, strict=True)
        return f"{', '.join(f'{c:.2f} of {parent}' for c, parent in pairs)} ({self.how})"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; `from_dict` gives back an equal merge."""
        return {
            "how": self.how,
            "parents": list(self.parents),
            "coefficients": list(self.coefficients),
            "options": dict(self.options),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Merge:
        """Build a merge from `to_dict`'s form."""
        return cls(
            plain["how"],
            tuple(plain["parents"]),
            tuple(float(c) for c in plain["coefficients"]),
            tuple(sorted(plain["options"].items())),
        )
