"""Records sweeps of the embedded task to replay: `python -m tests.benchmarks.proposers.record`.

It makes real trainings on a lattice of weights, without Ray, and records the oriented scores of
every checkpoint; see `oracles.ReplayOracle` for the files. It takes about 15 minutes on one core.
The files are committed: a benchmark of proposers needs no trainer.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.inline import run_inline
from tests.benchmarks.proposers.problems import RECORDED

QUICKSTART = Path(__file__).parents[3] / "jobs" / "quickstart.yaml"
PRECISION = {
    "name": "precision",
    "type": "rouge",
    "variant": "rouge1",
    "measure": "precision",
    "direction": "maximize",
    "unit": "share",
    "range": [0, 1],
    "ref": 0,
}
SWEEPS: dict[str, tuple[int, int]] = {"embedded_two": (2, 25), "embedded_three": (3, 28)}
"""Name to objectives and runs: a lattice of 24 steps, and one of 6."""


def spec_of(objectives: int, runs: int, folder: str) -> SweepSpec:
    """Return the quickstart's sweep on a lattice; with the precision of answers for a third."""
    plain: dict[str, Any] = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))
    plain["objectives"] = [*plain["objectives"], PRECISION][:objectives]
    changes = {"proposer": {"type": "lattice"}, "stop": {"runs": runs}, "storage": folder}
    return SweepSpec.model_validate({**plain, **changes})


def recording_of(name: str, state: SweepState) -> dict[str, Any]:
    """Return the content of a file: the weights of each run and the gains of its checkpoints."""
    history = state.history()
    runs = [
        {
            "weights": [round(w, 6) for w in run.proposal.weights.values],
            "gains": history.gains[history.run_index == place].round(6).tolist(),
        }
        for place, run in enumerate(history.runs)
    ]
    return {"sweep": name, "objectives": list(history.problem.names), "runs": runs}


def main() -> None:
    """Record what has no file yet."""
    RECORDED.mkdir(exist_ok=True)
    for name, (objectives, runs) in SWEEPS.items():
        path = RECORDED / f"{name}.json"
        if not path.exists():
            with tempfile.TemporaryDirectory() as folder:
                told = recording_of(name, run_inline(spec_of(objectives, runs, folder)))
            path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            print(f"{path.name}: {len(told['runs'])} runs", flush=True)


if __name__ == "__main__":
    main()
