from __future__ import annotations

import pytest

from paretoflow.cli.plan import (
    SPEC_FILE,
    opening_launches,
    plan_of,
    trained_runs,
    work_of,
)
from paretoflow.spec.load import load_spec_text
from paretoflow.storage import as_folder

SWEEP = "name: x\nobjectives:\n  - {name: a, type: rouge}\n  - {name: b, type: length}\n"


def spec(*overrides):
    return load_spec_text(SWEEP, "job.yaml", overrides)


def test_counts_by_hand():
    work = work_of(spec())
    assert (work.sampled, work.held_out) == (96 * 4, 16 * 4)
    assert work.trained == 12 * 40 * 8
    assert (work.evaluations, work.evaluated) == (25, 25 * 48)  # half-way and at the end
    # nine runs after the opening; the parent, steps 14 and 28, the end and 2 checks
    assert work.looks == 9 * 6 * 16
    assert work.answers == 384 + 64 + 1200 + 864
    assert work.tokens == work.answers * 96
    assert work.rounds == 6


def test_a_proposer_that_may_constrain_counts_as_if_it_always_did():
    assert work_of(spec("proposer={type: gp_hvi}")).looks == 9 * 6 * 16
    assert work_of(spec("proposer={type: gp_hvi, constrained: false}")).looks == 0
    assert work_of(spec("proposer={type: portfolio}")).looks == 9 * 6 * 16
    assert work_of(spec("proposer={type: portfolio, arms: [ols, dirichlet]}")).looks == 0


def test_checkpoints_are_evaluated_and_the_last_step_always():
    assert work_of(spec("method.checkpoint_every=null")).evaluations == 1 + 12
    assert work_of(spec("method.checkpoint_every=15")).evaluations == 1 + 12 * 3
    assert work_of(spec("method.checkpoint_every=20")).evaluations == 1 + 12 * 2


def test_grpo_samples_what_it_learns_from():
    work = work_of(spec("method={type: grpo}", "proposer={type: lattice}"))
    assert work.looks == 0
    assert work.answers == 384 + 64 + 624 + work.trained
    watched = work_of(
        spec("method={type: grpo, aggregation: hv_dynamic}", "proposer={type: lattice}")
    )
    assert watched.looks == 12 * 7 * 16


@pytest.mark.parametrize(
    "proposer", ["lattice", "dirichlet", "cmorl", "empty_box", "ols", "gp_hvi", "auto"]
)
def test_every_proposer_opens_without_a_score(proposer):
    opening = opening_launches(spec(f"proposer={{type: {proposer}}}"))
    assert 2 <= len(opening) <= 3
    assert {p.kind.value for p in opening} == {"weighted"}
    assert opening == opening_launches(spec(f"proposer={{type: {proposer}}}"))


def test_an_opening_never_exceeds_the_runs():
    assert len(opening_launches(spec("stop.runs=1"))) == 1


def test_the_cost_is_bounded_by_devices_for_hours_or_by_itself():
    hours = ("engine.price=2", "stop.hours=3", "engine.worker_groups=4")
    assert plan_of(spec(*hours)).cost_bound == 2 * 4 * 3
    assert plan_of(spec(*hours, "engine.resources.gpus_per_rank=0.5")).cost_bound == 2 * 4 * 0.5 * 3
    assert plan_of(spec(*hours, "stop.cost=5")).cost_bound == 5
    assert plan_of(spec("engine.price=2")).cost_bound is None
    assert plan_of(spec()).cost_bound == 0


def test_a_plan_names_the_file_and_folder_of_the_engine(tmp_path):
    from paretoflow.engine.read import stored_spec
    from paretoflow.engine.session.folder import sweep_root

    assert SPEC_FILE == stored_spec.SPEC_FILE
    for storage in ("sweeps", f"file://{tmp_path}"):
        chosen = spec(f"storage={storage}")
        assert as_folder(plan_of(chosen).folder) == sweep_root(chosen)


@pytest.mark.parametrize(
    ("proposer", "trains", "merges"),
    [
        ("{type: soups}", 2, 11),
        ("{type: soups, points: 3}", 2, 3),
        ("{type: soups, experts: 12}", 12, 1),
        ("{type: map, experts: 4}", 4, 9),
        ("{type: lattice}", 13, 0),
    ],
)
def test_merges_cost_an_evaluation_each_and_no_training(proposer, trains, merges):
    given = spec(f"proposer={proposer}", "stop.runs=13", "method.checkpoint_every=20")
    work = work_of(given)
    assert (trained_runs(given), work.merges) == (trains, merges)
    assert work.trained == trains * 40 * 8
    assert work.evaluations == 1 + trains * 2 + merges
    assert work.rounds == -(-(trains + merges) // 2)
    assert {p.kind.value for p in opening_launches(given)} == {"weighted"}
