from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep


@pytest.fixture(scope="module")
def finished_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a simulated sweep of six runs; leave it as you found it."""
    storage = tmp_path_factory.mktemp("storage")
    return simulated_sweep(circle_spec(stop={"runs": 6}, storage=str(storage)), CircleOracle())
