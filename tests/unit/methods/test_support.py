"""What a method cannot train on is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.methods.registry import CAPABILITIES
from paretoflow.methods.support import require_supported
from paretoflow.spec.load import load_spec_text

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


def spec(method: str, resources: str):
    text = f"name: x\nmethod: {{type: {method}}}\nengine: {{resources: {{{resources}}}}}{TWO}"
    return load_spec_text(text, "job.yaml")


@pytest.mark.parametrize(
    "method", sorted(tag for tag, can in CAPABILITIES.items() if can.distributed == "zero")
)
@pytest.mark.parametrize(
    "resources", ["ranks: 1", "ranks: 2", "ranks: 4, zero: 3, offload: true", "zero: 1"]
)
def test_what_the_methods_can_do_passes(method, resources):
    require_supported(spec(method, resources))


@pytest.mark.parametrize(
    ("can", "resources", "where", "what"),
    [
        ("single", "ranks: 2", "engine.resources.ranks", "got 2 ranks; allowed: 1, since dpo"),
        ("single", "zero: 2", "engine.resources.zero", "got zero 2; allowed: 0, since dpo"),
        ("ddp", "ranks: 2, zero: 3", "engine.resources.zero", "got zero 3; allowed: 0, since dpo"),
    ],
)
def test_what_a_method_cannot_do_is_refused(can, resources, where, what, monkeypatch):
    less = replace(CAPABILITIES["dpo"], distributed=can, distributed_note="exact gradients")
    monkeypatch.setitem(CAPABILITIES, "dpo", less)
    with pytest.raises(SpecError) as caught:
        require_supported(spec("dpo", resources))
    assert caught.value.where == where
    assert caught.value.what.startswith(what)
    assert "(exact gradients)" in caught.value.what
    assert "grpo" in caught.value.hint
    assert "modpo" in caught.value.hint


@pytest.mark.parametrize(
    ("method", "proposer", "fault"),
    [
        ("dpo", "{type: reevaluate}", None),
        ("dpo", "{type: reevaluate, of: soups}", None),
        ("ric", "{type: lattice}", None),
        (
            "ric",
            "{type: reevaluate, of: lattice}",
            "got reevaluate, which needs",
        ),
        ("pro", "{type: reevaluate, of: lattice}", None),
    ],
)
def test_second_looks_need_an_artifact_that_serves_one_preference(method, proposer, fault):
    loaded = load_spec_text(
        f"name: x\nproposer: {proposer}\nmethod: {{type: {method}}}{TWO}", "job.yaml"
    )
    if fault is None:
        require_supported(loaded)
        return
    with pytest.raises(SpecError) as caught:
        require_supported(loaded)
    assert caught.value.where == "proposer.type"
    assert caught.value.what.startswith(fault)
    assert "one artifact of it serves all preferences" in caught.value.what


def test_what_a_wrapped_proposer_needs_is_asked_for_too(monkeypatch):
    monkeypatch.setitem(CAPABILITIES, "dpo", replace(CAPABILITIES["dpo"], launches=("weighted",)))
    text = f"name: x\nproposer: {{type: reevaluate, of: cmorl}}{TWO}"
    with pytest.raises(SpecError, match="got cmorl, which needs constrained launches") as caught:
        require_supported(load_spec_text(text, "job.yaml"))
    assert caught.value.where == "proposer.of.type"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        ("{type: pydoc}", False),
        ("{type: hub, path: x, columns: {reference: gold}}", False),
        ("{type: hub, path: x, columns: {prompt: question}}", True),
    ],
)
def test_reference_answers_are_asked_for_where_a_method_needs_them(data, missing, monkeypatch):
    wanting = replace(CAPABILITIES["dpo"], needs=("references",))
    loaded = load_spec_text(f"name: x\ndata: {data}{TWO}", "job.yaml")
    require_supported(loaded)
    monkeypatch.setitem(CAPABILITIES, "dpo", wanting)
    if not missing:
        require_supported(loaded)
        return
    with pytest.raises(SpecError, match="got data without reference answers, which dpo") as caught:
        require_supported(loaded)
    assert caught.value.where == "data.columns.reference"
    assert "modpo" in caught.value.hint


def test_a_program_runs_on_one_rank_and_says_why():
    text = (
        f"name: x\nmethod: {{type: command, argv: [x]}}\nengine: {{resources: {{ranks: 2}}}}{TWO}"
    )
    with pytest.raises(
        SpecError, match=r"one rank only \(a worker group starts one program"
    ) as caught:
        require_supported(load_spec_text(text, "job.yaml"))
    assert caught.value.where == "engine.resources.ranks"


def test_data_parallel_methods_take_ranks_but_no_shards(monkeypatch):
    monkeypatch.setitem(CAPABILITIES, "dpo", replace(CAPABILITIES["dpo"], distributed="ddp"))
    require_supported(spec("dpo", "ranks: 2"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("method: {type: dpo, batch_size: 6}\nengine: {resources: {ranks: 4}}", "a multiple of 4"),
        (
            "method: {type: dpo, batch_size: 8, gradient_accumulation: 4}\n"
            "engine: {resources: {ranks: 4}}",
            "for 4 ranks in 4 passes each; allowed: a multiple of 16",
        ),
        (
            "method: {type: grpo, batch_size: 4}\nengine: {resources: {ranks: 3}}",
            "a multiple of 3 .*batch_size: 12",
        ),
        ("engine: {resources: {offload: true}}", "got offload at zero 0"),
    ],
)
def test_resources_that_contradict_the_batch_are_refused_at_reading(text, fault):
    with pytest.raises(SpecError, match=fault):
        load_spec_text(f"name: x\n{text}{TWO}", "job.yaml")


@pytest.mark.parametrize("proposer", ["cmorl", "empty_box", "soups", "map"])
@pytest.mark.parametrize("method", ["ric", "dpa"])
def test_a_method_that_serves_all_preferences_takes_weighted_launches_only(method, proposer):
    text = f"name: x\nmethod: {{type: {method}}}\nproposer: {{type: {proposer}}}{TWO}"
    with pytest.raises(SpecError, match="one artifact of it serves all preferences") as caught:
        require_supported(load_spec_text(text, "job.yaml"))
    assert caught.value.where == "proposer.type"
    assert f"got {proposer}, which needs" in caught.value.what
    assert "choose lattice or dirichlet" in caught.value.hint


@pytest.mark.parametrize("proposer", ["lattice", "dirichlet", "auto"])
def test_proposers_of_weights_suit_every_method(proposer):
    for method in ("ric", "dpa", "dpo"):
        text = f"name: x\nmethod: {{type: {method}}}\nproposer: {{type: {proposer}}}{TWO}"
        require_supported(load_spec_text(text, "job.yaml"))


def test_methods_of_points_take_merges_and_constraints():
    for proposer in ("cmorl", "empty_box", "soups", "map"):
        text = f"name: x\nmethod: {{type: dpo}}\nproposer: {{type: {proposer}}}{TWO}"
        require_supported(load_spec_text(text, "job.yaml"))


def test_runs_that_serve_all_preferences_are_not_paused():
    text = "name: x\nmethod: {{type: {}, steps: 20, checkpoint_every: 5}}\nstop: {{rungs: {{}}}}"
    require_supported(load_spec_text(text.format("dpo") + TWO, "job.yaml"))
    with pytest.raises(SpecError, match="none for dpa") as caught:
        require_supported(load_spec_text(text.format("dpa") + TWO, "job.yaml"))
    assert caught.value.where == "stop.rungs"


@pytest.mark.parametrize(
    ("proposer", "where", "kind"),
    [
        ("{type: portfolio}", None, ""),
        ("{type: portfolio, arms: [ols, dirichlet]}", None, ""),
        ("{type: portfolio, arms: [ols, cmorl_hv]}", "proposer.arms.1.type", "constrained"),
        ("{type: pg_predict}", "proposer.type", "continued"),
    ],
)
def test_what_each_arm_needs_is_asked_for(proposer, where, kind):
    text = f"name: x\nproposer: {proposer}\nmethod: {{type: METHOD}}{TWO}"
    require_supported(load_spec_text(text.replace("METHOD", "dpo"), "job.yaml"))
    conditioned = load_spec_text(text.replace("METHOD", "ric"), "job.yaml")
    if where is None:
        require_supported(conditioned)
        return
    with pytest.raises(SpecError) as caught:
        require_supported(conditioned)
    assert caught.value.where == where
    assert f"which needs {kind} launches" in caught.value.what
