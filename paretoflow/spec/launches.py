"""What the launches of a proposer ask of a method, beside training towards weights."""

from __future__ import annotations

BEYOND_WEIGHTED = {
    "cmorl": "constrained",
    "cmorl_hv": "constrained",
    "empty_box": "constrained",
    "map": "merge",
    "soups": "merge",
}
"""Proposer tag to the kind of launch that it cannot do without; the others need weights alone."""
