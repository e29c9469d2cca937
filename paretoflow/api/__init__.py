"""The Python API of ParetoFlow: load a spec, run it, open a sweep, read its front.

It mirrors the command line. Heavy modules are imported inside the functions that need them.
"""

from paretoflow.api.front import Front
from paretoflow.api.sweep import Sweep, load, open_sweep, run

__all__ = ["Front", "Sweep", "load", "open_sweep", "run"]
