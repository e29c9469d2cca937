from paretoflow.api import Front as Front
from paretoflow.api import Sweep as Sweep
from paretoflow.api import load as load
from paretoflow.api import open_sweep as open_sweep
from paretoflow.api import run as run
from paretoflow.core.errors import ParetoflowError as ParetoflowError
from paretoflow.core.errors import UserError as UserError
from paretoflow.core.front_point import FrontPoint as FrontPoint
from paretoflow.core.protocols import Objective as Objective
from paretoflow.core.protocols import Prompt as Prompt
from paretoflow.core.values import Direction as Direction
from paretoflow.spec.sweep import SweepSpec as SweepSpec

__all__: list[str]
__version__: str
