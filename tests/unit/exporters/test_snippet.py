"""The code that cards and `pick` show is run, and says what the evaluator's own sampling says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from paretoflow.core.front_point import FrontPoint
from paretoflow.exporters.asking import Marks, asking_of, marks_of
from paretoflow.exporters.base_model import BaseKind, BaseModel
from paretoflow.exporters.snippet import usage_lines
from paretoflow.lm.adapters import fresh_adapter, save_adapter, unload
from paretoflow.lm.base import LanguageModel, render_chat
from paretoflow.lm.generation import generate
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.views import changed, two_objectives

pytestmark = pytest.mark.train

TEMPLATE = 'Say "{{it}}" of {question} in {my words}:\n'


@pytest.fixture(scope="module")
def adapter(tiny_lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snippet") / "adapter"
    model = fresh_adapter(tiny_lm, LoraSpec(rank=4, alpha=16), 0)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    save_adapter(model, folder)
    unload(model)
    return folder


def point_of(**changes: Any) -> FrontPoint:
    return changed(two_objectives().front.points[0], **changes)


def spec_of(data: dict[str, Any], **generation: Any) -> dict[str, Any]:
    return {
        "model": {"type": "pretrained", "path": "x", "generation": generation},
        "data": {"type": "jsonl", **data},
    }


def printed(lines: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    exec("\n".join(lines), {})
    return capsys.readouterr().out.removesuffix("\n")


def scored(lm: LanguageModel, adapter: Path, prompt: str, gen: GenerationSpec) -> str:
    from paretoflow.lm.adapters import adapter_on

    with adapter_on(lm, adapter) as model:
        return generate(model, lm, [prompt], [0], gen)[0].text.strip()


LOCAL = BaseModel(BaseKind.LOCAL, "models/mine", dtype="float32", digest="abc")


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        ({"template": TEMPLATE}, 'Say "{it}" of … in …:\n'),
        ({"columns": {"prompt": "ask me"}}, "…"),
        ({"type": "pydoc"}, "Document: …\nQuestion: …\nAnswer:"),
    ],
)
@pytest.mark.parametrize("stop", [[], ["e", "zz"]])
def test_plain_prompts_get_the_answer_that_was_scored(
    tiny_lm: LanguageModel,
    tiny_base_dir: Path,
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: dict[str, Any],
    prompt: str,
    stop: list[str],
) -> None:
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    gen = GenerationSpec(max_new_tokens=24, temperature=0, stop=tuple(stop))
    asking = asking_of(spec_of(data, **gen.model_dump()))
    lines = usage_lines(LOCAL, str(adapter), asking, point_of())
    text = scored(tiny_lm, adapter, prompt, gen)
    assert printed(lines, capsys) == text
    assert text or stop
    assert text != scored(tiny_lm, adapter, prompt + "?", gen) or stop


def test_chats_and_conditions_get_the_answer_that_was_scored(
    tiny_lm: LanguageModel,
    tiny_base_dir: Path,
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from paretoflow.methods.conditioned.prompts import put_before

    monkeypatch.setenv("BASE", str(tiny_base_dir))
    gen = GenerationSpec(max_new_tokens=24, temperature=0)
    asking = asking_of(spec_of({"columns": {"messages": "m"}}, **gen.model_dump()))
    chat = render_chat(tiny_lm, [{"role": "user", "content": "…"}])
    for condition in (None, {"prefix": "<a> 1.0\n", "goals": {"a": 1.0}}):
        lines = usage_lines(LOCAL, str(adapter), asking, point_of(condition=condition))
        prompt = chat
        if condition:
            prompt = put_before(condition["prefix"], chat, tiny_lm.tokenizer.bos_token)
        assert printed(lines, capsys) == scored(tiny_lm, adapter, prompt, gen)


def test_a_points_own_temperature_is_asked_for() -> None:
    spec = spec_of({}, temperature=1.0, top_p=0.9, max_new_tokens=7)
    point = point_of(condition={"temperature": 0.5})
    asking = asking_of(spec, point)
    assert (asking.temperature, asking.top_p, asking.max_new_tokens) == (0.5, 0.9, 7)
    code = "\n".join(usage_lines(LOCAL, "a", asking, point))
    assert "do_sample=True, temperature=0.5, top_p=0.9, top_k=0, max_new_tokens=7" in code


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (BaseModel(BaseKind.EMBEDDED), "from_pretrained(TINY_BASE_DIR)"),
        (BaseModel(BaseKind.HUB, "a/b", "r1", "bfloat16"), "'a/b', revision='r1', dtype="),
        (BaseModel(BaseKind.HUB, "a/b", code=True), "'a/b', trust_remote_code=True)"),
        (LOCAL, 'os.environ["BASE"], dtype="float32")'),
    ],
)
def test_every_base_is_named_in_words_that_hold_elsewhere(base: BaseModel, said: str) -> None:
    code = "\n".join(usage_lines(base, "adapters/x", asking_of(spec_of({})), point_of()))
    compile(code, "<snippet>", "exec")
    assert said in code
    assert "models/mine" not in code


class Tokenizer:
    """Puts marks around a text, by number."""

    def __init__(self, before: list[int], behind: list[int]) -> None:
        self._before, self._behind = before, behind

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        plain = [ord(c) for c in text]
        marked = [*self._before, *plain, *self._behind] if add_special_tokens else plain
        return {"input_ids": marked}

    def decode(self, ids: list[int]) -> str:
        return "".join(f"<{i}>" for i in ids)


@pytest.mark.parametrize(
    ("before", "behind", "marks"),
    [
        ([], [], Marks()),
        ([1], [], Marks()),
        ([], [2], Marks(special=False, before="")),
        ([1], [2], Marks(special=False, before="<1>")),
        ([1, 5], [2, 2], Marks(special=False, before="<1><5>")),
    ],
)
def test_marks_behind_a_text_are_kept_from_a_server(
    before: list[int], behind: list[int], marks: Marks
) -> None:
    assert marks_of(Tokenizer(before, behind)) == marks


def test_the_marks_of_a_real_tokenizer(tiny_base_dir: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = AutoTokenizer.from_pretrained(tiny_base_dir)
    assert marks_of(tokenizer) == Marks()
    eos = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{eos} $A {eos}", special_tokens=[(eos, tokenizer.eos_token_id)]
    )
    marks = marks_of(tokenizer)
    assert marks == Marks(special=False, before=eos)
    sent = tokenizer(f"{marks.before}hello", add_special_tokens=False)["input_ids"]
    assert sent == tokenizer("hello")["input_ids"][:-1]
