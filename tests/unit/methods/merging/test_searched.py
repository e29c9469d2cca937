"""Frank-Wolfe merging and IBCL: the ways that find or draw what they mix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paretoflow.core.errors import MethodError, RunInterrupted
from paretoflow.core.merge import Merge
from paretoflow.lm.adapters import adapter_on
from paretoflow.lm.lora_files import Factors, LoraAdapter, read_lora, write_lora
from paretoflow.methods.merging.frank_wolfe import goals
from paretoflow.methods.merging.ibcl import drawn
from paretoflow.methods.merging.method import MergeMethod
from paretoflow.methods.merging.target import WeightedPair, logprobs, proxy_pairs, target_loss
from tests.faults import raises
from tests.unit.methods.merging.asking import merged, request_of

pytestmark = pytest.mark.train


def test_goals_of_the_docstring() -> None:
    gram = np.array([[[1.0, 0.0], [0.0, 4.0]]])
    assert goals(np.array([[-1.0, -1.0]]), gram).tolist() == [[1.0, 0.0]]
    assert goals(np.array([[1.0, 1.0]]), gram).tolist() == [[0.0, 0.0]]
    assert goals(np.array([[-1.0, -2.0]]), gram).tolist() == [[0.5, 0.5]]


def test_log_probabilities_are_those_without_gradients(context: Any) -> None:
    table, lm = context.candidates, context.lm
    texts = [
        (list(p), list(c[0])) for p, c in zip(table.prompt_ids, table.completion_ids, strict=True)
    ]
    ours = logprobs(lm.model, lm, texts).detach().numpy()
    assert ours == pytest.approx(table.ref_logprobs[:, 0], abs=1e-3)


def test_the_target_loss_of_the_base_is_log_two_and_by_hand_elsewhere(
    context: Any,
) -> None:
    pairs = proxy_pairs(context, np.array([0.25, 0.75, 0.0]), 3)
    assert sum(p.weight for p in pairs) == pytest.approx(1.0)
    assert len(pairs) == 6
    lm = context.lm
    at_base = target_loss(lm.model, lm, pairs, 0.1, backward=False)
    assert at_base == pytest.approx(np.log(2), abs=1e-4)
    one = pairs[0]
    shifted = WeightedPair(one.prompt, one.chosen, one.rejected, one.reference - 5, 1.0)
    assert target_loss(lm.model, lm, [shifted], 0.1, backward=False) == pytest.approx(
        0.4741, abs=1e-4
    )


def test_candidates_without_pairs_are_refused(context: Any) -> None:
    flat = replace(context.candidates, gains=np.zeros_like(context.candidates.gains))
    with raises("training-nothing-to-learn", "answers"):
        proxy_pairs(replace(context, candidates=flat), np.array([1.0, 0.0, 0.0]), 3)


def random_adapter(like: Path, folder: Path, seed: int) -> Path:
    """Write an adapter of noise, in the shape and size of another."""
    draw = torch.Generator().manual_seed(seed)
    adapter = read_lora(like)

    def noise(factors: Factors) -> Factors:
        down = torch.randn(factors.down.shape, generator=draw) * factors.down.std()
        up = torch.randn(factors.up.shape, generator=draw) * factors.up.std()
        return Factors(down, up, factors.scale)

    modules = {name: noise(f) for name, f in adapter.modules.items()}
    write_lora(replace(adapter, modules=modules), folder)
    return folder


def trace(metrics: Any, name: str) -> list[float]:
    found = sorted((int(k.rsplit("_", 1)[1]), v) for k, v in metrics.items() if name in k)
    return [v for _, v in found]


@pytest.mark.full
def test_frank_wolfe_never_raises_its_loss_and_leaves_noise_alone(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
) -> None:
    noise = [random_adapter(finals[0], tmp_path / f"noise{i}", i) for i in range(4)]
    pool = [*noise[:2], *finals, *noise[2:]]
    report = merged(context, tmp_path / "run", pool, "frank_wolfe", weights=(0.9, 0.1, 0.0))
    losses, shares = trace(report.metrics, "target_loss"), trace(report.metrics, "share")
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    assert losses[-1] < np.log(2)
    useful, random = shares[2:4], shares[:2] + shares[4:]
    assert sum(useful) > 3 * sum(random)
    assert read_lora(report.folder).config["r"] <= 6 * 4
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["merged"]


def test_the_loss_it_reports_is_that_of_what_it_returns(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
) -> None:
    weights = (0.8, 0.2, 0.0)
    report = merged(context, tmp_path, finals, "frank_wolfe", weights=weights, iterations=2)
    pairs = proxy_pairs(context, np.array(weights), 16)
    with adapter_on(context.lm, report.folder) as model:
        loss = target_loss(model, context.lm, pairs, 0.1, backward=False)
    assert loss == pytest.approx(trace(report.metrics, "target_loss")[-1], abs=1e-4)


def test_its_slopes_are_differences_of_the_loss(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
) -> None:
    from paretoflow.methods.merging.frank_wolfe import _on_base, _Pool

    pool = _Pool([read_lora(f) for f in finals])
    pairs = proxy_pairs(context, np.array([0.5, 0.5, 0.0]), 4)
    request = request_of(Merge("frank_wolfe", ("a", "b")), tuple(finals), tmp_path)
    mix, bump = np.full((len(pool.names), 2), 0.5), 1e-2
    with _on_base(context, request, pool) as model:

        def loss(at: Any, *, backward: bool = False) -> float:
            pool.put(model, at)
            return target_loss(model, context.lm, pairs, 0.1, backward=backward)

        loss(mix, backward=True)
        slopes = pool.slopes(model)
        row, column = np.unravel_index(np.abs(slopes).argmax(), slopes.shape)
        ends = []
        for sign in (1, -1):
            moved = mix.copy()
            moved[row, column] += sign * bump
            ends.append(loss(moved))
    assert (ends[0] - ends[1]) / (2 * bump) == pytest.approx(slopes[row, column], rel=0.02)


def test_other_preferences_and_one_hot_ones_find_other_mixes(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
) -> None:
    found = [
        trace(
            merged(context, tmp_path / str(i), finals, "frank_wolfe", weights=weights).metrics,
            "share",
        )
        for i, weights in enumerate([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
    ]
    assert found[0][0] > found[0][1]
    assert found[1][1] > found[1][0]


def test_a_merge_that_is_asked_to_stop_stops_and_keeps_no_state(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
) -> None:
    merge = Merge("frank_wolfe", ("a", "b"))
    request = request_of(merge, tuple(finals), tmp_path, should_stop=lambda: True)
    with pytest.raises(RunInterrupted) as caught:
        MergeMethod(context).train(request, lambda c: None)
    assert caught.value.state is None
    merged(context, tmp_path / "again", finals, "cat", (0.5, 0.5))


def grouped(folders: dict[str, list[Path]]) -> tuple[list[Path], str, list[float]]:
    """Return checkpoints in a row, how many each run has, and even coefficients."""
    flat = [f for group in folders.values() for f in group]
    sizes = [len(group) for group in folders.values()]
    shares = [0.5 / n for n in sizes for _ in range(n)]
    return flat, ",".join(map(str, sizes)), shares


def ibcl(
    context: Any,
    folders: dict[str, list[Path]],
    place: Path,
    interval: float,
    seed: int = 0,
) -> Any:
    flat, groups, shares = grouped(folders)
    return merged(context, place, flat, "ibcl", shares, seed=seed, groups=groups, interval=interval)


def test_the_middle_of_posteriors_is_the_mix_of_each_runs_mean(
    context: Any,
    experts: dict[str, list[Path]],
    tmp_path: Path,
) -> None:
    from paretoflow.lm.merging import averaged_factors, concatenated

    report = ibcl(context, experts, tmp_path / "middle", 0.0)
    means = [
        averaged_factors([read_lora(f) for f in group], np.full(len(group), 1 / len(group)))
        for group in experts.values()
    ]
    write_lora(concatenated(means, np.array([0.5, 0.5])), tmp_path / "by hand")
    with adapter_on(context.lm, tmp_path / "by hand") as model, torch.no_grad():
        logits = model(input_ids=torch.arange(3, 23).reshape(2, 10)).logits
    assert torch.allclose(report.model, logits, atol=1e-4)


def test_draws_depend_on_the_seed_alone_and_one_checkpoint_leaves_nothing_to_draw(
    context: Any,
    experts: dict[str, list[Path]],
    finals: list[Path],
    tmp_path: Path,
) -> None:
    one, same, other = (
        ibcl(context, experts, tmp_path / str(i), 0.9, seed).model
        for i, seed in enumerate((1, 1, 2))
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other, atol=1e-5)
    lone = merged(context, tmp_path / "lone", finals, "ibcl", (0.5, 0.5))
    exact = merged(context, tmp_path / "exact", finals, "cat", (0.5, 0.5))
    assert torch.allclose(lone.model, exact.model, atol=1e-5)


def constant(value: float) -> LoraAdapter:
    factors = Factors(torch.full((2, 5), value), torch.full((5, 2), value), 2.0)
    return LoraAdapter({"m": factors}, {"base_model_name_or_path": "x"}, {}, Path("p"))


def test_draws_stay_inside_the_interval_of_the_docstring() -> None:
    z = 1.6448536
    draw = drawn([constant(v) for v in (1.0, 2.0, 3.0)], z, torch.Generator().manual_seed(0))
    values = torch.cat([draw.modules["m"].down.flatten(), draw.modules["m"].up.flatten()])
    assert 0.355 <= float(values.min()) < 1
    assert 3 < float(values.max()) <= 3.645
    assert draw.modules["m"].scale == 2.0
    middle = drawn([constant(1.0), constant(3.0)], 0.0, torch.Generator())
    assert middle.modules["m"].down.unique().tolist() == [2.0]


@pytest.mark.parametrize("groups", ["1", "3", "0,2"])
def test_groups_that_do_not_add_up_are_refused(
    context: Any,
    finals: list[Path],
    tmp_path: Path,
    groups: str,
) -> None:
    with pytest.raises(MethodError, match=f"got groups {groups} and 2 coefficients for 2 parents"):
        merged(context, tmp_path, finals, "ibcl", (0.5, 0.5), groups=groups)
