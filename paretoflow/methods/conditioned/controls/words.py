"""Which words of the vocabulary are spare, and the prefix that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Candidates
from paretoflow.lm.base import LanguageModel, encode


@dataclass(frozen=True)
class Controls:
    """The control words of all objectives.

    Args:
        words: The words of each objective's bins by its name, lowest bin first.
        ids: Token ids of all words.
    """

    words: Mapping[str, tuple[str, ...]]
    ids: tuple[int, ...]

    def prefix(self, bins: Mapping[str, int]) -> str:
        """Return what is put before a prompt: a line with a word for each objective, by name."""
        return "".join(f"{self.words[name][bins[name]]}\n" for name in sorted(bins))


def make_controls(
    lm: LanguageModel, candidates: Candidates, names: Sequence[str], bins: int
) -> Controls:
    """Give each bin of each objective, in the order of their names, a spare word.

    Spare is a word of letters or digits that is one token, also on a line of its own, and that is
    in no train prompt and no answer of the base. Words are taken from the vocabulary's end, where
    the rarest are.

    Raises:
        MethodError: If there are too few.
    """
    wanted = len(names) * bins
    found = []
    for word in _spare(lm, _used(candidates)):
        found.append(word)
        if len(found) == wanted:
            break
    if len(found) < wanted:
        raise MethodError(
            f"got {len(found)} spare words in the vocabulary of {lm.name}; allowed: {wanted} or "
            f"more, {bins} for each of {len(names)} objectives",
            hint="lower method.bins, or use a base with a larger vocabulary",
        )
    ordered = sorted(names)
    rows = [tuple(w for _, w in found[k * bins : (k + 1) * bins]) for k in range(len(ordered))]
    return Controls(dict(zip(ordered, rows, strict=True)), tuple(i for i, _ in found))


def _used(candidates: Candidates) -> set[int]:
    rows: Iterable[Sequence[int]] = (
        *candidates.prompt_ids,
        *(ids for row in candidates.completion_ids for ids in row),
    )
    return {token for ids in rows for token in ids}


def _spare(lm: LanguageModel, used: set[int]) -> Iterator[tuple[int, str]]:
    """Yield (id, word), from the vocabulary's end."""
    for token in range(len(lm.tokenizer) - 1, -1, -1):
        word = lm.tokenizer.decode([token])
        if token in used or not word.isalnum():
            continue
        if encode(lm, [f"{word}\n{word}\n"])[0].count(token) == 2:
            yield token, word
