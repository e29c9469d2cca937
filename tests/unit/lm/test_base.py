from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from paretoflow.lm.base import (
    LanguageModel,
    encode,
    evaluating,
    load_base,
    load_folder,
    render_chat,
)
from paretoflow.spec.models import PretrainedModelSpec
from tests.faults import raises

pytestmark = pytest.mark.train


@pytest.fixture
def broken_dir(tiny_base_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))


def test_the_base_is_frozen_evaluates_and_pads_on_the_left(tiny_lm: LanguageModel) -> None:
    assert not any(p.requires_grad for p in tiny_lm.model.parameters())
    assert not tiny_lm.model.training
    assert tiny_lm.tokenizer.padding_side == "left"
    assert tiny_lm.model.dtype == torch.float32
    assert tiny_lm.context_tokens == 256
    assert tiny_lm.eos_ids == {tiny_lm.tokenizer.eos_token_id}


def test_the_digest_follows_content_and_precision_not_the_place(
    tiny_lm: LanguageModel, broken_dir: Path
) -> None:
    assert load_folder(broken_dir, name="moved").digest == tiny_lm.digest
    half = PretrainedModelSpec(
        type="pretrained", path=str(broken_dir), dtype="bfloat16", device="cpu"
    )
    assert load_base(half).digest != tiny_lm.digest
    config = json.loads((broken_dir / "config.json").read_text())
    (broken_dir / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-3}))
    assert load_folder(broken_dir, name="other").digest != tiny_lm.digest


def test_a_missing_pad_token_becomes_the_end_of_text_token(broken_dir: Path) -> None:
    path = broken_dir / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["pad_token"]
    path.write_text(json.dumps(config))
    lm = load_folder(broken_dir, name="padless")
    assert lm.tokenizer.pad_token_id == lm.tokenizer.eos_token_id


def test_threads_are_set_on_request(tiny_base_dir: Path) -> None:
    before = torch.get_num_threads()
    spec = PretrainedModelSpec(type="pretrained", path=str(tiny_base_dir), dtype="float32")
    try:
        assert load_base(spec, threads=1).name == str(tiny_base_dir)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_pickled_weights_are_refused(broken_dir: Path) -> None:
    (broken_dir / "model.safetensors").rename(broken_dir / "pytorch_model.bin")
    with raises("model-incomplete", "pytorch_model.bin", "save_pretrained") as caught:
        load_folder(broken_dir, name="pickled")
    assert caught.value.where == "pickled"


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with raises("model-unreadable", "config.json"):
        load_folder(tmp_path, name="empty")


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with raises("model-unreadable", "folder"):
        load_folder(tmp_path / "nowhere", name="nowhere")


def test_a_truncated_file_of_weights_says_so(broken_dir: Path) -> None:
    weights = broken_dir / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with raises("model-unreadable", "loaded"):
        load_folder(broken_dir, name="truncated")


def test_a_gpu_that_is_not_there_says_so(tiny_base_dir: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    spec = PretrainedModelSpec(type="pretrained", path=str(tiny_base_dir), device="cuda")
    with raises("model-no-gpu", "GPU"):
        load_base(spec)


def test_chat_turns_follow_the_template(tiny_lm: LanguageModel) -> None:
    text = render_chat(tiny_lm, [{"role": "user", "content": "What is dict?"}])
    assert text == "User: What is dict?\nAnswer:"


def test_a_model_without_a_chat_template_says_so(broken_dir: Path) -> None:
    (broken_dir / "chat_template.jinja").unlink()
    lm = load_folder(broken_dir, name="plain")
    with raises("model-chat-template", "template"):
        render_chat(lm, [{"role": "user", "content": "Hello"}])


def test_a_template_that_refuses_the_turns_says_so(broken_dir: Path) -> None:
    (broken_dir / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    lm = load_folder(broken_dir, name="strict")
    with raises("model-chat-template", "alternate"):
        render_chat(lm, [{"role": "user", "content": "Hello"}])


def test_an_empty_prompt_is_refused(tiny_lm: LanguageModel) -> None:
    with raises("data-empty", "prompt 1"):
        encode(tiny_lm, ["Question:", ""])


def test_evaluating_restores_the_mode_even_after_an_error(tiny_lm: LanguageModel) -> None:
    tiny_lm.model.train()
    try:
        with evaluating(tiny_lm.model):
            assert not tiny_lm.model.training
            assert not torch.is_grad_enabled()
        assert tiny_lm.model.training
        with pytest.raises(KeyError), evaluating(tiny_lm.model):
            raise KeyError
        assert tiny_lm.model.training
    finally:
        tiny_lm.model.eval()


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if tools %}{{ tools | length }} tools{% endif %}"
    "{% if not enable_thinking %}<quiet>{% endif %}{% if shout %}{{ messages.x.y() }}{% endif %}"
)


@pytest.fixture
def templated(tiny_lm: LanguageModel) -> LanguageModel:
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = TEMPLATE
    return replace(tiny_lm, tokenizer=tokenizer)


def test_the_templates_own_arguments_and_tools_reach_it(templated: LanguageModel) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    assert render_chat(templated, turns) == "<user>Hi<quiet>"
    loud = render_chat(templated, turns, template_args={"enable_thinking": True})
    assert loud == "<user>Hi"
    assert render_chat(templated, turns, [{"name": "look"}]) == "<user>Hi1 tools<quiet>"
    with raises("model-chat-template", "template"):
        render_chat(templated, turns, template_args={"shout": True})
