"""`method.trainer`: what is passed on, and every refusal before torch is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paretoflow.spec.load import load_spec_text
from paretoflow.spec.shape import homes_of
from paretoflow.spec.trainer_arguments import CONFIG_OF, refusals_of
from paretoflow.spec.trainer_refused import REFUSED
from tests.faults import raises

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


def load(method: str, rest: str = "") -> dict[str, object]:
    spec = load_spec_text(f"name: x\nmethod: {{{method}}}\n{rest}{TWO}", "job.yaml")
    return spec.method.trainer


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        ("dpo", "weight_decay: 0.01, adam_beta2: 0.95, adam_epsilon: 1.0e-8"),
        ("dpo", "lr_scheduler_type: cosine, warmup_steps: 0.1, use_weighting: true"),
        ("dpo", "lr_scheduler_type: cosine_with_min_lr, lr_scheduler_kwargs: {min_lr_rate: 0.1}"),
        ("lipo", "gradient_checkpointing: true, optim: adafactor"),
        ("grpo", "loss_type: dapo, entropy_coef: 0.01, top_entropy_quantile: 0.2"),
        ("rloo", "mask_truncated_completions: true, weight_decay: 1"),
        ("ric", "loss_type: dft, adam_beta1: 0.8"),
        ("mah_dpo", "activation_checkpointing: true, "
         "activation_checkpointing_kwargs: {every_n_layers: 2}"),
    ],
)  # fmt: skip
def test_arguments_that_act_are_taken(tag, given):
    assert load(f"type: {tag}, trainer: {{{given}}}")


@pytest.mark.parametrize(
    ("tag", "given", "code", "said"),
    [
        ("dpo", "max_steps: 5", "spec-not-allowed", ("2:31", "method.steps")),
        ("dpo", "loss_type: ipo", "spec-not-allowed", ("method.loss",)),
        ("ipo", "loss_type: ipo", "spec-not-allowed", ("method.type",)),
        ("f_dpo", "f_divergence_type: js", "spec-not-allowed", ("method.divergence",)),
        ("grao", "beta: 0.1", "spec-not-allowed", ("beta",)),
        ("grpo", "beta: 0.1", "spec-not-allowed", ("method.beta",)),
        ("grpo", "temperature: 0.1", "spec-not-allowed", ("model.generation.temperature",)),
        ("dpo", "seed: 1", "spec-not-allowed", ("`seed`",)),
        ("dpo", "output_dir: x", "spec-not-allowed", ("storage",)),
        ("dpo", "save_strategy: steps", "spec-not-allowed", ("resumes",)),
        ("dpo", "push_to_hub: true", "spec-not-allowed", ("export",)),
        ("dpo", "dataloader_num_workers: 4", "spec-not-allowed", ("resuming",)),
        ("dpo", "label_smoothing: 0.1", "spec-not-allowed", ("robust",)),
        ("ric", "label_smoothing_factor: 0.1", "spec-not-allowed", ("deprecated",)),
        ("bco", "use_weighting: true", "spec-not-allowed", ("loss",)),
        ("modpo", "use_weighting: true", "spec-not-allowed", ("loss",)),
        ("grpo", "scale_rewards: none", "spec-not-allowed", ("method.aggregation",)),
        ("grpo", "num_iterations: 2", "spec-not-allowed", ("one step",)),
        ("ipo_md", "top_entropy_quantile: 0.2", "spec-not-allowed", ("loss",)),
        ("command, argv: [x]", "weight_decay: 0.1", "spec-contradiction", ("argv",)),
        ("dpo", "weight_decy: 0.1", "spec-unknown-key", ("`weight_decay`", "DPOConfig")),
        ("dpo", "scale_rewards: none", "spec-unknown-key", ("DPOConfig",)),
        ("dpo", "warmup_ratio: 0.1", "spec-unknown-key", ("warmup_steps",)),
        ("dpo", "lr: 0.1", "spec-unknown-key", ("method.learning_rate",)),
        ("dpo", "weight_decay: '0.1'", "spec-wrong-type", ("a number",)),
        ("dpo", "weight_decay: true", "spec-wrong-type", ("a number",)),
        ("dpo", "weight_decay: null", "spec-wrong-type", ("a number",)),
        ("dpo", "weight_decay: -1", "spec-not-allowed", ("at least 0",)),
        ("dpo", "weight_decay: .inf", "spec-not-allowed", ("finite",)),
        ("dpo", "adam_beta2: 1.0", "spec-not-allowed", ("less than 1",)),
        ("dpo", "optim: adamw_8bit", "spec-not-allowed", ("adafactor",)),
        ("dpo", "use_weighting: 1", "spec-wrong-type", ("true or false",)),
        ("dpo", "torch_empty_cache_steps: 1.5", "spec-wrong-type", ("whole number",)),
        ("dpo", "lr_scheduler_kwargs: 1", "spec-wrong-type", ("min_lr_rate",)),
        ("dpo", "lr_scheduler_kwargs: {cycles: 1}", "spec-unknown-key", ("num_cycles",)),
        ("dpo", "lr_scheduler_type: linear, lr_scheduler_kwargs: {num_cycles: 1}",
         "spec-contradiction", ("num_cycles", "linear")),
        ("dpo", "lr_scheduler_type: cosine_with_min_lr", "spec-contradiction", ("min_lr_rate",)),
        ("dpo", "lr_scheduler_type: constant, warmup_steps: 2", "spec-contradiction",
         ("constant_with_warmup",)),
        ("dpo, steps: 10", "warmup_steps: 10", "spec-contradiction", ("10",)),
        ("dpo", "optim: sgd, adam_beta1: 0.5", "spec-contradiction", ("adam_beta1", "sgd")),
        ("dpo", "gradient_checkpointing: true, activation_checkpointing: true",
         "spec-contradiction", ("activation_checkpointing",)),
        ("dpo", "activation_checkpointing_kwargs: {every_n_layers: 2}", "spec-contradiction",
         ("activation_checkpointing: true",)),
        ("dpo, trainer: 5", "", "spec-wrong-type", ("mapping",)),
    ],
)  # fmt: skip
def test_every_other_argument_is_refused_with_the_reason(tag, given, code, said):
    trainer = f", trainer: {{{given}}}" if given else ""
    with raises(code, "job.yaml:2:", *said):
        load(f"type: {tag}{trainer}")


@pytest.mark.parametrize(
    ("method", "rest", "said"),
    [
        ("type: dpo, trainer: {optim: adafactor}",
         "engine: {resources: {ranks: 2, zero: 2}}\n", "zero"),
        ("type: dpo, trainer: {gradient_checkpointing: true}",
         "engine: {resources: {ranks: 2, zero: 3}}\n", "ZeRO 3"),
        ("type: grpo, trainer: {mask_truncated_completions: true}",
         "model: {type: embedded, generation: {stop: [x]}}\n", "stop"),
    ],
)  # fmt: skip
def test_arguments_that_clash_with_the_rest_are_refused(method, rest, said):
    with raises("spec-contradiction", "method.trainer", said):
        load(method, rest)


@pytest.mark.parametrize("tag", sorted(CONFIG_OF))
def test_every_key_that_a_refusal_names_exists(tag):
    for reason in refusals_of(tag).values():
        for place in reason[1:].split("|") if reason.startswith("=") else ():
            home, _, key = place.rpartition(".")
            found = [known.split(" (")[0] for known in homes_of(key)]
            assert (home or "the top level") in found or any(h.endswith(home) for h in found)


def test_refusals_are_checked_without_torch():
    code = (
        "import sys\nfrom tests.unit.spec.rules.test_trainer import load\n"
        "try:\n    load('type: dpo, trainer: {max_steps: 5}')\nexcept Exception as e:\n"
        "    print(type(e).__name__, 'torch' in sys.modules, 'trl' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["False", "False"], done.stdout + done.stderr


def test_tables_do_not_repeat_what_all_classes_have():
    for config in set(CONFIG_OF.values()):
        assert not REFUSED["all"].keys() & REFUSED[config].keys()
