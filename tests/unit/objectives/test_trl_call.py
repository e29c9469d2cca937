"""Functions by TRL's reward convention: what they get, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.protocols import Objective, Prompt
from paretoflow.objectives import build
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.objectives import ImportObjectiveSpec
from tests.faults import raises

PLAIN = (
    Prompt("p0", "One?", reference="uno", extra={"k": 1}),
    Prompt("p1", "Two?", reference="dos", extra={"k": 2, "rare": "x"}),
)
TURNS = ({"role": "user", "content": "One?"},)
CHAT = (Prompt("p2", "<user>One?", messages=TURNS, extra={"k": 1}),)


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path / "own_rewards.py"
    sys.modules.pop("own_rewards", None)


def words(texts: Any) -> list[list[int]]:
    return [[len(word) for word in text.split()] for text in texts]


def load(path: str = "own_rewards:f", **keys: Any) -> Objective:
    spec = ImportObjectiveSpec(type="import", name="mine", path=path, **keys)
    return build(spec, token_ids=words)


def seen(source: Path, signature: str, prompts: Any, answers: list[str], **keys: Any) -> Any:
    """Call a function of this signature; return its arguments by name."""
    source.write_text(f"seen = []\ndef f({signature}):\n    seen.append(dict(locals()))\n")
    with source.open("a") as file:
        file.write(f"    return [0.0] * {len(answers)}\n")
    load(**keys).score(prompts, answers)
    return sys.modules["own_rewards"].seen[0]


def test_a_plain_prompt_is_text_and_columns_come_by_name(source: Path) -> None:
    got = seen(source, "completions, prompts, k, reference, rare", PLAIN, ["a", "b c"])
    assert got == {
        "completions": ["a", "b c"],
        "prompts": ["One?", "Two?"],
        "k": [1, 2],
        "reference": ["uno", "dos"],
        "rare": [None, "x"],
    }


def test_a_chat_is_messages_on_both_sides(source: Path) -> None:
    got = seen(source, "prompts, completions, **kw", CHAT, ["a b"], convention="trl")
    assert got["prompts"] == [[{"role": "user", "content": "One?"}]]
    assert got["completions"] == [[{"role": "assistant", "content": "a b"}]]
    assert got["kw"] == {"k": [1], "completion_ids": [[1, 1]]}


def test_a_column_can_have_another_name_and_kwargs_win(source: Path) -> None:
    keys: dict[str, Any] = {"columns": {"solution": "reference"}, "kwargs": {"k": 9}}
    got = seen(source, "completions, solution, k", PLAIN, ["a", "b"], **keys)
    assert (got["solution"], got["k"]) == (["uno", "dos"], 9)


@pytest.mark.parametrize(
    ("source_of_f", "convention", "by_name"),
    [
        ("def f(prompts, completions, **kw): pass", None, False),
        ("def f(prompts, completions, k=None): pass", None, False),
        ("def f(questions, answers): pass", None, False),
        ("def f(prompts, completions, **kw): pass", "trl", True),
        ("def f(completions, **kw): pass", None, True),
        ("def f(completion_ids): pass", None, True),
        ("def f(*, prompts, completions): pass", None, True),
        ("async def f(prompts, completions, **kw): pass", None, True),
        ("class F:\n    async def __call__(self, prompts, completions): pass\nf = F()", None, True),
        ("class F:\n    def __call__(self, prompts, completions): pass\nf = F()", None, False),
    ],
)
def test_conventions_are_told_apart(
    source: Path, source_of_f: str, convention: Any, by_name: bool
) -> None:
    from paretoflow.objectives.convention import convention_of

    source.write_text(source_of_f)
    spec = ImportObjectiveSpec(
        type="import", name="mine", path="own_rewards:f", convention=convention
    )
    load(convention=convention)
    function = sys.modules["own_rewards"].f
    assert (convention_of(spec, function) == "trl") is by_name


def test_a_coroutine_is_awaited_also_inside_a_running_loop(source: Path) -> None:
    source.write_text(
        "import asyncio\n"
        "async def f(prompts, completions, **kw):\n"
        "    await asyncio.sleep(0)\n"
        "    return [float(len(c)) for c in completions]\n"
    )
    scorer = load()
    assert scorer.score(PLAIN, ["abc", "d"]).tolist() == [3.0, 1.0]

    async def inside() -> list[float]:
        scores: list[float] = scorer.score(PLAIN, ["abc", "d"]).tolist()
        return scores

    import asyncio

    assert asyncio.run(inside()) == [3.0, 1.0]


@pytest.mark.parametrize("signature", ["completions, **kw", "prompts, completions"])
def test_none_is_an_error_or_the_declared_score(source: Path, signature: str) -> None:
    source.write_text(f"def f({signature}):\n    return [None, 2]\n")
    with raises("objective-none", "objective mine", "own_rewards:f", "row 0", "p0"):
        ObjectivePanel(["mine"], [load()]).score(PLAIN, ["a", "b"])
    assert load(on_none=-1.5).score(PLAIN, ["a", "b"]).tolist() == [-1.5, 2.0]


def test_a_function_without_a_list_is_told(source: Path) -> None:
    source.write_text("def f(completions):\n    pass\n")
    with raises("objective-none", "own_rewards:f", "None instead of a list"):
        load().score(PLAIN, ["a", "b"])


@pytest.mark.parametrize(
    ("signature", "keys", "told"),
    [
        ("completions, solution", {}, ("'solution'", "k, rare, reference")),
        ("completions, trainer_state", {}, ("'trainer_state'", "trainers")),
        ("completions", {"kwargs": {"scale": 2}}, ("'scale'", "completions")),
    ],
)
def test_an_argument_that_there_is_not_is_told(
    source: Path, signature: str, keys: dict[str, Any], told: tuple[str, ...]
) -> None:
    source.write_text(f"def f({signature}):\n    return [0.0, 0.0]\n")
    with raises("objective-argument", "objective mine", "own_rewards:f", *told):
        ObjectivePanel(["mine"], [load(**keys)]).score(PLAIN, ["a", "b"])


THOUGHT, OPEN = "<think>\nwhy\n</think>\nfour", "<think> why"


def test_think_format_reward_of_text_and_of_a_chat() -> None:
    pytest.importorskip("trl")
    scorer = load("trl.rewards:think_format_reward")
    assert scorer.score(PLAIN, [THOUGHT, OPEN]).tolist() == [1.0, 0.0]
    assert scorer.score(CHAT, [THOUGHT]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "kwargs", "answers", "expected"),
    [
        # words are the tokens here: 4 of 6 words allowed without, the fifth costs a half
        (
            "get_soft_overlong_punishment",
            {"max_completion_len": 6, "soft_punish_cache": 2},
            ["a b c d", "a b c d e"],
            [0.0, -0.5],
        ),
        # bigrams of equal words: one unique of four
        ("get_repetition_penalty_reward", {"ngram_size": 2}, ["a bb ccc", "a b c d e"], [0, -0.75]),
    ],
)
def test_trls_factories_get_their_arguments(
    name: str, kwargs: dict[str, Any], answers: list[str], expected: list[float]
) -> None:
    pytest.importorskip("trl")
    scores = load(f"trl.rewards:{name}", kwargs=kwargs).score(PLAIN, answers)
    assert scores.tolist() == expected


def test_a_factory_that_refuses_its_arguments_is_told() -> None:
    pytest.importorskip("trl")
    with raises("plugin-import", "soft_overlong_punishment", "soft_punish_cache"):
        load("trl.rewards:get_soft_overlong_punishment")


MATHS = {
    "accuracy_reward": {},
    "reasoning_accuracy_reward": {},
    "get_cosine_scaled_reward": {"max_len": 100},
}


@pytest.mark.parametrize("name", MATHS)
def test_rewards_of_mathematics_work_or_name_their_library(name: str) -> None:
    pytest.importorskip("trl")
    keys: dict[str, Any] = {"columns": {"solution": "reference"}, "kwargs": MATHS[name]}
    scorer = load(f"trl.rewards:{name}", on_none=0.25, **keys)
    prompts = [Prompt(f"p{i}", "?", reference=r) for i, r in enumerate((r"\frac{1}{3}", "none"))]
    answers = [r"</think> \boxed{\frac{1}{3}}"] * 2
    if importlib.util.find_spec("math_verify") is None:
        with raises("objective-raised", "math_verify"):
            ObjectivePanel(["mine"], [scorer]).score(prompts, answers)
        return
    first, second = scorer.score(prompts, answers)
    assert first > 0.9
    assert second == 0.25


def test_every_reward_function_of_trl_is_tested_here() -> None:
    rewards = pytest.importorskip("trl.rewards")
    tested = {"think_format_reward", *MATHS}
    tested |= {"get_soft_overlong_punishment", "get_repetition_penalty_reward"}
    assert {name for names in rewards._import_structure.values() for name in names} == tested
