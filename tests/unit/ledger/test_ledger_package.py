from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_does_not_load_delta() -> None:
    program = "import sys, paretoflow.ledger; sys.exit('deltalake' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
