from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoflow.core.views import SweepView
from paretoflow.exporters import exporter_of
from paretoflow.exporters.hub_card import hub_base, hub_card
from tests.views import two_objectives


def with_spec(view: SweepView, **parts: Any) -> SweepView:
    return dataclasses.replace(view, spec={**view.spec, **parts})


def matter_of(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def test_front_matter_names_base_library_and_the_best_of_each_objective() -> None:
    model = {"type": "pretrained", "path": "Qwen/Qwen3-0.6B", "revision": None}
    view = with_spec(two_objectives(), model=model, data={"type": "hub", "path": "org/data"})
    matter = matter_of(hub_card(view))
    assert (matter["base_model"], matter["base_model_relation"]) == ("Qwen/Qwen3-0.6B", "adapter")
    assert matter["library_name"] == "peft"
    assert {"lora", "pareto-front", "dpo"} <= set(matter["tags"])
    result = matter["model-index"][0]["results"][0]
    assert result["dataset"]["type"] == "org/data"
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [
        ("coverage", 0.52),
        ("length", 7.2),
    ]


@pytest.mark.parametrize(
    "model", [{"type": "embedded"}, {"type": "pretrained", "path": "/srv/models/mine"}]
)
def test_a_base_that_is_not_on_the_hub_is_not_linked(model: dict[str, Any]) -> None:
    assert hub_base(model) is None
    assert "base_model" not in matter_of(hub_card(with_spec(two_objectives(), model=model)))


def test_text_of_the_spec_cannot_break_the_front_matter() -> None:
    evil = '---\nlicense: mit\n"]: {'
    view = two_objectives()
    objectives = (
        dataclasses.replace(view.front.problem.objectives[0], unit=evil),
        view.front.problem.objectives[1],
    )
    problem = dataclasses.replace(view.front.problem, objectives=objectives)
    front = dataclasses.replace(view.front, problem=problem)
    card = hub_card(dataclasses.replace(view, front=front))
    body = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))
    assert "license" not in body
    assert evil in body["model-index"][0]["results"][0]["metrics"][0]["name"]
    assert not any(line.startswith("license:") for line in card.splitlines())


def test_the_hub_reads_the_card_as_it_is_meant() -> None:
    hub = pytest.importorskip("huggingface_hub")
    model = {"type": "pretrained", "path": "org/base"}
    data = hub.ModelCard(hub_card(with_spec(two_objectives(), model=model))).data
    assert data.base_model == "org/base"
    assert [r.metric_type for r in data.eval_results] == ["coverage", "length"]


def test_each_point_is_a_folder_and_one_is_loaded_by_name(tmp_path: Path) -> None:
    view = two_objectives(tmp_path / "sweep")
    out = tmp_path / "out"
    exporter_of("hub-folder").export(view, out, lambda: b"picture", force=False)
    for point in view.front.points:
        assert (out / point.snapshot_id / "adapter_config.json").is_file()
    card = (out / "README.md").read_text()
    assert f'"your-name/demo", subfolder="{view.front.points[2].snapshot_id}")' in card
    assert "hf upload your-name/demo ." in card
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "<card>", "exec")
