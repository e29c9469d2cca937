"""What a plan says of methods whose one artifact serves many preferences."""

from __future__ import annotations

import re

import pytest

from paretoflow.cli.options import plain_console
from paretoflow.cli.plan import plan_of, served_of, work_of
from paretoflow.cli.plan_parts import plan_parts
from paretoflow.spec.load import load_spec_text
from tests.faults import raises

TWO = "name: x\nobjectives:\n  - {name: a, type: rouge}\n  - {name: b, type: length}\n"
THREE = TWO + "  - {name: c, type: grounding}\n"


def spec(method: str, text: str = TWO, *overrides: str):
    return load_spec_text(text, "job.yaml", [f"method={method}", "stop.runs=2", *overrides])


def test_every_preference_of_every_checkpoint_is_an_evaluation():
    given = spec("{type: ric, checkpoint_every: 20}")
    assert served_of(given) == (11, 1)
    work = work_of(given)
    assert work.evaluations == 1 + 2 * 2 * 11
    assert work.evaluated == work.evaluations * 48
    assert work.answers == 384 + 64 + work.evaluated + 2 * 96  # a round: each prompt once


def test_choosing_costs_its_answers():
    given = spec("{type: dpa, rounds: 1, samples: 3, serve: {points: 5, select: {type: rps}}}")
    assert served_of(given) == (5, 5)
    work = work_of(given)
    assert work.evaluations == 1 + 2 * 5
    assert work.evaluated == (1 + 2 * 5 * 5) * 48  # the base answers once
    assert work.answers == 384 + 64 + work.evaluated + 2 * 96 * 3


def test_more_objectives_are_walked_on_a_lattice():
    assert served_of(spec("{type: ric}", THREE)) == (15, 1)


def test_ordinary_methods_serve_one():
    assert served_of(spec("{type: dpo}")) == (1, 1)


def test_auto_proposes_weights_alone():
    plan = plan_of(spec("{type: ric}"))
    assert plan.proposer == "dirichlet"
    assert plan.work.looks == 0
    assert plan_of(spec("{type: dpo}")).proposer == "portfolio"


def test_check_says_that_one_run_is_a_front():
    given = spec("{type: ric, serve: {points: 4}}")
    console = plain_console()
    with console.capture() as captured:
        for part in plan_parts(given, plan_of(given)):
            console.print(part)
    text = " ".join(captured.get().split())
    assert re.search(r"preferences .* 4, \d+ answers", text)
    assert "scored answers" in text


@pytest.mark.parametrize("method", ["{type: ric}", "{type: dpa}"])
def test_sampling_without_chance_is_refused(method):
    with raises("spec-contradiction", "temperature 0") as caught:
        spec(method, TWO, "model.generation.temperature=0")
    assert "model.generation.temperature" in caught.value.where


def test_rounds_that_leave_no_steps_are_refused_with_their_place():
    with raises("spec-contradiction", "2 rounds of 2 steps") as caught:
        spec("{type: ric, steps: 4, rounds: 2, round_steps: 2}")
    assert "method.rounds" in caught.value.where
