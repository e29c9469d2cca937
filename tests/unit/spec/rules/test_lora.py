"""Forms of the adapter that `check` takes and refuses."""

from __future__ import annotations

import pytest

from paretoflow.core.errors import ParetoflowError
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.lora_arguments import REFUSED
from paretoflow.spec.shape import homes_of
from tests.faults import raises

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


def load(lora: str, rest: str = "", model: str = "type: embedded") -> None:
    load_spec_text(f"name: x\nmodel: {{{model}, lora: {{{lora}}}}}\n{rest}{TWO}", "job.yaml")


@pytest.mark.parametrize(
    ("lora", "rest"),
    [
        ("dora: true, rslora: true", ""),
        ("dora: true", "proposer: {type: dirichlet}\nmethod: {type: grpo}\n"),
        ("rslora: true", "proposer: {type: soups}\nmethod: {type: mah_dpo}\n"),
        ("modules_to_save: [lm_head]", "method: {type: mah_dpo}\nproposer: {type: lattice}\n"),
        ("peft: {alpha_pattern: {q_proj: 4}, exclude_modules: o_proj}", ""),
        ("targets: [q_proj], peft: {layers_to_transform: [0, 1], layers_pattern: layers}", ""),
    ],
)
def test_forms_that_a_run_can_train_are_taken(lora, rest):
    load(lora, rest if "soups" not in rest else "proposer: {type: soups}\n")


@pytest.mark.parametrize(
    ("lora", "rest", "code", "said"),
    [
        ("peft: {r: 4}", "", "spec-not-allowed", ("model.lora.rank",)),
        ("peft: {use_dora: true}", "", "spec-not-allowed", ("model.lora.dora",)),
        ("peft: {bias: all}", "", "spec-not-allowed", ("base",)),
        ("peft: {init_lora_weights: pissa}", "", "spec-not-allowed", ("gaussian",)),
        ("peft: {alpha_patern: {}}", "", "spec-unknown-key", ("alpha_pattern",)),
        ("peft: {alpha_pattern: {q_proj: x}}", "", "spec-wrong-type", ("a number",)),
        ("peft: {alpha_pattern: {q_proj: 0}}", "", "spec-not-allowed", ("more than 0",)),
        ("peft: {exclude_modules: []}", "", "spec-not-allowed", ()),
        ("peft: {layers_pattern: layers}", "", "spec-contradiction", ("layers_to_transform",)),
        ("peft: {layers_to_transform: 1}", "", "spec-contradiction", ("model.lora.targets",)),
        ("use_dora: true", "", "spec-unknown-key", ("dora",)),
        ("dora: true", "proposer: {type: soups}\n", "spec-contradiction", ("soups",)),
        ("modules_to_save: [norm]", "proposer: {type: map}\n", "spec-contradiction", ("map",)),
        ("dora: true", "proposer: {type: reevaluate, of: {type: merge_screen}}\n",
         "spec-contradiction", ("proposer.of",)),
        ("dora: true", "method: {type: mah_dpo}\nproposer: {type: lattice}\n",
         "spec-contradiction", ("mah_dpo",)),
        ("dora: true", "engine: {resources: {ranks: 2, zero: 3}}\n", "spec-contradiction",
         ("ZeRO 3",)),
    ],
)  # fmt: skip
def test_other_forms_are_refused_before_anything_is_spent(lora, rest, code, said):
    with raises(code, "model.lora", *said):
        load(lora, rest)


def test_whole_modules_are_not_trained_in_half_precision():
    model = "type: pretrained, path: a/b, dtype: float16"
    with raises("spec-contradiction", "float16"):
        load("modules_to_save: [norm]", model=model)
    load("dora: true", model=model)


@pytest.mark.parametrize("reason", sorted({r for r in REFUSED.values() if r.startswith("=")}))
def test_every_key_that_a_refusal_names_exists(reason):
    home, _, key = reason[1:].rpartition(".")
    assert any(found.split(" (")[0].endswith(home) for found in homes_of(key))


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("method: {type: command, argv: [sh, -c, x]}", ["a program would"]),
        ("engine: {resources: {ranks: 2, zero: 3}}", ["at ZeRO 3 no worker"]),
        ("engine: {resources: {ranks: 2, zero: 2}}", []),
    ],
)
def test_an_adapter_to_start_from_needs_a_whole_base(rest, why, tmp_path):
    model = f"type: pretrained, path: base, dtype: float32, adapter: {tmp_path}"
    with pytest.raises(ParetoflowError) as caught:
        load("", rest, model)
    assert [
        fault for fault in ("a program would", "at ZeRO 3 no worker") if fault in str(caught.value)
    ] == why
