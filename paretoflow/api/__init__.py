"""The Python face of ParetoFlow: load a spec, run it, open a sweep, look at its front.

Mirrors the command line. Everything heavy is imported inside the function that needs it.
"""

from paretoflow.api.front import Front
from paretoflow.api.sweep import Sweep, load, open_sweep, run

__all__ = ["Front", "Sweep", "load", "open_sweep", "run"]
