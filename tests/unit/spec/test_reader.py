from __future__ import annotations

import math

import pytest

from paretoflow.spec.reader import read_yaml
from tests.faults import raises


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("5e-4", 5e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("1.5E+3", 1500.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("null", None),
        ("~", None),
        ('"3"', "3"),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    read = read_yaml(f"a: {text}", "x.yaml").value["a"]
    assert read == value
    assert type(read) is type(value)


def test_nan_is_read_for_pydantic_to_refuse():
    assert math.isnan(read_yaml("a: .nan", "x.yaml").value["a"])


def test_every_key_and_value_knows_its_place():
    document = read_yaml("a:\n  - {b: 1}\n  - c\n", "x.yaml")
    assert str(document.keys[("a", 0, "b")]) == "x.yaml:2:6"
    assert str(document.values[("a", 0, "b")]) == "x.yaml:2:9"
    assert str(document.values[("a", 1)]) == "x.yaml:3:5"


def test_aliases_give_equal_values_that_are_not_shared():
    value = read_yaml("a: &x {k: 1}\nb: *x\n", "x.yaml").value
    assert value == {"a": {"k": 1}, "b": {"k": 1}}
    assert value["a"] is not value["b"]


def test_merges_fill_in_what_is_not_given_the_first_first():
    text = "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc:\n  <<: [*a, *b]\n  k: 3\n"
    assert read_yaml(text, "x.yaml").value["c"] == {"k": 3, "l": 1, "m": 2}


def test_an_alias_of_itself_is_refused():
    with raises("spec-syntax", "holds itself"):
        read_yaml("a: &a [*a]", "x.yaml")


def test_faults_inside_are_collected_not_raised():
    document = read_yaml("a: 1\na: 2\nb: !x 3\n[c]: 4\n", "x.yaml")
    assert document.value == {"a": 1, "b": None}
    assert [fault.place.line for fault in document.faults] == [2, 3, 4]


@pytest.mark.parametrize("depth", [100, 250, 900])
@pytest.mark.parametrize("ends", [("[", "]"), ("{a: ", "}")])
def test_what_no_spec_nests_so_deeply_is_refused_with_its_line(depth, ends):
    text = f"name: x\na: {ends[0] * depth}1{ends[1] * depth}\n"
    with raises("spec-syntax", "x.yaml", "nested"):
        read_yaml(text, "x.yaml")


def test_a_deep_value_that_a_spec_may_have_is_read():
    assert read_yaml("a: " + "[" * 40 + "]" * 40, "x.yaml").value["a"]
