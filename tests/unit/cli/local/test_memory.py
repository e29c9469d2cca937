from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.local.memory import HEAP, Memory, memory_findings, memory_of
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec

QWEN_8B = {
    "architectures": ["Qwen3ForCausalLM"],
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 12288,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
    "max_position_embeddings": 40960,
}


def spec_of(folder: Path | str, **changes: Any) -> SweepSpec:
    shape = {"type": "length", "direction": "minimize", "unit": "words", "range": [0, 9], "ref": 9}
    plain: dict[str, Any] = {
        "name": "sized",
        "model": {"type": "pretrained", "path": str(folder), **changes.pop("model", {})},
        "data": {
            "type": "jsonl",
            "path": "x.jsonl",
            "max_prompt_tokens": 384,
            **changes.pop("data", {}),
        },
        "objectives": [{"name": "a", **shape}, {"name": "b", **shape}],
        "method": {"type": "dpo", **changes.pop("method", {})},
        "proposer": {"type": "lattice"},
        "engine": {"resources": {"gpus_per_rank": 1, **changes.pop("resources", {})}},
    }
    return SweepSpec.model_validate(plain | changes)


def estimate(spec: SweepSpec) -> Memory:
    found = memory_of(spec)
    assert isinstance(found, Memory), found
    return found


@pytest.fixture
def large(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_8B))
    return tmp_path


def fault(spec: SweepSpec) -> Fault:
    (found,) = memory_findings(spec, memory_of(spec))
    assert isinstance(found, Fault), found
    assert found.code == "model-too-large"
    assert found.path == ("engine", "resources", "gpu_memory_gb")
    return found


def test_an_8_b_base_is_16_gb_in_bfloat16_and_double_in_float32(large: Path) -> None:
    assert estimate(spec_of(large)).parts.weights == pytest.approx(16.4e9, rel=0.01)
    full = estimate(spec_of(large, model={"dtype": "float32"}))
    assert full.parts.weights == pytest.approx(32.8e9, rel=0.01)


def test_what_cannot_fit_is_refused_with_what_would(large: Path) -> None:
    batch = {"batch_size": 32}
    small = fault(spec_of(large, resources={"gpu_memory_gb": 24}, method=batch))
    assert "24.0" in small.what
    assert "gradient_accumulation" in small.hint
    assert "generation.batch_size" in small.hint
    whole = {"type": "gradient_dpo", **batch}  # takes the base whole
    none = fault(spec_of(large, resources={"gpu_memory_gb": 12}, method=whole))
    assert "17.9" in none.hint  # 16.4 and 1.5: nothing but a larger GPU helps
    half = spec_of(large, resources={"gpu_memory_gb": 80, "gpus_per_rank": 0.25}, method=batch)
    assert "20.0" in fault(half).what


@pytest.mark.parametrize(("known", "layers"), [(24, 36), (80, 36), (24, 18), (141, 100)])
def test_the_changes_of_a_hint_fit(tmp_path: Path, known: float, layers: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_8B | {"num_hidden_layers": layers}))
    resources = {"gpu_memory_gb": known}
    hint = fault(spec_of(tmp_path, resources=resources, method={"batch_size": 128})).hint
    first = hint.split(", or ")[0]
    changes: dict[str, Any] = {"method": {"batch_size": 128}, "resources": dict(resources)}
    if times := re.search(r"gradient_accumulation (\d+) times", first):
        changes["method"]["gradient_accumulation"] = int(times[1])
    if size := re.search(r"generation.batch_size: (\d+)", first):
        changes["model"] = {"generation": {"batch_size": int(size[1])}}
    if "activation_checkpointing: true" in first:
        changes["method"]["trainer"] = {"activation_checkpointing": True}
    if ranks := re.search(r"ranks: (\d+) with zero: (\d)", first):
        changes["resources"] |= {"ranks": int(ranks[1]), "zero": int(ranks[2])}
    spec = spec_of(tmp_path, **changes)
    assert estimate(spec).total <= known * 1e9
    (line,) = memory_findings(spec, memory_of(spec))
    assert isinstance(line, str)


def test_more_than_the_gpu_within_the_error_is_a_warning(large: Path) -> None:
    spec = spec_of(large)
    known = 0.9 * estimate(spec).total / 1e9
    spec = spec_of(large, resources={"gpu_memory_gb": known})
    line, warning = memory_findings(spec, memory_of(spec))
    assert isinstance(line, str)
    assert isinstance(warning, str)
    assert "more than" in warning


def test_unknown_prompts_refuse_only_what_cannot_fit_with_the_shortest(large: Path) -> None:
    method = {"batch_size": 32}
    model = {"generation": {"max_new_tokens": 8}}
    data = {"max_prompt_tokens": None}
    spec = spec_of(large, method=method, model=model, data=data, resources={"gpu_memory_gb": 24})
    assert estimate(spec).total > 1.4 * 24e9 > estimate(spec).least
    assert all(isinstance(found, str) for found in memory_findings(spec, memory_of(spec)))


def test_zero_3_divides_the_base_by_the_ranks(large: Path) -> None:
    parts = []
    for ranks in (4, 8):
        spec = spec_of(large, resources={"ranks": ranks, "zero": 3})
        (line,) = memory_findings(spec, memory_of(spec))
        assert isinstance(line, str)
        assert "ZeRO 3 shards the base of 16.4 GB" in line
        parts.append(estimate(spec).parts)
    assert parts[0].weights == parts[1].weights
    assert parts[0].sharded - parts[1].sharded == parts[0].weights / 8


@pytest.mark.parametrize(
    ("tag", "lora", "able"),
    [("dpo", {}, True), ("mah_dpo", {}, False), ("gradient_dpo", {}, False)],
)
def test_zero_3_is_a_way_to_fit_for_what_may_be_sharded(
    tag: str, lora: dict[str, Any], able: bool, large: Path
) -> None:
    spec = spec_of(large, method={"type": tag, "batch_size": 2}, resources={"gpu_memory_gb": 15})
    fault, *_ = memory_findings(spec, memory_of(spec))
    assert isinstance(fault, Fault)
    assert ("with zero: 3" in fault.hint) is able


def test_ranks_passes_and_methods_share_the_batch(large: Path) -> None:
    def sequences(tag: str, **resources: Any) -> int:
        method = {"type": tag, "batch_size": 16, "gradient_accumulation": 2}
        return estimate(spec_of(large, method=method, resources=resources)).load.sequences

    assert sequences("dpo") == 16
    assert sequences("dpo", ranks=4) == 4
    assert sequences("bco") == sequences("grpo") == 8
    assert sequences("lipo") == 64


def test_a_model_that_is_not_here_is_not_estimated() -> None:
    found = memory_of(spec_of("owner/nowhere"))
    assert isinstance(found, str)
    assert "owner/nowhere" in found


def test_workers_beyond_the_memory_of_the_machine_are_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec_of(TINY_BASE_DIR, resources={"gpus_per_rank": 0}, model={"dtype": "float32"})
    memory = estimate(spec)
    assert not memory.load.gpu
    assert len(list(memory_findings(spec, memory))) == 1
    need = 2 * (memory.parts.fixed + HEAP * (memory.total - memory.parts.fixed))
    sizes = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": int(0.99 * need)}
    monkeypatch.setattr("os.sysconf", lambda name: sizes[name])
    assert "2 workers" in str(list(memory_findings(spec, memory))[1])
