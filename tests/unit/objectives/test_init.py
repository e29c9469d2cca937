from __future__ import annotations

import subprocess
import sys


def test_importing_the_family_loads_no_scorer_library() -> None:
    code = (
        "import sys, paretoflow.objectives, paretoflow.data, paretoflow.scoring.panel\n"
        "heavy = ('torch', 'transformers', 'datasets', 'rouge_score', 'pyarrow')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
