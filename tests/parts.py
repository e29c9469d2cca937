"""Runs the tests in parts beside each other; what they import is loaded once, before they fork.

    python -m tests.parts                 what `make test` runs
    python -m tests.parts -m ''           what `make test-full` runs: arguments go to pytest

The last part is shown as it runs, the others when all have ended. Integration tests wait for other
processes much of their time, so that two cores are enough for five parts.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import pytest

from paretoflow.methods.distributed.untracked import without_trackers

HERE = Path(__file__).parent
CLUSTERS = ("cluster_faults", "pausing", "submit", "two_machines", "worker_groups")
COMMANDS = ("tests/sim", "tests/unit/cli", "tests/unit/engine")
PRELOADED = (
    "torch", "transformers", "transformers.trainer", "peft", "trl", "trl.trainer.dpo_trainer",
    "trl.trainer.grpo_trainer", "pymoo.indicators.hv", "scipy.stats", "deltalake",
    "pyarrow.dataset", "jinja2", "paretoflow.cli.main",
)  # fmt: skip
"""Modules that several parts use and that start no thread when they are imported."""


QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


def parts() -> dict[str, list[str]]:
    """Return the files and folders of each part, by its title; together they are all the tests."""
    clusters = [f"tests/integration/test_{name}.py" for name in CLUSTERS]
    sweeps = [_path(p) for p in sorted((HERE / "integration").glob("test_*.py"))]
    units = [_path(p) for p in sorted((HERE / "unit").iterdir()) if p.name[0] not in "._"]
    return {
        "tests/integration, clusters": clusters,
        "tests/integration, other sweeps": [p for p in sweeps if p not in clusters],
        "tests/contracts, tests/fuzz, tests/docs": ["tests/contracts", "tests/fuzz", "tests/docs"],
        ", ".join(COMMANDS): list(COMMANDS),
        "tests/unit, the rest": [p for p in units if p not in COMMANDS],
    }


def _path(path: Path) -> str:
    return path.relative_to(HERE.parent).as_posix()


def _begin(paths: list[str], options: list[str], log: Path | None) -> int:
    """Fork a process that runs tests; return its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if log is not None:
            with log.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
        # no assertion of an installed plugin that torch or trl has imported needs to be rewritten
        status = int(pytest.main([*QUIET, *options, *paths]))
    except BaseException:  # noqa: BLE001  # nothing may run on in this copy of the process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(options: list[str]) -> int:
    """Run all parts; return 0 when all of them passed."""
    with without_trackers():
        for name in PRELOADED:
            import_module(name)
    logs = Path(sys.prefix)
    begun: dict[int, tuple[str, Path | None]] = {}
    todo = list(parts().items())
    for number, (title, paths) in enumerate(todo, start=1):
        log = logs / f"test-part-{number}.log" if number < len(todo) else None
        begun[_begin(paths, options, log)] = (title, log)
    ended = {child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in begun}
    for title, log in begun.values():
        if log is not None:
            print(f"== {title}\n{log.read_text(errors='replace')}")  # noqa: T201
    failed = [begun[child][0] for child, status in ended.items() if status]
    print("\n".join(f"failed: {title}, see above" for title in failed))  # noqa: T201
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
