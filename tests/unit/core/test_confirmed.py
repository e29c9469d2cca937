"""Records and reports of the prompts that a front was confirmed on."""

from __future__ import annotations

import json

from paretoflow.core.confirmed import FreshFacts


def test_what_is_kept_is_read_back_and_a_newer_version_may_add() -> None:
    facts = FreshFacts("mine.jsonl", 40, "d1", 7, 1.5, 2, 1, (("a", "b"),), ("seed: 1 became 2",))
    plain = json.loads(json.dumps(facts.to_dict()))
    assert FreshFacts.from_dict({**plain, "added": 1}) == facts


def test_what_to_know_is_told_in_words_and_nothing_where_all_is_well() -> None:
    assert FreshFacts("here", 40, "", 0, 0.0).lines() == []
    told = FreshFacts("here", 40, "", 0, 0.0, 1, 2, (("a\x1b", "b"),), ("x",)).lines()
    assert told[0] == "1 prompt was left out: the sweep has the same"
    assert told[1].startswith("2 of 40 fresh prompts nearly repeat a prompt of the sweep: ")
    assert "\x1b" not in told[1]
    assert told[2] == "changed since the sweep, and accepted: x"
