from __future__ import annotations

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.load import load_spec_text
from tests.faults import raises

OBJECTIVES = """
objectives:
  - {name: a, type: length}
  - {name: b, type: regex, keywords: [x]}
"""
COLD = "model: {type: embedded, generation: {temperature: 0}}"


def load(text: str) -> None:
    load_spec_text(f"name: x\n{text}{OBJECTIVES}", "job.yaml")


@pytest.mark.parametrize("method", ["grpo", "rloo", "grao", "ipo_md", "ric", "dpa"])
def test_methods_that_compare_samples_need_a_temperature(method: str) -> None:
    with raises("spec-contradiction", "job.yaml:3:51", "model.generation.temperature"):
        load(f"method: {{type: {method}}}\n{COLD}")


def test_a_method_that_samples_nothing_may_be_cold() -> None:
    load(f"method: {{type: command, argv: [x]}}\n{COLD}")


@pytest.mark.parametrize("name", ["tools", "tokenize", "add_generation_prompt", "two words"])
def test_a_templates_arguments_are_its_own(name: str) -> None:
    with raises("spec-not-allowed", "template's"):
        load(f"model: {{type: embedded, chat_template_kwargs: {{{name}: 1}}}}")
    load("model: {type: embedded, chat_template_kwargs: {enable_thinking: false}}")


@pytest.mark.parametrize("stop", ["['']", "[1]", "x"])
def test_stop_texts_are_texts(stop: str) -> None:
    with pytest.raises(SpecError, match=r"model\.generation\.stop"):
        load(f"model: {{type: embedded, generation: {{stop: {stop}}}}}")
    load("model: {type: embedded, generation: {stop: ['\\n\\n', 'User:']}}")


@pytest.mark.parametrize(
    ("model", "resources"),
    [
        ("", "{ranks: 2}"),
        ("", "{zero: 2}"),
        (", device: cpu", "{ranks: 2, gpus_per_rank: 1}"),
        (", dtype: float16", "{ranks: 2}"),
    ],
)
def test_half_precision_on_cpus_is_for_one_rank(model: str, resources: str) -> None:
    text = "model: {{type: pretrained, path: a/b{}}}\nengine: {{resources: {}}}\n"
    text += "method: {{type: dpo, batch_size: 8}}"
    with raises("spec-contradiction", "model.dtype", "CPU"):
        load(text.format(model, resources))
    load(text.format(", dtype: float32", resources.replace("gpus_per_rank: 1", "zero: 0")))


def test_tools_belong_to_messages(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.jsonl").write_text("{}")
    with raises("spec-contradiction", "data.columns.tools", "data.columns.messages"):
        load("data: {type: jsonl, path: r.jsonl, columns: {tools: t}}")
    load("data: {type: jsonl, path: r.jsonl, columns: {tools: t, messages: m}}")
