"""What a program of the user's own needs and can do."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.launches import TRAINING_LAUNCHES

COMMAND: dict[str, Capabilities] = {
    "command": Capabilities(
        paper="the program's own",
        kind="program",
        data="scored",
        serves="point",
        distributed="single",
        launches=TRAINING_LAUNCHES,
        distributed_note="a gang starts one program; it may start processes of its own",
        needs=("program",),
    ),
}
"""YAML tag to capabilities."""
