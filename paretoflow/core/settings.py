"""Settings of a launch beside its weights, as the ledger keeps them and as people read them."""

from __future__ import annotations

Settings = tuple[tuple[str, float | int], ...]
"""Values that override the spec's for one launch, by name, sorted by name."""


def settings_text(settings: Settings) -> str:
    """Return the settings as text, for instance `learning_rate 0.0005, rank 8`; empty for none."""
    return ", ".join(f"{name} {value:.4g}" for name, value in settings)
