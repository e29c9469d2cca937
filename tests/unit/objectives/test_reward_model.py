"""The reward model against transformers itself, called by hand on one text at a time."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import ModelError
from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build, reward_model
from paretoflow.objectives.reward_model import _LOADED, RewardModel, RewardModelObjective
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from tests.classifiers import save_decoder, save_encoder
from tests.faults import raises
from tests.tiny_models import save_model

pytestmark = pytest.mark.train

TURNS = ({"role": "user", "content": "Hi?"},)
CHAT = Prompt("chat", "rendered by the base", messages=TURNS)
PLAIN = Prompt("plain", "Question: why?\nAnswer:")
ANSWERS = ("Because.", "", "A much longer answer, with commas, that needs no padding at all.", "No")


def reward(path: Path, **options: Any) -> RewardModelObjective:
    spec = RewardModelObjectiveSpec(type="reward_model", name="rm", path=str(path), **options)
    built = build(spec)
    assert isinstance(built, RewardModelObjective)
    return built


def by_hand(path: Path, ids: list[int]) -> list[float]:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].tolist()


def tokens(path: Path, *texts: str, special: bool = True) -> list[int]:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path)(*texts, add_special_tokens=special)["input_ids"]


@pytest.mark.parametrize("pad", ["<pad>", "<eos>", None])
def test_outputs_equal_the_model_called_on_one_text(tmp_path: Path, pad: str | None) -> None:
    folder = save_decoder(tmp_path, pad=pad)
    scorers = [reward(folder, output=k, batch_size=2) for k in range(3)]
    got = np.stack([s.score([PLAIN] * 4, ANSWERS) for s in scorers], axis=1)
    said = [f" {a}" if a else "" for a in ANSWERS]  # the space that parts it from "Answer:"
    want = [by_hand(folder, tokens(folder, PLAIN.text + a)) for a in said]
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.few(2)
@pytest.mark.parametrize("pad", ["<pad>", "<eos>", None])
def test_batching_and_padding_change_nothing(tmp_path: Path, pad: str | None) -> None:
    # chat texts end with <eos>: padded with <eos>, it must not count in some batches only
    folder = save_decoder(tmp_path, pad=pad)
    prompts = [CHAT, PLAIN, CHAT, PLAIN]
    sizes = [reward(folder, batch_size=size).score(prompts, ANSWERS) for size in (1, 2, 3, 16)]
    single = [reward(folder).score([p], [a])[0] for p, a in zip(prompts, ANSWERS, strict=True)]
    for scores in sizes:
        np.testing.assert_allclose(scores, single, atol=1e-5)


def test_chat_goes_through_the_reward_models_own_template(tmp_path: Path) -> None:
    folder = save_decoder(tmp_path)
    text = "<user>Hi?<eos><assistant>Hello<eos>"
    want = by_hand(folder, tokens(folder, text, special=False))
    assert reward(folder).score([CHAT], ["Hello"])[0] == pytest.approx(want[0], abs=1e-5)


def test_chat_without_a_template_is_written_as_a_dialogue(tmp_path: Path) -> None:
    folder = save_decoder(tmp_path, template=None)
    want = by_hand(folder, tokens(folder, "\n\nHuman: Hi?\n\nAssistant: Hello"))
    assert reward(folder).score([CHAT], ["Hello"])[0] == pytest.approx(want[0], abs=1e-5)


def test_objectives_on_one_model_share_it_and_its_forward_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_decoder(tmp_path)
    first, second = reward(folder, output=0), reward(folder, output=1, batch_size=2)
    assert first.model is second.model
    passes: list[int] = []
    forward = first.model._forward
    monkeypatch.setattr(
        first.model, "_forward", lambda rows: passes.append(len(rows)) or forward(rows)
    )
    a, b = first.score([PLAIN] * 4, ANSWERS), second.score([PLAIN] * 4, ANSWERS)
    assert passes == [4]
    assert not np.allclose(a, b)
    first.score([PLAIN], ["another"])
    assert passes == [4, 1]


def test_scores_handed_out_are_not_the_remembered_ones(tmp_path: Path) -> None:
    scorer = reward(save_decoder(tmp_path))
    kept = scorer.score([PLAIN], ["x"])
    scorer.score([PLAIN], ["x"])[:] = 99.0
    np.testing.assert_array_equal(scorer.score([PLAIN], ["x"]), kept)


def test_model_goes_with_its_last_objective(tmp_path: Path) -> None:
    scorer = reward(save_decoder(tmp_path))
    key = next(k for k in _LOADED if k[0] == str(tmp_path))
    del scorer
    gc.collect()
    assert key not in _LOADED


def test_prompt_loses_its_beginning_first(tmp_path: Path) -> None:
    folder = save_decoder(tmp_path)
    long = Prompt("long", "x" * 50 + " the end:")
    want = by_hand(folder, tokens(folder, long.text + " Yes")[-20:])
    assert reward(folder, max_length=20).score([long], ["Yes"])[0] == pytest.approx(
        want[0], abs=1e-5
    )


def test_an_encoder_reads_prompt_and_answer_as_a_pair(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_encoder(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        want = model(**tokenizer("why", "so it is", return_tensors="pt")).logits[0, 0].item()
    scores = reward(folder).score([Prompt("p", "why")] * 2, ["so it is", "no"])
    assert scores[0] == pytest.approx(want, abs=1e-5)


def test_an_encoder_cuts_the_prompt_and_only_then_the_answer(tmp_path: Path) -> None:
    scorer = reward(save_encoder(tmp_path), max_length=16)
    texts = scorer.model._texts
    prompt = Prompt("p", "abcdefghijklmnopqrstuvwxyz")
    fits = texts.encoded(texts.text(prompt, "nop"))["input_ids"]
    assert texts._tokenizer.decode(fits).replace(" ", "").endswith("z[SEP]nop[SEP]")
    assert len(fits) == 16
    assert len(texts.encoded(texts.text(prompt, "n" * 40))["input_ids"]) == 16


JOINTS = {
    "Answer:": ("it is", " it is"),
    "Answer: ": ("it is", "it is"),
    "Answer:\n": ("it is", "it is"),
    "The sum of (": ("one", "one"),
    "The sum is 4": (", he said", ", he said"),
    "<|assistant|>": ("it is", "it is"),
    "问题:什么是列表?\n答案:": ("列表是序列", "列表是序列"),
    "Ответ:": ("это список", " это список"),
    'He said "so"': ("and left", " and left"),
    "Answer: it": (" is", " is"),
}


@pytest.mark.parametrize("prompt", JOINTS)
def test_an_answer_from_a_file_is_joined_as_it_would_be_written(
    prompt: str, tmp_path: Path
) -> None:
    answer, read = JOINTS[prompt]
    texts = reward(save_decoder(tmp_path)).model.texts
    assert texts.text(Prompt("p", prompt), answer).first == prompt + read


@pytest.mark.parametrize("answer", [" it is", "it is", "\nit is \n", "  ", "", "\t- it"])
def test_a_sampled_answer_is_read_exactly_as_it_goes_on(answer: str, tmp_path: Path) -> None:
    folder = save_decoder(tmp_path)
    scorer = reward(folder)
    assert scorer.model.texts.as_sampled(PLAIN, answer).first == PLAIN.text + answer
    panel = ObjectivePanel(["rm"], [scorer])
    want = by_hand(folder, tokens(folder, PLAIN.text + answer))
    assert panel.score([PLAIN], [answer])[0, 0] == pytest.approx(want[0], abs=1e-5)


def test_white_space_around_a_turn_or_a_pairs_text_is_left_out(tmp_path: Path) -> None:
    decoder = reward(save_decoder(tmp_path / "d")).model.texts
    assert decoder.as_sampled(CHAT, " Hello\n") == decoder.text(CHAT, "Hello")
    encoder = reward(save_encoder(tmp_path / "e")).model.texts
    assert encoder.as_sampled(PLAIN, " so it is ").second == "so it is"


def _break_head(folder: Path, change: Any) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = {k: v.clone() for k, v in change(load_file(path)).items()}
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: {k: v for k, v in t.items() if "score" not in k}, r"weights for score\.weight"),
        (lambda t: {k: v for k, v in t.items() if "mlp" not in k}, r"weights for model\.layers"),
        (lambda t: {k: v * float("nan") for k, v in t.items()}, "not finite"),
        (
            lambda t: t | {k.replace(".0.", ".1."): v for k, v in t.items()},
            r"does not know: model\.layers\.1",
        ),
        (lambda t: {f"module.{k}": v for k, v in t.items()}, "they have module"),
    ],
)
def test_a_reward_model_that_is_not_whole_is_refused(
    change: Any, told: str, tmp_path: Path
) -> None:
    folder = save_decoder(tmp_path / "rm")
    _break_head(folder, change)
    with pytest.raises(ModelError, match=told) as caught:
        reward(folder)
    assert str(folder) in str(caught.value)


def test_a_leftover_head_of_the_model_it_was_made_from_is_fine(tmp_path: Path) -> None:
    folder = save_decoder(tmp_path / "rm")
    before = reward(folder).score([PLAIN], ["x"])
    _break_head(folder, lambda t: t | {"lm_head.weight": t["model.embed_tokens.weight"]})
    assert reward(folder, max_length=256).score([PLAIN], ["x"]) == pytest.approx(before)


def test_a_tokenizer_with_more_tokens_than_the_table_is_refused(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = save_decoder(tmp_path / "rm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"sep_token": "<sep>"})
    tokenizer.save_pretrained(folder)
    with raises("model-tokenizer", "1 tokens", "'<sep>'"):
        reward(folder)


@pytest.mark.parametrize(
    ("kind", "positions", "window"),
    [("Bert", 40, 40), ("Roberta", 42, 40), ("Distilbert", 40, 40), ("Electra", 24, 24)],
)
def test_a_text_longer_than_the_window_is_cut_at_its_beginning_and_told(
    kind: str, positions: int, window: int, tmp_path: Path, tiny_base_dir: Path
) -> None:
    names = {"Distilbert": "DistilBert"}
    extra = {"pad_token_id": 1} if kind == "Roberta" else {"pad_token_id": 0}
    if kind == "Distilbert":
        extra |= {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    folder = save_model(
        f"{names.get(kind, kind)}ForSequenceClassification",
        tiny_base_dir,
        tmp_path / "rm",
        max_position_embeddings=positions,
        num_labels=1,
        **extra,
    )
    scorer = reward(folder)
    long = Prompt("p", "What is dict? " * 60)
    assert np.isfinite(scorer.score([long, long], ["Yes", "No, " * 90])).all()
    rows = scorer.model.texts.encoded(scorer.model.texts.text(long, "Yes"))
    assert len(rows["input_ids"]) == window
    assert scorer.notes == (f"objective rm reads {window} tokens, not max_length 1024",)
    assert reward(folder, max_length=window).notes == ()


def test_an_output_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with raises("model-unsupported", "output 3", "with 3", "from 0", "2"):
        reward(save_decoder(tmp_path), output=3)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with raises("model-unreadable", "objective"):
        reward(tmp_path)


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path, tiny_base_dir: Path) -> None:
    with raises("model-incomplete", "score.weight"):
        reward(tiny_base_dir)


@pytest.mark.parametrize(
    ("pad", "batch_size", "piece"), [("<pad>", 2, 4), ("<pad>", 3, 4), (None, 2, 3)]
)
def test_pieces_are_whole_forward_passes_and_outputs_share_them(
    tmp_path: Path, pad: str | None, batch_size: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reward_model, "PIECE", piece)
    folder = save_decoder(tmp_path, pad=pad)
    scorers = [reward(folder, output=k, batch_size=batch_size) for k in (2, 0)]
    answers = [ANSWERS[i % 4] + " more" * (i % 5) for i in range(11)]
    prompts = [PLAIN] * 11
    whole = np.stack([s.score_as_sampled(prompts, answers) for s in scorers], axis=1)
    scorers[0].score_as_sampled(prompts[:1], answers[:1])  # forgets the batch
    true_forward, passes = RewardModel._forward, []

    def forward(model: RewardModel, rows: Any) -> Any:
        passes.append(len(rows))
        return true_forward(model, rows)

    monkeypatch.setattr(RewardModel, "_forward", forward)
    scores = ObjectivePanel(["a", "b"], scorers).score(prompts, answers)
    np.testing.assert_array_equal(scores, whole)
    size = batch_size if pad else 1
    assert passes == [size] * (11 // size) + [11 % size] * bool(11 % size)
    assert len(scorers[0].batches(prompts, answers)) > 2
