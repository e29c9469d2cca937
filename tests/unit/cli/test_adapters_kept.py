"""Whoever hands over an adapter of a sweep checks first that it is the one that was evaluated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from tests.faults import only_printed, raises
from tests.simulated_sweeps import sweep_with_adapters

WISH = ["--prefer", "left=0.5,right=0.5"]


@pytest.fixture
def sweep(tmp_path: Path) -> tuple[str, Path]:
    """A sweep whose every point has an adapter, and the adapter that the wish gets."""
    root = sweep_with_adapters(tmp_path)
    front = paretoflow.open_sweep(root).front()
    adapter = front.adapter(front.pick(prefer={"left": 0.5, "right": 0.5}))
    assert adapter is not None
    return str(root), adapter


def _flip(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")


def _rescale(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text('{"r": 64}')


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a byte of the weights": (_flip, "adapter-changed", "adapter_model.safetensors"),
    "the configuration": (_rescale, "adapter-changed", "adapter_config.json"),
    "weights deleted": (
        lambda a: (a / "adapter_model.safetensors").unlink(),
        "adapter-changed",
        "adapter_config.json",
    ),
    "emptied": (lambda a: [p.unlink() for p in a.iterdir()], "adapter-changed", ""),  # type: ignore[func-returns-value]
    "deleted": (shutil.rmtree, "adapter-gone", ""),
    "a file in its place": (lambda a: (shutil.rmtree(a), a.write_text("x")), "adapter-gone", ""),  # type: ignore[func-returns-value]
}


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_lost_or_changed_adapter_is_handed_over_by_nobody(
    sweep: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    root, adapter = sweep
    assert main(["pick", root, *WISH]) == 0
    damage, code, last = DAMAGE[kind]
    damage(adapter)
    capsys.readouterr()
    for verb in (
        ["pick", root, *WISH],
        ["pick", root, *WISH, "--format", "json"],
        ["export", root, "-o", str(tmp_path / "out")],
    ):
        assert main(verb) == 2
        told = capsys.readouterr()
        only_printed(told.err, code, adapter.name)
        assert "adapter_model" not in told.out
    assert not (tmp_path / "out").exists()
    front = paretoflow.open_sweep(root).front()
    with raises(code, adapter.name, last):
        front.adapter(front.pick(prefer={"left": 0.5, "right": 0.5}))
    others = [p for p in front if not str(adapter).endswith(p.path)]
    assert all(front.adapter(p) for p in others)  # they are whole
    assert main(["front", root]) == 0
