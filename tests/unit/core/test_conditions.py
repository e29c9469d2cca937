from __future__ import annotations

from paretoflow.core.conditions import BRIEF, asking_lines, condition_brief, condition_json

PREFIXED = {"prefix": "<a> 1.0\n", "goals": {"a": 1.0}}
SELECTED = {**PREFIXED, "select": {"type": "rps", "k": 2, "draws": [{"prefix": "x"}] * 2}}
HEADS = {"head_weights": [0.3, 0.7]}


def test_a_condition_in_few_characters():
    assert condition_brief(None) == ""
    assert condition_brief(PREFIXED) == "<a> 1.0"
    assert condition_brief(SELECTED) == "rps of 2: <a> 1.0"
    assert condition_brief(HEADS) == '{"head_weights": [0.3, 0.7]}'
    long = condition_brief({"prefix": "word " * 40})
    assert len(long) == BRIEF
    assert long.endswith("…")


def test_how_to_ask_in_python():
    assert asking_lines(None) == []
    scope = {"prompt": "Question\nAnswer:"}
    exec("\n".join(asking_lines(PREFIXED)), scope)
    assert scope["prompt"] == "Question\n<a> 1.0\nAnswer:"
    assert asking_lines(HEADS) == ['# ask it with {"head_weights": [0.3, 0.7]}']
    first, second = asking_lines(SELECTED)
    assert "best of 2 answers" in first
    assert '"draws"' in second


def test_equal_conditions_are_equal_text():
    assert condition_json(None) is None
    assert condition_json({"b": 1, "a": "ä"}) == condition_json({"a": "ä", "b": 1})
    assert condition_json({"a": "ä"}) == '{"a": "ä"}'
