"""Settings of the engine of generation that `check` takes and refuses."""

from __future__ import annotations

import pytest

from paretoflow.scoring.depends import sampling
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.models import GenerationSpec, LoraSpec
from paretoflow.spec.public import public_spec
from paretoflow.spec.served import rank_of, server_rank
from paretoflow.spec.sweep import SweepSpec
from tests.faults import raises

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


def load(generation: str, rest: str = "", lora: str = "") -> SweepSpec:
    model = f"model: {{type: embedded, lora: {{{lora}}}, generation: {{{generation}}}}}\n"
    return load_spec_text(f"name: x\n{model}{rest}{TWO}", "job.yaml")


@pytest.mark.parametrize(
    ("generation", "rest"),
    [
        ("engine: vllm", ""),
        ("engine: vllm, command: /v/bin/vllm, options: {max_model_len: 512}", ""),
        ("engine: vllm, url: 'http://a:8000', api_key_env: KEY, adapter_folder: /shared", ""),
        ("engine: vllm, url: ['http://a:1/v1', 'https://b']", "method: {type: grpo}\n"),
    ],
)
def test_what_is_taken(generation: str, rest: str) -> None:
    load(generation, rest)


@pytest.mark.parametrize(
    ("generation", "rest", "lora", "code", "said"),
    [
        ("url: 'http://a'", "", "", "spec-contradiction", "url"),
        ("options: {seed: 1}", "", "", "spec-contradiction", "options"),
        ("engine: vllm, url: 'http://a', command: v", "", "", "spec-contradiction", "command"),
        ("engine: vllm, api_key_env: KEY", "", "", "spec-contradiction", "api_key_env"),
        ("engine: vllm, options: {port: 1}", "", "", "spec-not-allowed", "port"),
        ("engine: vllm, options: {max-num-seqs: 1}", "", "", "spec-not-allowed", "max-num-seqs"),
        ("engine: vllm, url: 'a:8000'", "", "", "spec-not-allowed", "url"),
        ("engine: vllm, url: 'http://me:pw@a'", "", "", "spec-not-allowed", "url"),
        ("engine: vllm, temperature: 2.5", "", "", "spec-not-allowed", "2.5"),
        ("engine: vllm", "engine: {resources: {zero: 3}}\n", "", "spec-contradiction", "zero"),
        ("engine: vllm", "", "dora: true", "spec-contradiction", "dora"),
        ("engine: vllm", "", "modules_to_save: [lm_head]", "spec-contradiction", "lm_head"),
        ("engine: vllm", "", "rank: 600", "spec-contradiction", "600"),
        ("engine: vllm", "", "ranks: {q_proj: 513}", "spec-contradiction", "513"),
        ("engine: vllm", "method: {type: mah_dpo}\nproposer: {type: lattice}\n", "",
         "spec-contradiction", "mah_dpo"),
    ],
)  # fmt: skip
def test_what_is_refused(generation: str, rest: str, lora: str, code: str, said: str) -> None:
    with raises(code, said if said != "lm_head" else "modules_to_save"):
        load(generation, rest, lora)


def test_a_system_cost_is_measured_with_hf_alone() -> None:
    cost = "  - {name: s, type: system, measure: latency, range: [0, 1]}\n"
    text = f"name: x\nmodel: {{type: embedded, generation: {{engine: vllm}}}}{TWO}{cost}"
    with raises("spec-contradiction", "system"):
        load_spec_text(text, "job.yaml")


def test_the_reference_engine_leaves_the_names_of_kept_answers_as_they_were() -> None:
    plain = GenerationSpec(max_new_tokens=8)
    assert sampling(plain) == {"max_new_tokens": 8, "temperature": 1.0}
    served = GenerationSpec(max_new_tokens=8, engine="vllm", url=("http://a",))
    assert sampling(served)["engine"] == "vllm"
    assert "http://a" not in str(sampling(served))


def test_an_export_names_no_server_of_its_owner() -> None:
    spec = load("engine: vllm, url: 'http://intern:8000', api_key_env: KEY, adapter_folder: /s")
    public = public_spec(spec.model_dump(mode="json"))
    assert "intern" not in str(public)
    again = SweepSpec.model_validate(public)
    assert again.model.generation.engine == "vllm"
    assert again.model.generation.url == ()


def test_ranks_of_servers() -> None:
    assert rank_of(LoraSpec(rank=4, ranks={"q_proj": 12})) == 12
    assert [server_rank(r) for r in (1, 8, 9, 512, 513)] == [8, 8, 16, 512, None]


def test_an_adapter_below_the_runs_is_served_by_servers_that_run_alone() -> None:
    model = "model: {type: pretrained, path: a/b, adapter: sft, generation: {engine: vllm%s}}\n"
    load_spec_text("name: x\n" + model % ", url: 'http://a'" + TWO, "job.yaml", files=False)
    with raises("spec-contradiction", "model.adapter"):
        load_spec_text("name: x\n" + model % "" + TWO, "job.yaml", files=False)
