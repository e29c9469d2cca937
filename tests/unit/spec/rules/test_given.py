"""Pairs and ratings in a YAML: who speaks for what, and which method learns from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.capabilities import CAPABILITIES, GIVEN, learns_from
from paretoflow.spec.load import load_spec_text
from tests.faults import raises

OBJECTIVES = (
    "\nobjectives:\n  - {name: helpful, type: length}\n  - {name: harmless, type: length}\n"
)
PAGE = Path(__file__).parents[4] / "docs" / "methods.md"
BOTH = "[{path: a.jsonl, objective: helpful}, {path: b.jsonl, objective: harmless}]"
RATED = "[{path: a.jsonl, ratings: {helpful: h, harmless: s}, columns: {completion: answer}}]"
SOURCES = {"preferences": BOTH, "ratings": RATED}


def load(data: str, more: str = ""):
    text = f"name: x\ndata: {{{data}}}\n{more}{OBJECTIVES}"
    return load_spec_text(text, "job.yaml", files=False)


def refused(data: str, more: str = "") -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(data, more)
    return caught.value


def pairs(source: str) -> str:
    return f"type: preferences, sources: [{source}]"


@pytest.mark.parametrize(
    "source",
    [
        "{path: a.jsonl}",
        "{path: a.jsonl, columns: {objective: aspect, messages: prompt}}",
        "{path: a.parquet, columns: {answers: [x, y]}, better: {helpful: u, harmless: v}}",
        "{path: a.jsonl, objective: helpful}, {path: owner/name, objective: harmless}",
        "{path: a.jsonl, template: 'Q {q}', objective: helpful}, {path: b.jsonl}",
    ],
)
def test_what_is_allowed_passes(source):
    assert load(pairs(source)).data.type == "preferences"


@pytest.mark.parametrize(
    ("source", "key", "what", "hint"),
    [
        ("{path: a, objective: helpfull}, {path: b}", "data.sources.0.objective",
         "got 'helpfull' for an objective; allowed: helpful, harmless", "did you mean 'helpful'?"),
        ("{path: a, objective: helpful}", "data.sources", "no source speaks for `harmless`", "add"),
        ("{path: a, columns: {answers: [x, y]}, better: {helpful: u, harmless: v, harm: w}}",
         "data.sources.0.better.harm", "got 'harm'", "harmless"),
        ("{path: a, better: {helpful: u, harmless: v}}", "data.sources.0", "go together", "both"),
        ("{path: a, columns: {answers: [x, y]}}", "data.sources.0", "go together", "both"),
        ("{path: a, objective: helpful, better: {harmless: v}, columns: {answers: [x, y]}}",
         "data.sources.0.objective", "each say whom", "keep one"),
        ("{path: a}, {path: b, columns: {dialogue: chosen}}", "data.sources.1.columns",
         "asks in turns where the first source does not", "one way"),
        ("{path: a, template: 'no place'}", "data.sources.0.template", "no place", "columns in"),
        ("{path: a, columns: {messages: m, dialogue: d}}", "data.sources.0.columns.dialogue",
         "allowed: one of them", "remove"),
    ],
)  # fmt: skip
def test_what_no_row_could_mend_is_refused(source, key, what, hint):
    error = refused(pairs(source))
    assert error.where.endswith(f" {key}")
    assert what in error.what
    assert hint in error.hint


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{path: a, ratings: {helpful: h}, columns: {completion: c}}", "rates no harmless"),
        ("{path: a, ratings: {helpful: h, harmless: s}}", "allowed: one of columns.completion"),
        ("{path: a, ratings: {helpful: h, harmless: s}, columns: {completion: c, completions: d}}",
         "allowed: one of columns.completion"),
        ("{path: a, ratings: {helpful: h, harmless: s, brief: b}, columns: {completion: c}}",
         "got 'brief' for an objective"),
    ],
)  # fmt: skip
def test_ratings_that_are_not_whole_are_refused(source, what):
    assert what in refused(f"type: ratings, sources: [{source}]").what


def test_costs_of_a_system_need_no_pairs_and_no_ratings():
    cost = "  - {name: latency, type: system, measure: latency, range: [0, 1]}\n"
    for kind, sources in SOURCES.items():
        text = f"name: x\ndata: {{type: {kind}, sources: {sources}}}{OBJECTIVES}{cost}"
        assert load_spec_text(text, "job.yaml", files=False).objectives[2].name == "latency"
    extra = BOTH[:-1] + ", {path: c.jsonl, objective: latency}]"
    text = f"name: x\ndata: {{type: preferences, sources: {extra}}}{OBJECTIVES}{cost}"
    with raises("spec-contradiction", "'latency'"):
        load_spec_text(text, "job.yaml", files=False)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_method_that_cannot_use_what_there_is_is_refused_with_those_that_can(kind):
    able = [tag for tag in sorted(CAPABILITIES) if learns_from(tag, kind)]
    assert {"dpo", "modpo", "gradient_dpo", "mah_dpo"} <= set(able)
    for tag in CAPABILITIES:
        more = f"method: {{type: {tag}{', argv: [x]' if tag == 'command' else ''}}}"
        data = f"type: {kind}, sources: {SOURCES[kind]}"
        if tag in able:
            load(data, more)
            continue
        error = refused(data, more)
        assert error.where.endswith(" method.type")
        assert f"got {tag} with data of type {kind}; {tag} " in error.what
        assert error.hint.startswith(f"choose {', '.join(able)}; or data of another type")


def test_modpo_takes_labels_of_people_as_hard():
    data = f"type: preferences, sources: {BOTH}"
    assert load(data, "method: {type: modpo}").method.type == "modpo"
    error = refused(data, "method: {type: modpo, labels: soft}")
    assert error.where.endswith(" method.labels")
    load(f"type: ratings, sources: {RATED}", "method: {type: modpo, labels: soft}")


def test_pairs_ask_nothing_of_the_bases_sampling_unless_runs_draw_of_it():
    greedy = "model: {type: embedded, generation: {temperature: 0}}\n"
    greedy += "method: {type: dpo, pairs_per_prompt: 9}"
    load(f"type: preferences, sources: {BOTH}", greedy)
    error = refused(f"type: preferences, sources: {BOTH}, sampled: 0.5", greedy)
    assert {fault.where.split()[-1] for fault in error.faults} == {
        "model.generation.temperature",
        "method.pairs_per_prompt",
    }


def test_the_page_of_methods_has_the_matrix_that_is_checked():
    cells = r"^\| `(\w+)` \| ((?:yes|no|scored) \| (?:yes|no)) \|$"
    rows = dict(re.findall(cells, PAGE.read_text(), re.M))
    for tag, capabilities in CAPABILITIES.items():
        told = ["yes" if learns_from(tag, kind) else "no" for kind in GIVEN]
        if "scored pairs" in capabilities.given:
            told[0] = "scored"
        assert rows[tag] == " | ".join(told), tag
    assert rows.keys() == CAPABILITIES.keys()
