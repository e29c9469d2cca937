"""Our proposers in a real run of Ray Tune."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoflow.front.hypervolume import hypervolume

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray")


@pytest.fixture
def two_cores():
    from tests.integration.examples.tune_search import start_ray

    start_ray()
    yield
    ray.shutdown()


@pytest.mark.full
def test_ray_tune_searches_with_our_proposer_and_restores_it(
    two_cores: None, tmp_path: Path
) -> None:
    from ray import tune

    from paretoflow.integrations.ray_tune import ParetoSearcher
    from tests.integration.examples.concave import OBJECTIVES
    from tests.integration.examples.tune_search import STEPS, train, tuner

    results = tuner(8, tmp_path).fit()
    found = [r.metrics for r in results if r.metrics is not None]
    assert len(found) == 8
    gains = [[m["kind"], -m["seconds"] / 10] for m in found]
    ends = [[1.0, -1.0], [0.0, 0.0]]
    assert hypervolume(gains, [-0.1, -1.1]) > 1.2 * hypervolume(ends, [-0.1, -1.1])
    launches = [m["config"] for m in found]
    assert {x["kind"] for x in launches} == {"weighted", "constrained"}
    assert {x["parent"] for x in launches} - {None} <= {m["trial_id"] for m in found}
    steps = [m["training_iteration"] for m in found]
    assert min(steps) < STEPS == max(steps)  # some were stopped at a rung
    restored = tune.Tuner.restore(str(tmp_path / "concave"), trainable=train)
    assert len(restored.get_results()) == 8
    searcher = ParetoSearcher(OBJECTIVES, runs=8)
    searcher.restore_from_dir(str(tmp_path / "concave"))  # as Tune does before it continues
    asked = [tuple(x["weights"]) for x in launches if x["kind"] == "weighted"]
    assert tuple(searcher.suggest("next")["weights"]) not in asked
