"""What no run could be trained with is refused when a worker starts, before anything is sampled."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paretoflow.core.errors import ModelError, SpecError
from paretoflow.core.protocols import Parallel
from paretoflow.spec.sweep import SweepSpec

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel

pytestmark = pytest.mark.train
ALONE = Parallel()


def spec_of(**parts: Any) -> SweepSpec:
    objectives = [
        {"name": "a", "type": "length"},
        {"name": "b", "type": "regex", "keywords": ["x"]},
    ]
    return SweepSpec.model_validate({"name": "x", "objectives": objectives} | parts)


def require(lm: Any, parallel: Parallel = ALONE, **parts: Any) -> None:
    from paretoflow.engine.runtime.loaded import require_trainable

    require_trainable(spec_of(**parts), lm, parallel)


def adapter(**lora: Any) -> dict[str, Any]:
    return {"type": "pretrained", "path": "x/y", "lora": {"rank": 2} | lora}


def test_an_adapter_that_fits_leaves_the_base_bare(tiny_lm: LanguageModel) -> None:
    for _ in range(2):
        require(tiny_lm, model=adapter(targets=["q_proj", "v_proj"], ranks={"q_proj": 3}))
    assert not hasattr(tiny_lm.model, "peft_config")
    assert not any("lora" in name for name, _ in tiny_lm.model.named_modules())


@pytest.mark.parametrize(
    "parts",
    [
        {"model": adapter(targets=["no_such_layer"])},
        {"model": adapter(targets="no_such.*")},
        {"model": adapter(ranks={"no_such_layer": 4})},
        {"model": adapter(), "search": {"rank.no_such_layer": {"choices": [2, 4]}}},
    ],
)
def test_an_adapter_that_fits_no_layer_is_refused(
    tiny_lm: LanguageModel, parts: dict[str, Any]
) -> None:
    with pytest.raises(ModelError):
        require(tiny_lm, **parts)
    assert not hasattr(tiny_lm.model, "peft_config")


def test_half_precision_on_a_cpu_is_for_one_worker() -> None:
    half = SimpleNamespace(device="cpu", model=SimpleNamespace(dtype="torch.bfloat16"))
    with pytest.raises(SpecError) as caught:
        require(half, Parallel(0, 2))
    assert caught.value.where == "model.dtype"


def test_a_program_is_asked_for_and_no_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    method = {"type": "command", "argv": ["{python}"]}
    require(None, method=method)
    for faulty, where in (({"argv": ["no-such-program"]}, "argv"), ({"env": ["NOT_SET"]}, "env")):
        with pytest.raises(SpecError) as caught:
            require(None, method=method | faulty)
        assert caught.value.where == f"method.{where}"


def test_a_worker_refuses_before_it_samples(tiny_base_dir: Path, tmp_path: Path) -> None:
    from paretoflow.engine.runtime import executor
    from tests.unit.engine.small_sweep import small_sweep

    spec = small_sweep("odd", tiny_base_dir, tmp_path, {"type": "dpo", "steps": 1, "batch_size": 2})
    lora = spec.model.lora.model_copy(update={"targets": ("no_such_layer",)})
    faulty = spec.model_copy(update={"model": spec.model.model_copy(update={"lora": lora})})
    root = tmp_path / "odd"
    with pytest.raises(ModelError):
        executor.Executor(faulty, root, threads=1)
    assert not root.exists()
