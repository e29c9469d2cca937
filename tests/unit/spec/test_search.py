"""Axes of `search`: where they lie, what they set, and what is refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.methods import MethodSpec, ProMethodSpec
from paretoflow.spec.search import HELD, Axis, axes_of, axis_names, fitted, home_of
from tests.faults import raises

TOP = "name: x\nobjectives:\n  - {name: a, type: length}\n"
TOP += "  - {name: b, type: regex, keywords: [x]}\nsearch:\n"
GOOD = """\
  rank: {choices: [16, 4, 8]}
  learning_rate: {low: 1e-4, high: 1e-2, scale: log}
  rank.q_proj: {low: 2, high: 6}
  temperature: {low: 0, high: 1.0}
"""


def test_values_lie_along_the_unit_interval_as_the_docstring_says() -> None:
    rate = Axis("learning_rate", low=1e-4, high=1e-2, log=True)
    assert rate.value(0.5) == pytest.approx(1e-3)
    assert rate.place(1e-3) == pytest.approx(0.5)
    steps = Axis("steps", low=1, high=4, whole=True)
    assert [steps.value(p) for p in (0.0, 0.2, 0.26, 0.6, 0.76, 1.0)] == [1, 1, 2, 3, 4, 4]
    assert steps.place(2) == pytest.approx(3 / 8)
    rank = Axis("rank", "lora", whole=True, choices=(4, 8, 16))
    assert [rank.value(p) for p in (0.0, 0.5, 1.0)] == [4, 8, 16]
    assert rank.place(8) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "axis",
    [
        Axis("a", low=0.1, high=0.3),
        Axis("a", low=1e-6, high=1.0, log=True),
        Axis("a", low=1, high=64, log=True, whole=True),
        Axis("a", choices=(0.1, 0.5)),
    ],
    ids=str,
)
def test_a_value_is_inside_and_found_again_where_it_lies(axis: Axis) -> None:
    values = [axis.value(p) for p in np.linspace(0, 1, 41)]
    assert values == sorted(values)
    assert [axis.value(axis.place(v)) for v in values] == pytest.approx(values, rel=1e-5)
    low, high = (axis.choices[0], axis.choices[-1]) if axis.choices else (axis.low, axis.high)
    assert (values[0], values[-1]) == (low, high)
    assert 0 <= axis.place(low - 1) <= axis.place(high + 1) <= 1


def test_axes_come_in_the_order_of_their_names_whatever_the_file_says() -> None:
    spec = load_spec_text(TOP + GOOD, "job.yaml")
    axes = axes_of(spec.search, spec.method)
    assert [(a.name, a.home) for a in axes] == [
        ("learning_rate", "method"),
        ("rank", "lora"),
        ("rank.q_proj", "lora"),
        ("temperature", "generation"),
    ]
    assert [a.whole for a in axes] == [False, True, True, False]
    assert axes[1].choices == (4, 8, 16)


def test_settings_go_where_they_belong_and_leave_the_rest() -> None:
    spec = load_spec_text(TOP + GOOD, "job.yaml")
    settings = (("learning_rate", 2e-3), ("rank.q_proj", 2), ("temperature", 0.5))
    parts = fitted(spec.method, spec.model, settings)
    assert parts.method == spec.method.model_copy(update={"learning_rate": 2e-3})
    assert parts.lora == spec.model.lora.model_copy(update={"ranks": {"q_proj": 2}})
    assert parts.generation == spec.model.generation.model_copy(update={"temperature": 0.5})
    assert fitted(spec.method, spec.model, ()).method is spec.method


def test_a_name_that_the_method_has_is_the_methods() -> None:
    assert home_of("temperature", ProMethodSpec) == "method"


@pytest.mark.parametrize("method", get_args(get_args(MethodSpec)[0]), ids=lambda m: m.__name__)
def test_every_method_has_numbers_to_search_and_none_that_must_stay(method: type) -> None:
    names = axis_names(method)
    assert {"learning_rate", "steps"} <= set(names)
    assert not set(names) & {*HELD, "type", "dual", "rank"}


@pytest.mark.parametrize(
    ("axis", "place", "says"),
    [
        ("learnig_rate: {low: 1, high: 2}", "6:3", "did you mean `learning_rate`?"),
        ("batch_size: {low: 1, high: 2}", "6:3", "unknown axis `batch_size`; allowed: steps, "),
        ("rank.: {low: 1, high: 2}", "6:3", "rank.<module>"),
        ("beta: {low: -1, high: 2}", "6:15", "got -1; allowed: more than 0"),
        ("top_p: {low: 0.5, high: 2}", "6:27", "it is to be model.generation.top_p"),
        ("rank: {choices: [0, 3]}", "6:20", "got 0; allowed: at least 1"),
        ("beta: {low: 1}", "6:9", "got low; allowed: low and high, or choices"),
        ("beta: {}", "6:9", "got nothing"),
        ("beta: {choices: [0.1, 2], low: 1}", "6:9", "got choices, low"),
        ("beta: {low: 3, high: 2}", "6:9", "the lower end first"),
        ("beta: {choices: [0.1, 0.1]}", "6:9", "one value twice"),
        ("beta: {low: 0, high: 2, scale: log}", "6:34", "with a range above 0"),
        ("steps: {choices: [1.5, 2]}", "6:10", "got 1.5; allowed: whole numbers"),
        ("pairs_per_prompt: {low: 1, high: 40}", "6:36", "at 40 it clashes with the rest: got 40"),
        ("beta: {low: 1, hi: 3}", "6:18", "did you mean `high`?"),
        ("beta: 3", "6:9", "allowed: a mapping of keys"),
    ],
)
def test_what_is_refused_says_where_and_what_instead(axis: str, place: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec_text(f"{TOP}  {axis}\n", "job.yaml")
    assert str(caught.value).startswith(f"job.yaml:{place} search.")
    assert says in str(caught.value)


def test_a_whole_range_is_tried_value_by_value() -> None:
    method = "method: {type: grpo, batch_size: 8, generations: 4}\n"
    axis = "  generations: {low: 2, high: 4}\n"
    with raises("spec-contradiction", "3 it", "batch_size", "8"):
        load_spec_text(TOP + axis + method, "job.yaml")
    listed = load_spec_text(TOP + "  generations: {choices: [2, 4]}\n" + method, "job.yaml")
    assert axes_of(listed.search, listed.method)[0].choices == (2, 4)


def test_what_the_spec_is_faulty_for_is_told_once_and_not_of_an_axis() -> None:
    text = TOP + "  beta: {low: 0.1, high: 1}\nmethod: {type: dpo, pairs_per_prompt: 40}\n"
    with pytest.raises(SpecError) as caught:
        load_spec_text(text, "job.yaml")
    assert "search" not in str(caught.value)


def test_to_ask_otherwise_needs_an_axis_of_decoding() -> None:
    proposer = "proposer: {type: psl, redraw: true}\n"
    assert load_spec_text(TOP + GOOD + proposer, "job.yaml").name == "x"
    with raises("spec-contradiction", "job.yaml", "decoding"):
        load_spec_text(TOP + "  beta: {low: 0.1, high: 1}\n" + proposer, "job.yaml")


def test_what_serves_all_preferences_from_one_adapter_is_not_asked_otherwise() -> None:
    text = TOP + GOOD + "proposer: {type: psl, redraw: true}\nmethod: {type: dpa}\n"
    with raises("spec-contradiction", "job.yaml", "launches"):
        load_spec_text(text, "job.yaml")
