"""What a method cannot do with the rest of a sweep is refused when the YAML is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.load import load_spec_text

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


def load(text: str) -> None:
    load_spec_text(f"name: x\n{text}{TWO}", "job.yaml")


def refused(text: str, key: str) -> SpecError:
    """Return the one fault of a YAML, at a key."""
    with pytest.raises(SpecError) as caught:
        load(text)
    place, _, found = caught.value.where.partition(" ")
    assert place.startswith("job.yaml:")
    assert found == key
    return caught.value


def on(method: str, resources: str) -> str:
    return f"method: {{type: {method}}}\nengine: {{resources: {{{resources}}}}}"


@pytest.fixture
def lessened(monkeypatch):
    """Return a function that changes what `dpo` can do."""
    return lambda **changes: monkeypatch.setitem(
        CAPABILITIES, "dpo", replace(CAPABILITIES["dpo"], **changes)
    )


@pytest.mark.parametrize(
    "method", sorted(tag for tag, can in CAPABILITIES.items() if can.distributed == "zero")
)
@pytest.mark.parametrize(
    "resources", ["ranks: 1", "ranks: 2", "ranks: 4, zero: 3, offload: true", "zero: 1"]
)
def test_what_the_methods_can_do_passes(method, resources):
    load(on(method, resources))


@pytest.mark.parametrize(
    ("can", "resources", "key", "got"),
    [
        ("single", "ranks: 2", "engine.resources.ranks", "got 2 ranks"),
        ("single", "zero: 2", "engine.resources.zero", "got zero 2"),
        ("ddp", "ranks: 2, zero: 3", "engine.resources.zero", "got zero 3"),
    ],
)
def test_what_a_method_cannot_do_is_refused(can, resources, key, got, lessened):
    lessened(distributed=can, distributed_note="exact gradients")
    error = refused(on("dpo", resources), key)
    assert error.what.startswith(got)
    assert "(exact gradients)" in error.what
    assert {"grpo", "modpo"} <= set(error.hint.replace(",", "").split())


def test_data_parallel_methods_take_ranks_but_no_shards(lessened):
    lessened(distributed="ddp")
    load(on("dpo", "ranks: 2"))


def test_a_program_runs_on_one_rank():
    refused(on("command, argv: [x]", "ranks: 2"), "engine.resources.ranks")


@pytest.mark.parametrize(
    ("method", "proposer", "refuses"),
    [
        ("dpo", "{type: reevaluate}", False),
        ("dpo", "{type: reevaluate, of: soups}", False),
        ("ric", "{type: lattice}", False),
        ("ric", "{type: reevaluate, of: lattice}", True),
        ("pro", "{type: reevaluate, of: lattice}", False),
    ],
)
def test_second_looks_need_an_artifact_that_serves_one_preference(method, proposer, refuses):
    text = f"proposer: {proposer}\nmethod: {{type: {method}}}"
    if refuses:
        refused(text, "proposer.type")
    else:
        load(text)


def test_what_a_wrapped_proposer_needs_is_asked_for_too(lessened):
    lessened(launches=("weighted",))
    refused("proposer: {type: reevaluate, of: {type: cmorl}}", "proposer.of.type")


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        ("{type: pydoc}", False),
        ("{type: hub, path: x, columns: {reference: gold}}", False),
        ("{type: hub, path: x, columns: {prompt: question}}", True),
    ],
)
def test_reference_answers_are_asked_for_where_a_method_needs_them(data, missing, lessened):
    load(f"data: {data}")
    lessened(needs=("references",))
    if missing:
        error = refused(f"data: {data}", "data.columns.reference")
        assert "modpo" in error.hint
    else:
        load(f"data: {data}")


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        (
            "method: {type: dpo, batch_size: 6}\nengine: {resources: {ranks: 4}}",
            "method.batch_size",
            "a multiple of 4",
        ),
        (
            "method: {type: dpo, batch_size: 8, gradient_accumulation: 4}\n"
            "engine: {resources: {ranks: 4}}",
            "method.batch_size",
            "a multiple of 16",
        ),
        (
            "method: {type: grpo, batch_size: 4}\nengine: {resources: {ranks: 3}}",
            "method.batch_size",
            "a multiple of 3",
        ),
        ("engine: {resources: {offload: true}}", "engine.resources.offload", "at zero 1"),
    ],
)
def test_resources_that_contradict_the_batch_are_refused(text, key, allowed):
    assert allowed in refused(text, key).what


@pytest.mark.parametrize("proposer", ["cmorl", "empty_box", "soups", "map"])
def test_a_method_that_serves_all_preferences_takes_weighted_launches_only(proposer):
    for method in ("ric", "dpa"):
        refused(f"method: {{type: {method}}}\nproposer: {{type: {proposer}}}", "proposer.type")
    load(f"method: {{type: dpo}}\nproposer: {{type: {proposer}}}")


@pytest.mark.parametrize("proposer", ["lattice", "dirichlet", "auto"])
def test_proposers_of_weights_suit_every_method(proposer):
    for method in ("ric", "dpa", "dpo"):
        load(f"method: {{type: {method}}}\nproposer: {{type: {proposer}}}")


def test_runs_that_serve_all_preferences_are_not_paused():
    text = "method: {{type: {}, steps: 20, checkpoint_every: 5}}\nstop: {{rungs: {{}}}}"
    load(text.format("dpo"))
    refused(text.format("dpa"), "stop.rungs")


@pytest.mark.parametrize(
    ("proposer", "key"),
    [
        ("{type: portfolio}", None),
        ("{type: portfolio, arms: [ols, dirichlet]}", None),
        ("{type: portfolio, arms: [ols, {type: cmorl_hv}]}", "proposer.arms.1.type"),
        ("{type: pg_predict}", "proposer.type"),
    ],
)
def test_what_each_arm_needs_is_asked_for(proposer, key):
    text = f"proposer: {proposer}\nmethod: {{type: METHOD}}"
    load(text.replace("METHOD", "dpo"))
    if key is None:
        load(text.replace("METHOD", "ric"))
    else:
        refused(text.replace("METHOD", "ric"), key)
