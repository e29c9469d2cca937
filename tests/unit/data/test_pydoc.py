from __future__ import annotations

from paretoflow.data import load_prompts
from paretoflow.embedded.pydoc import pydoc_items
from paretoflow.spec.data import PydocDataSpec


def test_sets_keep_to_the_tasks_own_split() -> None:
    sets = load_prompts(PydocDataSpec(), seed=0, render_chat=None)
    split = {item.symbol: item.split for item in pydoc_items()}
    assert {split[p.extra["symbol"]] for p in sets.eval} == {"eval"}
    assert {split[p.extra["symbol"]] for p in (*sets.train, *sets.validation)} == {"train"}


def test_passages_are_the_sentences_that_the_prompt_shows() -> None:
    sets = load_prompts(PydocDataSpec(), seed=0, render_chat=None)
    for prompt in sets.eval:
        assert prompt.text.startswith(f"Document: {' '.join(prompt.passages)}\nQuestion: ")
        assert prompt.text.endswith("\nAnswer:")
        assert " ".join(prompt.passages).startswith(prompt.reference)
