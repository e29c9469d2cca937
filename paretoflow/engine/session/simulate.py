"""Run a sweep against an oracle, in virtual time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from paretoflow.core.errors import (
    PluginError,
)
from paretoflow.core.views import FrontView
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.planner import proposer_of
from paretoflow.engine.read.sweep import front_view
from paretoflow.engine.session.ending import Ending
from paretoflow.engine.simulation.backend import (
    AnyOracle,
    FaultModel,
    SimulatedBackend,
    SimulatedCluster,
)
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.load import require_valid
from paretoflow.spec.sweep import SweepSpec

ORACLES = {"llm_like": "paretoflow.engine.simulation.llm_like:LlmLikeOracle"}
"""Built-in oracles by name, as `module:factory`."""


@dataclass(frozen=True)
class Simulation:
    """A simulated sweep.

    Args:
        launches: Every run in the order in which it was proposed: run id and proposal as plain
            values.
        virtual_s: Duration in virtual seconds.
        ending: End of the session.
    """

    front: FrontView
    launches: tuple[dict[str, Any], ...]
    virtual_s: float
    ending: Ending

    @property
    def reason(self) -> str:
        """Return the reason for the end."""
        return self.ending.reason


def load_oracle(path: str) -> AnyOracle:
    """Import `module:factory` and call the factory; the current folder is on the import path.

    The name of a built-in oracle (`ORACLES`) is enough.

    Raises:
        PluginError: If the module or the factory does not exist, or the oracle has neither
            `launch` nor `train`.
    """
    module_name, _, name = ORACLES.get(path, path).partition(":")
    if not module_name or not name:
        ours = ", ".join(ORACLES)
        hint = f"write it as module:factory, or name one of ours: {ours}"
        raise PluginError(f"got {path!r}", "--oracle", hint, code="plugin-import")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise PluginError(
            f"cannot import {module_name!r}: {error}",
            "--oracle",
            "run in the folder that holds it",
            code="plugin-import",
        ) from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise PluginError(
            f"module {module_name!r} has no function {name!r}",
            "--oracle",
            "check the spelling",
            code="plugin-import",
        )
    oracle = factory()
    if not any(callable(getattr(oracle, method, None)) for method in ("launch", "train")):
        raise PluginError(
            f"{path} returned {type(oracle).__name__}, which has no launch(proposal, rng) and no "
            "train(task, rng)",
            "--oracle",
            "return an object with launch(proposal, rng) -> [(cost, scores), ...]",
            code="plugin-import",
        )
    return cast("AnyOracle", oracle)


def simulate(
    spec: SweepSpec,
    oracle: AnyOracle,
    *,
    faults: FaultModel | None = None,
    ledger: MemoryLedger | None = None,
) -> Simulation:
    """Run the same planner and ledger against an oracle, in virtual time.

    Raises:
        SpecError: If the spec breaks a rule, or an objective declares no range, as there are no
            answers to calibrate it from.
    """
    require_valid(spec, simulated=True)
    problem = declared_problem(spec.objectives)
    cluster = SimulatedCluster(oracle, problem, spec.engine, seed=spec.seed, faults=faults)
    proposer = proposer_of(spec)
    ledger = ledger or MemoryLedger()
    driver = Driver(spec, ledger, SimulatedBackend(cluster), proposer)
    reason = driver.run()
    state = driver.state
    return Simulation(
        front=front_view(state, spec.name, ledger.fronts()),
        launches=tuple(_launches(state)),
        virtual_s=cluster.time.now_s,
        ending=Ending.of(state, reason),
    )


def _launches(state: SweepState) -> Sequence[dict[str, Any]]:
    return [
        {"run_id": r.run_id, "status": r.status.value, **r.proposal.to_dict()}
        for r in state.runs.values()
    ]
