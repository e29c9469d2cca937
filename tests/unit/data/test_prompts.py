from __future__ import annotations

import random

import pytest

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.data.prompts import Pools, PromptSets, draw, new_prompt
from paretoflow.spec.data import PydocDataSpec
from tests.faults import raises


def pool(count: int, prefix: str = "q") -> tuple[Prompt, ...]:
    return tuple(new_prompt(f"{prefix}{i}") for i in range(count))


def sizes(train: int, evaluation: int, validation: int) -> PydocDataSpec:
    return PydocDataSpec(train=train, eval=evaluation, validation=validation)


def drawn(prompts: tuple[Prompt, ...], seed: int = 0) -> PromptSets:
    return draw(Pools("rows", prompts), sizes(4, 3, 2), seed)


def test_id_follows_text_reference_and_passages_and_nothing_else() -> None:
    base = new_prompt("t", reference="r", passages=("a", "b"))
    assert (
        new_prompt("t", reference="r", passages=("a", "b"), extra={"k": 1}).prompt_id
        == base.prompt_id
    )
    others = [
        new_prompt("t2", reference="r", passages=("a", "b")),
        new_prompt("t", reference="r2", passages=("a", "b")),
        new_prompt("t", reference="r", passages=("ab",)),
    ]
    assert len({base.prompt_id, *(p.prompt_id for p in others)}) == 4


def test_order_of_rows_does_not_matter() -> None:
    rows = list(pool(30))
    random.Random(3).shuffle(rows)
    assert drawn(tuple(rows)) == drawn(pool(30))


def test_a_text_asked_twice_is_one_prompt_and_the_first_row_counts() -> None:
    first = tuple(new_prompt(f"q{i}", reference="first") for i in range(9))
    second = tuple(new_prompt(f"q{i}", reference="second") for i in range(9))
    sets = drawn(first + second)
    assert {p.reference for p in (*sets.train, *sets.eval, *sets.validation)} == {"first"}


def test_exactly_enough_is_enough() -> None:
    sets = drawn(pool(9))
    assert len({p.text for p in (*sets.train, *sets.eval, *sets.validation)}) == 9


@pytest.mark.parametrize(
    ("available", "wanted", "hint"),
    [
        (20, (30, 4, 2), "lower data.train to at most 14"),
        (20, (4, 30, 2), "lower data.eval to at most 14"),
        (20, (16, 15, 14), "lower data.eval, data.validation, data.train to at most 20 in all"),
        (5, (4, 4, 4), "use a larger source: the smallest sizes need 6 prompts"),
    ],
)
def test_too_few_rows_say_what_to_do(
    available: int, wanted: tuple[int, int, int], hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        draw(Pools("rows.jsonl", pool(available)), sizes(*wanted), 0)
    assert caught.value.hint == hint
    assert caught.value.where == "rows.jsonl"
    assert caught.value.what.startswith(f"{available} distinct prompts, but ")
    assert f"train {wanted[0]}" in caught.value.what


def test_a_sources_own_eval_split_is_kept_apart() -> None:
    evaluation = pool(5, "e")
    sets = draw(Pools("rows", pool(6) + evaluation, evaluation), sizes(4, 3, 2), 0)
    assert {p.text[0] for p in sets.eval} == {"e"}
    assert {p.text[0] for p in (*sets.train, *sets.validation)} == {"q"}
    with raises("data-too-few", "5 distinct"):
        draw(Pools("rows", pool(6), evaluation), sizes(4, 6, 2), 0)


def test_digest_sees_what_objectives_may_see() -> None:
    def digest(extra: dict[str, object]) -> str:
        return drawn(tuple(new_prompt(f"q{i}", extra=extra) for i in range(9))).digest

    assert digest({"k": 1}) == digest({"k": 1})
    assert digest({"k": 1}) != digest({"k": 2})
    assert digest({"k": "\ud800", "bytes": b"x"}) != digest({})
