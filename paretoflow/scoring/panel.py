"""All objectives of a sweep as one scorer: full, finite score vectors or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from paretoflow.core.errors import ObjectiveError, ShapeError, UserError
from paretoflow.core.protocols import Objective, Prompt, ReadsOn
from paretoflow.core.values import FloatArray

if TYPE_CHECKING:
    Piece = tuple[int, list[int]]

PIECE = 64
"""Answers per call of a scorer; an interruption loses at most this much work."""


class ObjectivePanel:
    """Scores answers on every objective, in the order of the weight vectors.

    A scorer that raises, returns the wrong length or a value that is not finite fails the whole
    batch: a zero in its place would be taken for a score. A `UserError`, which tells the user what
    to fix, is passed through.

    Args:
        names: Names of the objectives, length m.
        objectives: Their scorers, in the same order. A scorer with `batches(prompts, completions)`
            receives the answers in these lists of row numbers; any other scorer receives `PIECE` at
            a time.
        beat: Called after each call of a scorer.

    Raises:
        ShapeError: If there are not as many names as scorers.
    """

    def __init__(
        self,
        names: Sequence[str],
        objectives: Sequence[Objective],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        if len(names) != len(objectives):
            raise ShapeError(f"{len(names)} names for {len(objectives)} objectives")
        self.names = tuple(names)
        self._objectives = tuple(objectives)
        self._beat = beat

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digest of each scorer beyond its spec, length m; empty for most."""
        return tuple(str(getattr(o, "digest", "")) for o in self._objectives)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Return the scorers, in the order of the names."""
        return self._objectives

    @property
    def m(self) -> int:
        """Return the number of objectives."""
        return len(self.names)

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the raw scores, shape (b, m); `prompts[i]` is what `completions[i]` answers.

        Answers are passed as sampled. White space at their ends is stripped before a scorer sees
        them, unless the scorer reads them as continuations of the prompt (`ReadsOn`).

        Raises:
            ObjectiveError: If a scorer fails; names the objective and, if one row is the cause, the
                row and its prompt.
            ShapeError: If there are not as many prompts as completions.
            UserError: If a scorer reports a fault in the user's data or spec.
        """
        if len(prompts) != len(completions):
            raise ShapeError(f"{len(prompts)} prompts for {len(completions)} completions")
        scores = np.empty((len(completions), self.m), dtype=np.float64)
        for column, rows in self.pieces(prompts, completions):
            scores[rows, column] = self.score_piece(column, rows, prompts, completions)
        return scores

    def pieces(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Iterator[Piece]:
        """Yield columns with some of their rows, until every score has been requested once.

        Scorers with the same groups of rows take turns: some share a model's last outputs.
        """
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for column, objective in enumerate(self._objectives):
            cut = getattr(objective, "batches", _in_order)(prompts, completions)
            alike.setdefault(tuple(map(tuple, cut)), []).append(column)
        for cut, columns in alike.items():
            for rows in cut:
                for column in columns:
                    yield column, list(rows)

    def score_piece(
        self,
        column: int,
        rows: Sequence[int],
        prompts: Sequence[Prompt],
        completions: Sequence[str],
    ) -> FloatArray:
        """Return one objective's raw scores of some rows, as `score` does."""
        scorer, where = self._objectives[column], f"objective {self.names[column]}"
        asked, given = [prompts[i] for i in rows], [completions[i] for i in rows]
        scores = _answered(scorer, where, asked, given)
        finite = np.isfinite(scores)
        if not finite.all():
            bad = int(np.argmin(finite))
            what = f"returned {scores[bad]} for row {rows[bad]}, prompt {asked[bad].prompt_id}"
            more = f" ({len(rows) - int(finite.sum())} of {len(rows)} rows are not finite)"
            hint = f"the answer was {given[bad][:80]!r}"
            raise ObjectiveError(what + more, where, hint, code="objective-not-finite")
        self._beat()
        return scores


def _in_order(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[list[int]]:
    rows = list(range(len(completions)))
    return [rows[start : start + PIECE] for start in range(0, len(rows), PIECE)]


def _answered(
    objective: Objective, where: str, prompts: Sequence[Prompt], completions: Sequence[str]
) -> FloatArray:
    """Return a scorer's output, shape (b,)."""
    b = len(completions)
    try:
        column = np.asarray(_scored(objective, prompts, completions), dtype=np.float64)
    except (UserError, ObjectiveError):  # they say themselves what is wrong
        raise
    except Exception as error:  # a scorer is user code and may raise anything
        what = f"raised {type(error).__name__}: {error}"
        what += f", on {b} answers, the first to prompt {prompts[0].prompt_id}"
        hint = "see the scorer's own traceback"
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = f"install {error.name}, which it imports, where the sweep runs"
        raise ObjectiveError(what, where, hint, code="objective-raised") from error
    if column.shape != (b,):
        what = f"returned shape {column.shape} for {b} answers, the first to prompt"
        hint = "a scorer returns one number per answer"
        raise ObjectiveError(
            f"{what} {prompts[0].prompt_id}; need ({b},)", where, hint, code="objective-shape"
        )
    return column


def _scored(
    objective: Objective, prompts: Sequence[Prompt], completions: Sequence[str]
) -> FloatArray:
    if isinstance(objective, ReadsOn):
        return objective.score_as_sampled(prompts, completions)
    return objective.score(prompts, [text.strip() for text in completions])
