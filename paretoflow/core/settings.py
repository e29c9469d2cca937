"""What a launch sets beside its weights, as the ledger keeps it and as people read it."""

from __future__ import annotations

Settings = tuple[tuple[str, float | int], ...]
"""Values that a launch takes instead of the spec's, by name, in the order of their names."""


def settings_text(settings: Settings) -> str:
    """Return for instance `learning_rate 0.0005, rank 8`; empty for none."""
    return ", ".join(f"{name} {value:.4g}" for name, value in settings)
