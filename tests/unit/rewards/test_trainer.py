from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paretoflow.rewards.backbone import Backbone, load_backbone
from paretoflow.rewards.more import MoreWeights
from paretoflow.rewards.pairs import read_pairs, split_pairs
from paretoflow.rewards.trainer import RewardPairs, RewardTrainer, collated
from paretoflow.spec.rewards import RewardSpec
from tests.faults import raises

pytestmark = pytest.mark.train


def _trainer(
    spec: RewardSpec, tmp_path: Path, names: tuple[str, ...]
) -> tuple[RewardTrainer, Backbone]:
    sets = split_pairs(read_pairs(spec), spec).train
    backbone = load_backbone(spec, names)
    return RewardTrainer(backbone, sets, spec, lambda *_: None, tmp_path), backbone


def _weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_one_objective_trains_as_trl_does(make_spec: Any, write: Any, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import RewardConfig
    from trl import RewardTrainer as TrlTrainer

    two = make_spec(model={**make_spec().model.model_dump(), "lora": None})
    spec = two.model_copy(update={"pairs": two.pairs[:1]})
    ours, backbone = _trainer(spec, tmp_path, ("full",))
    draws = [ours.train_dataset[i] for i in range(len(ours.train_dataset))]
    columns = {
        "chosen_ids": [d.chosen["input_ids"] for d in draws],
        "rejected_ids": [d.rejected["input_ids"] for d in draws],
    }
    ours.train()
    theirs = load_backbone(spec, ("full",))
    config = RewardConfig(
        str(tmp_path), max_steps=3, per_device_train_batch_size=2, learning_rate=1e-4,
        use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none",
        save_strategy="no", disable_tqdm=True, train_sampling_strategy="sequential",
        lr_scheduler_type="linear", dataloader_pin_memory=False,
    )  # fmt: skip
    TrlTrainer(
        theirs.model, config, train_dataset=Dataset.from_dict(columns),
        processing_class=theirs.tokenizer,
    ).train()  # fmt: skip
    expected = _weights(theirs.model)
    before = _weights(load_backbone(spec, ("full",)).model)
    for name, weight in _weights(backbone.model).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-5, atol=1e-7)
    assert not torch.equal(expected["score.weight"], before["score.weight"])


def test_draws_take_as_many_of_each_objective_and_every_pair_once_in_a_round(
    make_spec: Any,
) -> None:
    spec = make_spec(steps=4, batch_size=4, gradient_accumulation=2)
    sets = split_pairs(read_pairs(spec), spec).train
    backbone = load_backbone(spec, ("full", "brief"))
    draws = RewardPairs(backbone, sets, spec)
    assert len(draws) == 4 * 4 * 2
    found = [draws[i] for i in range(len(draws))]
    assert [d.objective for d in found[:8]] == [0, 0, 1, 1, 0, 0, 1, 1]
    for objective, pairs in enumerate(sets):
        seen = Counter(str(d.chosen) for d in found if d.objective == objective)
        assert len(seen) == len(pairs)
        assert max(seen.values()) - min(seen.values()) <= 1
    again = RewardPairs(backbone, sets, spec)
    assert [again[i] for i in (31, 0, 17)] == [found[i] for i in (31, 0, 17)]  # in any order


def _loss(trainer: RewardTrainer, backbone: Backbone) -> float:
    batch = collated(backbone, [trainer.train_dataset[i] for i in range(4)])
    return float(trainer.compute_loss(backbone.model, batch).detach())


@pytest.mark.parametrize("outputs", ["heads", "one"])
def test_the_loss_is_the_sum_and_with_more_its_weights(
    outputs: str, make_spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("full", "brief") if outputs == "heads" else ("shared",)
    plain, backbone = _trainer(make_spec(outputs=outputs), tmp_path, names)
    backbone.model.eval()
    rows = collated(backbone, [plain.train_dataset[i] for i in range(4)])
    objective = rows.pop("objective").tolist()
    assert objective == [0, 0, 1, 1]
    rewards = backbone.model(**rows).logits.detach().double()
    column = objective if outputs == "heads" else [0] * 4
    margins = [float(rewards[i, c] - rewards[4 + i, c]) for i, c in enumerate(column)]
    losses = np.logaddexp(0, -np.array(margins)).reshape(2, 2).mean(axis=1)
    assert _loss(plain, backbone) == pytest.approx(losses.sum(), rel=1e-5)
    more, _ = _trainer(make_spec(outputs=outputs, weighting="more"), tmp_path, names)
    monkeypatch.setattr(MoreWeights, "update", lambda self, rows: np.array([0.25, 0.75]))
    found = _loss(more, more._backbone)
    assert found == pytest.approx(2 * (0.25 * losses[0] + 0.75 * losses[1]), rel=1e-4)


def test_the_heads_gradients_are_those_of_their_objectives(
    make_spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a linear head: dL/dw = -mean of sigmoid(-margin) (h_w - h_l)."""
    from paretoflow.rewards.backbone import embedded_differences

    spec = make_spec(weighting="more", batch_size=9)
    trainer, backbone = _trainer(spec, tmp_path, ("full", "brief"))
    sets = split_pairs(read_pairs(spec), spec).train
    taken = []

    def take(_: MoreWeights, rows: Any) -> Any:
        taken.append(rows)
        return np.array([0.5, 0.5])

    monkeypatch.setattr(MoreWeights, "update", take)
    whole = collated(backbone, [trainer.train_dataset[i] for i in range(18)])
    trainer.compute_loss(backbone.model, whole)
    difference = embedded_differences(backbone, sets[0])  # nine pairs of the first objective
    margin = difference @ backbone.head.weight[0].detach().double().numpy()
    by_hand = -(difference / (1 + np.exp(margin))[:, None]).mean(axis=0)
    np.testing.assert_allclose(taken[0][0], by_hand, atol=1e-5)


def test_a_training_that_blows_up_is_told(make_spec: Any, tmp_path: Path) -> None:
    trainer, backbone = _trainer(make_spec(), tmp_path, ("full", "brief"))
    with torch.no_grad():
        backbone.head.weight.fill_(float("nan"))
    with raises("training-not-finite", "step 1"):
        trainer.train()


def test_no_step_is_wasted_on_a_learning_rate_of_0(make_spec: Any, tmp_path: Path) -> None:
    trainer, _ = _trainer(make_spec(steps=10, batch_size=2), tmp_path, ("full",))
    trainer.train()
    rates = [log["learning_rate"] for log in trainer.state.log_history if "learning_rate" in log]
    peak = trainer.args.learning_rate
    shares = [1 / 2, 1, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9]
    assert rates == pytest.approx([peak * share for share in shares])
