from __future__ import annotations

import sys

import pytest

from paretoflow.front.hypervolume import hypervolume
from tests.faults import raises
from tests.integration.examples.concave import OBJECTIVES, trained

optuna = pytest.importorskip("optuna")
from optuna.samplers import TPESampler  # noqa: E402
from optuna.storages import JournalStorage  # noqa: E402
from optuna.storages.journal import JournalFileBackend  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from paretoflow.integrations.optuna import LAUNCH, STDERR, ParetoSampler  # noqa: E402
from tests.integration.examples.optuna_study import main, study  # noqa: E402

DIRECTIONS = ["maximize", "minimize"]


@pytest.fixture(autouse=True)
def quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def fresh(**settings):
    sampler = ParetoSampler(OBJECTIVES, runs=12, **settings)
    return sampler, optuna.create_study(directions=DIRECTIONS, sampler=sampler)


def asked(made, sampler, count):
    """Ask for trials without telling what became of them."""
    trials = [made.ask() for _ in range(count)]
    return trials, [sampler.launch(t) for t in trials]


def test_the_example_leaves_the_hull_of_a_concave_front(capsys):
    made = study(12)
    gains = [[t.values[0], -t.values[1] / 10] for t in made.trials]
    ends = [[1.0, -1.0], [0.0, 0.0]]
    assert hypervolume(gains, [-0.1, -1.1]) > 1.4 * hypervolume(ends, [-0.1, -1.1])
    assert {t.user_attrs.get("from") for t in made.trials} - {None} <= set(range(12))
    main()
    assert len(capsys.readouterr().out.splitlines()) == len(made.best_trials)


def test_running_trials_are_known_to_the_proposer():
    sampler, made = fresh()
    trials, launches = asked(made, sampler, 4)
    assert [tuple(x["weights"]) for x in launches[:3]] == [(1, 0), (0, 1), (0.5, 0.5)]
    assert len({tuple(x["weights"]) for x in launches}) == 4
    for trial, launch in zip(trials, launches, strict=True):
        made.tell(trial, trained(launch))
    ((_, one), (_, two)) = (asked(made, sampler, 1) for _ in range(2))
    assert (one[0]["kind"], two[0]["kind"]) == ("constrained", "constrained")
    assert (one[0]["target"], one[0]["thresholds"]) != (two[0]["target"], two[0]["thresholds"])
    assert isinstance(one[0]["parent"], int)


def test_a_study_goes_on_in_another_process_as_if_it_had_not_stopped(tmp_path):
    def storage():
        return JournalStorage(JournalFileBackend(str(tmp_path / "study.log")))

    study(5, storage())
    interrupted, whole = study(10, storage()), study(10)
    assert len(interrupted.trials) == 10
    assert [t.params for t in interrupted.trials] == [t.params for t in whole.trials]
    assert [t.values for t in interrupted.trials] == [t.values for t in whole.trials]


def test_failed_and_pruned_trials_are_not_asked_for_again():
    sampler, made = fresh()
    for state in (TrialState.FAIL, TrialState.PRUNED):
        (trial,), _ = asked(made, sampler, 1)
        made.tell(trial, state=state)
    (trial,), _ = asked(made, sampler, 1)
    made.tell(trial, [float("inf"), 1.0])
    _, launches = asked(made, sampler, 1)
    tried = [t.system_attrs[LAUNCH]["weights"] for t in made.trials]
    assert len({tuple(w) for w in tried}) == 4
    assert launches[0]["kind"] == "weighted"


def test_standard_errors_reach_the_proposer():
    sampler, made = fresh()
    for _ in range(3):
        (trial,), (launch,) = asked(made, sampler, 1)
        trial.set_user_attr(STDERR, [5.0, 50.0])
        made.tell(trial, trained(launch))
    _, (launch,) = asked(made, sampler, 1)
    assert launch["kind"] == "weighted"  # no gap is wider than such noise


def test_enqueued_weights_are_taken_and_scaled():
    sampler, made = fresh()
    made.enqueue_trial({"weight_kind": 0.2, "weight_seconds": 0.6})
    made.enqueue_trial({"weight_kind": 0.0, "weight_seconds": 0.0})
    (trial,), (launch,) = asked(made, sampler, 1)
    assert launch["weights"] == pytest.approx([0.25, 0.75])
    assert (launch["kind"], launch["parent"]) == ("weighted", None)
    with raises("spec-not-allowed", "0", "above"):
        asked(made, sampler, 1)
    made.tell(trial, trained(launch))
    assert asked(made, sampler, 1)[1][0]["weights"] == [1.0, 0.0]


def test_other_parameters_are_sampled_by_another_sampler():
    sampler, made = fresh(others=TPESampler(seed=0))
    for _ in range(3):
        trial = made.ask()
        launch = sampler.launch(trial)
        rate = trial.suggest_float("rate", 1e-5, 1e-3, log=True)
        assert 1e-5 <= rate <= 1e-3
        made.tell(trial, trained(launch))
    assert len({t.params["rate"] for t in made.trials}) == 3


def test_a_proposer_that_is_done_leaves_weights_to_the_other_sampler():
    sampler, made = fresh(proposer="lattice")
    for _ in range(14):
        (trial,), (launch,) = asked(made, sampler, 1)
        assert sum(launch["weights"]) == pytest.approx(1)
        made.tell(trial, trained(launch))
    without = [t.number for t in made.trials if LAUNCH not in t.system_attrs]
    assert without == [12, 13]


def test_other_directions_are_refused():
    sampler = ParetoSampler(OBJECTIVES)
    made = optuna.create_study(directions=["maximize", "maximize"], sampler=sampler)
    with raises("spec-contradiction", "maximize", "objectives"):
        sampler.launch(made.ask())


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna.distributions", None)
    monkeypatch.delitem(sys.modules, "paretoflow.integrations.optuna")
    with raises("missing-extra", "paretoflow[optuna]"):
        __import__("paretoflow.integrations.optuna")
