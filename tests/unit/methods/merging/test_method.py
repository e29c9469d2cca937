"""Merge launches: what every way promises, and what mixes of given coefficients are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from paretoflow.core.launch import AdapterRef
from paretoflow.core.merge import Merge
from paretoflow.core.protocols import Checkpoint, Parallel
from paretoflow.lm.adapters import adapter_on
from paretoflow.lm.lora_files import read_lora, write_lora
from paretoflow.methods.merging import WAYS
from paretoflow.methods.merging.method import MergeMethod, way_of
from paretoflow.spec.proposers import MergeWay
from tests.faults import raises
from tests.unit.methods.merging.asking import logits_of, merged, request_of

pytestmark = pytest.mark.train

PLAIN = ("cat", "factors", "peft_linear", "svd")


@pytest.mark.parametrize("how", PLAIN)
def test_a_merge_reports_one_final_checkpoint_that_serves_its_weights(
    context: Any, finals: list[Path], tmp_path: Path, how: str
) -> None:
    report = merged(context, tmp_path, finals, how, (0.4, 0.6), rank=8)
    assert (report.step, report.final, report.state) == (0, True, None)
    assert report.weights.tolist() == [0.5, 0.5, 0.0]
    assert report.cost.tokens == 0
    assert 0 < report.cost.wall_s == report.cost.device_s
    with adapter_on(context.lm, report.folder) as model:
        assert torch.equal(logits_of(model), report.model)
    assert not torch.allclose(report.model, logits_of(context.lm.model), atol=1e-3)


@pytest.mark.parametrize("how", PLAIN)
def test_one_hot_coefficients_answer_as_that_parent(
    context: Any, finals: list[Path], tmp_path: Path, how: str
) -> None:
    report = merged(context, tmp_path, finals, how, (0.0, 1.0))
    with adapter_on(context.lm, finals[1]) as model:
        assert torch.allclose(logits_of(model), report.model, atol=1e-4)


@pytest.mark.parametrize("how", PLAIN)
def test_turning_parents_and_coefficients_around_changes_nothing(
    context: Any, finals: list[Path], tmp_path: Path, how: str
) -> None:
    one = merged(context, tmp_path / "one", finals, how, (0.3, 0.7), rank=8)
    other = merged(context, tmp_path / "other", finals[::-1], how, (0.7, 0.3), rank=8)
    assert torch.allclose(one.model, other.model, atol=1e-4)


def test_singular_values_keep_the_rank_that_is_asked_for(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    exact = merged(context, tmp_path / "cat", finals, "cat", (0.5, 0.5))
    full = merged(context, tmp_path / "full", finals, "svd", (0.5, 0.5), rank=8)
    assert torch.allclose(exact.model, full.model, atol=1e-4)
    own = read_lora(merged(context, tmp_path / "own", finals, "svd", (0.5, 0.5)).folder)
    assert own.config["r"] == context.lora.rank == 4


def test_a_parent_of_another_base_is_refused(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    parent = read_lora(finals[0])
    stranger = replace(parent, base={"name": "other", "digest": "f" * 64})
    write_lora(stranger, tmp_path / "stranger")
    strangers = [tmp_path / "stranger"] * 2
    with raises("model-merge", "another base"):
        merged(context, tmp_path / "a", [finals[0], strangers[0]], "cat", (0.5, 0.5))
    with raises("model-adapter", "other"):
        merged(context, tmp_path / "b", strangers, "cat", (0.5, 0.5))


def test_ranks_that_a_way_cannot_merge_are_refused(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    wide = merged(context, tmp_path / "wide", finals, "cat", (0.5, 0.5)).folder
    with raises("model-merge", "[4", "8]"):
        merged(context, tmp_path / "no", [finals[0], wide], "factors", (0.5, 0.5))
    merged(context, tmp_path / "yes", [finals[0], wide], "cat", (0.5, 0.5))


def test_an_unknown_way_and_missing_parents_are_named(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    with raises("plugin-unknown", "'ties'"):
        merged(context, tmp_path, finals, "ties", (0.5, 0.5))
    for merge in (None, Merge("cat", ("a", "b"), (0.5, 0.5))):
        request = request_of(merge, tuple(finals[:1]), tmp_path)
        with raises("training", "1 adapters"):
            MergeMethod(context).train(request, lambda c: None)


def test_a_reader_that_raises_leaves_the_base_as_it_was(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    def refuse(checkpoint: Checkpoint) -> None:
        raise KeyError("stop")

    request = request_of(Merge("cat", ("a", "b"), (0.5, 0.5)), tuple(finals), tmp_path)
    with pytest.raises(KeyError):
        MergeMethod(context).train(request, refuse)
    merged(context, tmp_path, finals, "cat", (0.5, 0.5))


def test_the_first_rank_merges_and_the_others_do_nothing(
    context: Any, finals: list[Path], tmp_path: Path
) -> None:
    merge, reports, fetched = Merge("cat", ("a", "b"), (0.5, 0.5)), [], []

    def adapter(one: AdapterRef) -> Path:
        fetched.append(one.path)
        return Path(one.path)

    for rank in (0, 1):
        place = Parallel(rank=rank, ranks=2)
        attempt = request_of(merge, tuple(finals), tmp_path, parallel=place, adapter=adapter)
        MergeMethod(context).train(attempt, reports.append)
    assert fetched == [str(final) for final in finals]
    (report,) = reports
    assert report.cost.device_s == 2 * report.cost.wall_s


def test_every_way_of_the_spec_is_there_to_be_called() -> None:
    assert set(get_args(MergeWay)) == set(WAYS)
    assert all(callable(way_of(how)) for how in WAYS)
