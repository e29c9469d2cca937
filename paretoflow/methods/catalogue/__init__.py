"""What each method needs, serves and can do: a module for each family, all tags in one table."""

from __future__ import annotations

from paretoflow.core.protocols import Capabilities
from paretoflow.methods.catalogue.command import COMMAND
from paretoflow.methods.catalogue.conditioned import CONDITIONED
from paretoflow.methods.catalogue.gradients import GRADIENTS
from paretoflow.methods.catalogue.offline import OFFLINE
from paretoflow.methods.catalogue.online import ONLINE

CAPABILITIES: dict[str, Capabilities] = {
    **COMMAND,
    **CONDITIONED,
    **GRADIENTS,
    **OFFLINE,
    **ONLINE,
}
"""YAML tag to capabilities; read by `plugins` and `check`, so torch stays away."""
