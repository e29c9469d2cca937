"""Whoever hands over an adapter of a sweep checks first that it is the one that was evaluated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import paretoflow
from paretoflow.cli.main import main
from paretoflow.core.errors import AdapterError
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


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a byte of the weights": (_flip, r"SHA-256 \w{12}….*changed last: adapter_model.safetensors"),
    "the configuration": (_rescale, r"the ledger says \w{12}….*changed last: adapter_config.json"),
    "weights deleted": (lambda a: (a / "adapter_model.safetensors").unlink(), "is not the one"),
    "emptied": (lambda a: [p.unlink() for p in a.iterdir()], "no file is left in it"),  # type: ignore[func-returns-value]
    "deleted": (shutil.rmtree, "the adapter is gone"),
    "a file in its place": (lambda a: (shutil.rmtree(a), a.write_text("x")), "the adapter is gone"),  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_lost_or_changed_adapter_is_handed_over_by_nobody(
    sweep: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    root, adapter = sweep
    assert main(["pick", root, *WISH]) == 0
    damage, words = DAMAGE[kind]
    damage(adapter)
    capsys.readouterr()
    for verb in (
        ["pick", root, *WISH],
        ["pick", root, *WISH, "--format", "json"],
        ["export", root, "-o", str(tmp_path / "out")],
    ):
        assert main(verb) == 2
        told = capsys.readouterr()
        assert str(adapter.name) in told.err
        assert "hint: restore the folder" in told.err
        assert "adapter_model" not in told.out
    assert not (tmp_path / "out").exists()
    front = paretoflow.open_sweep(root).front()
    with pytest.raises(AdapterError, match=words):
        front.adapter(front.pick(prefer={"left": 0.5, "right": 0.5}))
    others = [p for p in front if not str(adapter).endswith(p.path)]
    assert all(front.adapter(p) for p in others)  # they are whole
    assert main(["front", root]) == 0
