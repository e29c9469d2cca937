"""Heads on a shared backbone: their layout, their mixtures, the loss, by hand and by other ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.spec.methods import MahDpoMethodSpec
from paretoflow.spec.methods.conditioned import ServeSpec
from tests.faults import raises
from tests.method_bench import Trained, make_context, plain_dpo, read_adapter, train, weighted

pytestmark = pytest.mark.train

torch = pytest.importorskip("torch")

SHARED: dict[str, Any] = {"steps": 3, "batch_size": 4, "learning_rate": 5e-3}
SPEC = MahDpoMethodSpec(type="mah_dpo", beta=0.1, serve=ServeSpec(points=3), **SHARED)
MIXED = weighted(0.5, 0.3, 0.2)
SHARES = [0.5, 0.3, 0.2]


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


@pytest.fixture(scope="module")
def trained(context, tmp_path_factory) -> Trained:
    return train(context, SPEC, MIXED, tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="module")
def folder(trained) -> Path:
    return trained.checkpoints[-1].folder


def answers(model: Any, lm: Any) -> np.ndarray:
    ids = lm.tokenizer("Document: The dict", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return np.asarray(model(ids).logits)


def mixture(lm: Any, folder: Path, shares: list[float]) -> np.ndarray:
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.methods.conditioned.heads import mixed

    with adapter_on(lm, folder) as model, mixed(model, torch.tensor([shares])) as policy:
        return answers(policy, lm)


def test_a_gate_by_hand():
    from paretoflow.methods.conditioned.heads import gate

    assert gate(torch.tensor([[0.25, 0.75]]), 2).tolist() == [[[0.5, 0.5, 1.5, 1.5]]]


def test_rows_meet_the_head_of_their_objective():
    from paretoflow.methods.conditioned.mah_dpo import head_of_rows

    assert head_of_rows(4, 2).argmax(1).tolist() == [0, 1, 0, 1]
    assert head_of_rows(8, 2).argmax(1).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_the_loss_by_hand():
    from paretoflow.methods.conditioned.mah_dpo import PairLosses

    losses = PairLosses.of(torch.tensor([3.0, -4.0]), torch.tensor([-2.0, 1.0]), 0.1)
    assert losses.margins.tolist() == pytest.approx([0.5, -0.5])
    assert losses.values.tolist() == pytest.approx([0.474077, 0.974077], abs=1e-6)
    assert float(losses.values.mean()) == pytest.approx(0.724077, abs=1e-6)


def test_answer_logprobs_are_those_of_the_reference(context):
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    from paretoflow.methods.conditioned.mah_dpo import answer_logprobs
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    table = PairTable(context.candidates, 2)
    pairs = PairStream(table, 0).draw(range(3), np.array([1.0, 0.0, 0.0]))
    collate = DataCollatorForPreference(pad_token_id=context.lm.tokenizer.pad_token_id)
    batch = collate([table.example(pair) for pair in pairs])
    with torch.no_grad():
        logits = context.lm.model(batch["input_ids"], batch["attention_mask"]).logits
    expected = torch.cat([batch["ref_chosen_logps"], batch["ref_rejected_logps"]])
    np.testing.assert_allclose(answer_logprobs(logits, batch), expected, atol=2e-4)


def test_one_hot_shares_are_one_head_alone(folder, tiny_lm):
    from paretoflow.lm.adapters import adapter_on

    tensors = read_adapter(folder)
    names = [k for k in tensors if ".lm_head." in k]
    wide = {k.split(".")[-2]: tensors[k] for k in names}
    assert {k: v.shape for k, v in wide.items()} == {"lora_A": (12, 32), "lora_B": (382, 12)}
    with adapter_on(tiny_lm, folder) as model:
        hidden: list[Any] = []
        model.get_output_embeddings().register_forward_hook(
            lambda module, given, output: hidden.append(given[0])
        )
        answers(model, tiny_lm)
        base = model.get_output_embeddings().get_base_layer().weight.numpy()
    x = hidden[0].numpy()
    heads = []
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        delta = 8 / 4 * wide["lora_B"][:, part] @ wide["lora_A"][part]
        heads.append(x @ (base + delta).T)
        alone = mixture(tiny_lm, folder, [float(h == head) for h in range(3)])
        np.testing.assert_allclose(alone, heads[-1], atol=1e-5)
    assert np.abs(heads[0] - heads[1]).max() > 1e-3
    combined = sum(s * h for s, h in zip(SHARES, heads, strict=True))
    np.testing.assert_allclose(mixture(tiny_lm, folder, SHARES), combined, atol=1e-5)


def test_the_folder_as_it_is_mixes_equally(folder, tiny_lm):
    from paretoflow.lm.adapters import adapter_on

    with adapter_on(tiny_lm, folder) as model:
        plain = answers(model, tiny_lm)
    np.testing.assert_allclose(plain, mixture(tiny_lm, folder, [1 / 3] * 3), atol=1e-6)


def test_a_mixture_written_out_answers_as_it_was_served(folder, tiny_lm, tmp_path):
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.methods.conditioned.heads import write_mixture

    shares = dict(zip(("breadth", "vowels", "length"), reversed(SHARES), strict=True))
    write_mixture(folder, shares, tmp_path / "mixture")
    assert not (tmp_path / "mixture" / "heads.json").exists()
    with adapter_on(tiny_lm, tmp_path / "mixture") as model:
        plain = answers(model, tiny_lm)
    np.testing.assert_allclose(plain, mixture(tiny_lm, folder, SHARES), atol=1e-5)


def test_a_mixture_of_what_has_no_such_heads_is_refused(folder, tmp_path):
    from paretoflow.methods.conditioned.heads import write_mixture

    with raises("training", "breadth"):
        write_mixture(folder, {"length": 1.0}, tmp_path / "mixture")
    (tmp_path / "plain").mkdir()
    with raises("training", "adapter"):
        write_mixture(tmp_path / "plain", {"length": 1.0}, tmp_path / "mixture")


def test_a_checkpoint_serves_mixtures_and_its_folder_names_the_heads(trained, folder, tiny_lm):
    from paretoflow.lm.adapters import adapter_on

    served = trained.checkpoints[-1].served
    assert [s.weights.tolist() for s in served] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert served[1].condition == {"head_weights": {"length": 0.0, "vowels": 1.0, "breadth": 0.0}}
    assert served[1].rewrite is None
    with adapter_on(tiny_lm, folder) as model, served[1].policy(model) as policy:
        asked = answers(policy, tiny_lm)
    assert np.array_equal(asked, mixture(tiny_lm, folder, [0.0, 1.0, 0.0]))
    plain = json.loads((folder / "heads.json").read_text())
    assert (plain["heads"], plain["rank"]) == (["length", "vowels", "breadth"], 4)


def test_permuting_objectives_permutes_the_heads(trained, tiny_lm, tmp_path):
    permuted = make_context(tiny_lm, columns=(2, 0, 1))
    other = train(permuted, SPEC, MIXED, tmp_path).checkpoints[-1].folder
    folder = trained.checkpoints[-1].folder
    one, two = mixture(tiny_lm, folder, SHARES), mixture(tiny_lm, other, [0.2, 0.5, 0.3])
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_launchs_weights_do_not_enter_the_training(trained, context, tmp_path):
    other = train(context, SPEC, weighted(0.0, 1.0, 0.0), tmp_path)
    assert all(np.array_equal(v, other.adapter[k]) for k, v in trained.adapter.items())


def test_with_one_objective_the_backbones_first_step_is_dpos(tiny_lm, tmp_path):
    one = make_context(tiny_lm, columns=(1,))
    step = {"steps": 1, "batch_size": 4, "learning_rate": 5e-3, "max_grad_norm": 1e6}
    plain = train(one, plain_dpo(**step), weighted(1.0), tmp_path)
    # the head's delta starts at zero, so the backbone's first gradient is that of DPO
    headed = train(one, MahDpoMethodSpec(type="mah_dpo", beta=0.1, **step), weighted(1.0), tmp_path)
    assert set(headed.adapter) - set(plain.adapter) == {
        f"base_model.model.lm_head.lora_{half}.weight" for half in "AB"
    }
    for name, value in plain.adapter.items():
        np.testing.assert_allclose(headed.adapter[name], value, atol=1e-4)


def test_a_pair_trains_its_own_head_only(context):
    from paretoflow.lm.adapters import fresh_adapter, unload
    from paretoflow.lm.saved_adapter import ADAPTER
    from paretoflow.methods.conditioned.heads import head_layer, head_options, mixed, start_alike

    lm = context.lm
    model = fresh_adapter(lm, context.lora, 0, head_options(lm, context.lora, 3))
    try:
        layer = head_layer(model, 3)
        start_alike(layer, 3)
        halves = layer.lora_A[ADAPTER].weight.detach().chunk(3)
        assert halves[0].equal(halves[1])
        assert halves[0].equal(halves[2])
        with mixed(model, torch.eye(3)[1:2]):
            model(torch.tensor([[5, 6, 7]])).logits[0, -1, 9].backward()
        gradients = layer.lora_B[ADAPTER].weight.grad.norm(dim=0).reshape(3, 4).sum(1)
        assert (gradients > 0).tolist() == [False, True, False]
    finally:
        unload(model)


@pytest.mark.parametrize("targets", [("q_proj", "lm_head"), r".*\.v_proj", "all-linear"])
def test_heads_hang_beside_any_targets(targets, context):
    from paretoflow.lm.adapters import fresh_adapter, unload
    from paretoflow.methods.conditioned.heads import head_layer, head_options

    lora = context.lora.model_copy(update={"targets": targets})
    options = head_options(context.lm, lora, 3)
    model = fresh_adapter(context.lm, lora, 0, options)
    try:
        assert head_layer(model, 3).r["default"] == 12
        assert sum("lora_A" in name for name, _ in model.named_parameters()) > 1
    finally:
        unload(model)


def test_a_parent_without_heads_is_refused(context, tmp_path):
    parent = train(context, plain_dpo(**SHARED), MIXED, tmp_path).checkpoints[-1].folder
    with raises("training", "rank 0"):
        train(context, SPEC, MIXED, tmp_path, parent=parent)
    assert "forward" not in vars(context.lm.model)
