"""All objectives of a sweep as one scorer: full, finite score vectors or an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.errors import ObjectiveError, ShapeError, UserError
from paretoflow.core.protocols import Objective, Prompt
from paretoflow.core.values import FloatArray


class ObjectivePanel:
    """Scores answers on every objective, in the order of the weight vectors.

    A scorer that raises, returns the wrong length or a value that is not finite fails the whole
    batch: a zero in its place would be taken for a score. A `UserError`, which the user can mend
    and which says how, passes as it is.

    Args:
        names: Names of the objectives, length m.
        objectives: Their scorers, in the same order.

    Raises:
        ShapeError: If there are not as many names as scorers.
    """

    def __init__(self, names: Sequence[str], objectives: Sequence[Objective]) -> None:
        if len(names) != len(objectives):
            raise ShapeError(f"{len(names)} names for {len(objectives)} objectives")
        self.names = tuple(names)
        self._objectives = tuple(objectives)

    @property
    def m(self) -> int:
        """Return the number of objectives."""
        return len(self.names)

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the raw scores, shape (b, m); `prompts[i]` is what `completions[i]` answers.

        Raises:
            ObjectiveError: If a scorer fails; names the objective and, where one is to blame, the
                row and its prompt.
            ShapeError: If there are not as many prompts as completions.
            UserError: If a scorer says that the user's data or spec is at fault.
        """
        if len(prompts) != len(completions):
            raise ShapeError(f"{len(prompts)} prompts for {len(completions)} completions")
        scores = np.empty((len(completions), self.m), dtype=np.float64)
        if len(completions):
            for column, (name, objective) in enumerate(
                zip(self.names, self._objectives, strict=True)
            ):
                scores[:, column] = _checked(name, objective, prompts, completions)
        return scores


def _checked(
    name: str, objective: Objective, prompts: Sequence[Prompt], completions: Sequence[str]
) -> FloatArray:
    """Return one objective's scores, shape (b,), all finite."""
    where = f"objective {name}"
    b = len(completions)
    try:
        column = np.asarray(objective.score(prompts, completions), dtype=np.float64)
    except UserError:
        raise
    except Exception as error:  # a scorer is foreign code and may raise anything
        what = f"raised {type(error).__name__}: {error}"
        place = f"on {b} answers, the first to prompt {prompts[0].prompt_id}"
        raise ObjectiveError(f"{what}, {place}", where, "see the scorer's own traceback") from error
    if column.shape != (b,):
        what = f"returned shape {column.shape} for {b} answers, the first to prompt"
        hint = "a scorer returns one number per answer"
        raise ObjectiveError(f"{what} {prompts[0].prompt_id}; need ({b},)", where, hint)
    finite = np.isfinite(column)
    if not finite.all():
        row = int(np.argmin(finite))
        what = f"returned {column[row]} for row {row}, prompt {prompts[row].prompt_id}"
        more = f" ({b - int(finite.sum())} of {b} rows are not finite)"
        answer = f"the answer was {completions[row][:80]!r}"
        raise ObjectiveError(what + more, where, answer)
    return column
