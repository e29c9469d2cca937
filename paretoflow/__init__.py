"""ParetoFlow: distributed Pareto-front sweeps for language-model alignment.

The names below are the public API. Each is imported when it is first used, so that
`import paretoflow` is fast. `__init__.pyi` declares them for type checkers and editors.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Direction",
    "Front",
    "FrontPoint",
    "Objective",
    "ParetoflowError",
    "Prompt",
    "Sweep",
    "SweepSpec",
    "UserError",
    "load",
    "open_sweep",
    "run",
]

_HOMES = {
    "Direction": "paretoflow.core.values",
    "Front": "paretoflow.api",
    "FrontPoint": "paretoflow.core.front_point",
    "Objective": "paretoflow.core.protocols",
    "ParetoflowError": "paretoflow.core.errors",
    "Prompt": "paretoflow.core.protocols",
    "Sweep": "paretoflow.api",
    "SweepSpec": "paretoflow.spec.sweep",
    "UserError": "paretoflow.core.errors",
    "load": "paretoflow.api",
    "open_sweep": "paretoflow.api",
    "run": "paretoflow.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'paretoflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return sorted([*__all__, "__version__"])
