"""`paretoflow` with worker groups that cost nothing: the command of the tests that kill drivers."""

from __future__ import annotations

import functools
import sys

from paretoflow.cli.main import main
from paretoflow.engine.session import run as session
from tests.integration.cheap_executor import CHEAP

if __name__ == "__main__":
    session.run_sweep = functools.partial(session.run_sweep, executor=CHEAP)  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
