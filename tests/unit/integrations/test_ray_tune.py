"""The searcher and the scheduler without a cluster; `make test-full` has a run."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest

from paretoflow.integrations.asking import objective
from tests.integration.examples.concave import OBJECTIVES, trained

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
from ray.tune.search import Searcher  # noqa: E402

from paretoflow.integrations.ray_tune import ParetoRungs, ParetoSearcher  # noqa: E402

GAINS = [objective("a", 0, 1), objective("b", 0, 1)]


def told(searcher, trial_id, launch, **more):
    kind, seconds = trained(launch)
    searcher.on_trial_complete(trial_id, {"kind": kind, "seconds": seconds} | more)


def opened(**settings):
    """A searcher whose opening stage has ended."""
    searcher = ParetoSearcher(OBJECTIVES, runs=12, **settings)
    for name in ("t0", "t1", "t2"):
        told(searcher, name, searcher.suggest(name))
    return searcher


def test_trials_under_way_are_known_to_the_proposer():
    searcher = ParetoSearcher(OBJECTIVES, runs=12)
    opening = [searcher.suggest(f"t{i}") for i in range(3)]
    assert [x["weights"] for x in opening] == [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    searcher = opened()
    one, two = searcher.suggest("t3"), searcher.suggest("t4")
    assert one["kind"] == two["kind"] == "constrained"
    assert one["parent"] in {"t0", "t1", "t2"}
    assert (one["target"], one["thresholds"]) != (two["target"], two["thresholds"])


def test_weights_alone_on_request():
    searcher = opened(launches=("weighted",))
    assert {searcher.suggest(f"u{i}")["kind"] for i in range(4)} == {"weighted"}


def test_a_proposer_that_waits_or_is_done():
    searcher = ParetoSearcher(OBJECTIVES, runs=2, proposer="lattice")
    launches = [searcher.suggest(f"t{i}") for i in range(2)]
    assert searcher.suggest("t2") is None
    for i, launch in enumerate(launches):
        told(searcher, f"t{i}", launch)
    assert searcher.suggest("t2") == Searcher.FINISHED


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (None, True),
        (None, False),
        ({"kind": 0.5, "seconds": float("nan")}, False),
        ({"kind": 0.5}, False),
        ({"kind": 0.9, "seconds": 1.0}, True),
    ],
)
def test_a_failed_trial_is_over_and_not_asked_for_again(result, error):
    searcher = ParetoSearcher(OBJECTIVES, runs=12)
    first = searcher.suggest("t0")
    searcher.on_trial_complete("t0", result, error)
    searcher.on_trial_complete("of somebody else", {"kind": 1.0, "seconds": 0.0})
    for i in range(1, 3):
        assert searcher.suggest(f"t{i}")["weights"] != first["weights"]


def test_standard_errors_reach_the_proposer():
    searcher = ParetoSearcher(OBJECTIVES, runs=12)
    for name in ("t0", "t1", "t2"):
        told(searcher, name, searcher.suggest(name), kind_stderr=5.0, seconds_stderr=50.0)
    assert searcher.suggest("t3")["kind"] == "weighted"  # no gap is wider than such noise


def test_a_restored_searcher_goes_on_as_if_it_had_not_stopped(tmp_path):
    searcher = opened()
    searcher.suggest("t3")
    searcher.suggest("t4")
    searcher.on_trial_complete("t3", None, True)
    searcher.save(str(tmp_path / "state"))
    again = ParetoSearcher(OBJECTIVES, runs=12)
    again.restore(str(tmp_path / "state"))
    other = pickle.loads(pickle.dumps(searcher))  # as Tune keeps it beside its trials
    assert searcher.suggest("t5") == again.suggest("t5") == other.suggest("t5")


def reported(rungs, trial_id, step, gains, parent=None, **more):
    trial = SimpleNamespace(trial_id=trial_id, config={"parent": parent})
    result = {"training_iteration": step, **dict(zip("ab", gains, strict=True)), **more}
    return rungs.on_trial_result(None, trial, result)


def test_rungs_by_hand():
    """The docstring's three trials, and a fourth that began at a parent: it is alone there."""
    rungs = ParetoRungs(GAINS, first=2, steps=9)
    gains = {"t0": (0.2, 0.2), "t1": (0.8, 0.1), "t2": (0.1, 0.1)}
    assert {reported(rungs, t, 1, g) for t, g in gains.items()} == {"CONTINUE"}
    verdicts = [reported(rungs, t, 2, g) for t, g in gains.items()]
    assert verdicts == ["CONTINUE", "CONTINUE", "STOP"]
    assert reported(rungs, "t3", 2, (0.1, 0.1), parent="t0") == "CONTINUE"
    # the next rung is at 6; between two rungs nobody is judged
    assert reported(rungs, "t0", 5, (0.0, 0.0)) == "CONTINUE"
    assert reported(rungs, "t1", 7, (0.8, 0.1)) == "CONTINUE"
    assert reported(rungs, "t0", 7, (0.1, 0.05)) == "STOP"


def test_what_noise_hides_is_not_stopped():
    rungs = ParetoRungs(GAINS, first=1, steps=9)
    errors = {"a_stderr": 0.05, "b_stderr": 0.05}
    reported(rungs, "t0", 1, (0.5, 0.5), **errors)
    assert reported(rungs, "t1", 1, (0.45, 0.45), **errors) == "CONTINUE"
    assert reported(rungs, "t2", 1, (0.40, 0.40), **errors) == "STOP"


def test_a_report_without_all_metrics_is_passed_over():
    rungs = ParetoRungs(GAINS, first=1, steps=9)
    reported(rungs, "t0", 1, (0.5, 0.5))
    assert reported(rungs, "t1", 1, (0.1, float("nan"))) == "CONTINUE"
    assert reported(rungs, "t1", 2, (0.1, 0.1)) == "STOP"


def test_restored_rungs_come_to_the_same_verdicts(tmp_path):
    rungs = ParetoRungs(GAINS, first=1, steps=9)
    for i in range(5):
        reported(rungs, f"t{i}", 1, (0.1 * i, 0.5 - 0.1 * i))
    rungs.save(str(tmp_path / "state"))
    again = ParetoRungs(GAINS, first=1, steps=9)
    again.restore(str(tmp_path / "state"))
    for gains in [(0.0, 0.0), (0.9, 0.9), (0.3, 0.3)]:
        name = f"u{gains}"
        assert reported(rungs, name, 1, gains) == reported(again, name, 1, gains)
