"""The shared stage: sample the base's answers and score them, once per sweep.

Every run learns from the same candidates, so sampling, scores, tokens and the base's
log-probabilities are kept in Arrow files named by a hash of all they depend on: base, prompts,
generation settings, count, seed and scorers. A later gang or a resumed sweep reads them. The code
behind an `import` objective is not hashed; delete `shared/` after changing it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from paretoflow.core.errors import LedgerError
from paretoflow.core.ids import digest_of, seed_of
from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.scoring.arrow_files import read_table, write_table
from paretoflow.scoring.calibrate import orientation
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import Root, as_folder, file_at

if TYPE_CHECKING:
    from paretoflow.scoring.panel import ObjectivePanel

SHARED_FOLDER = "shared"
TABLE_VERSION = 1
_NO_EFFECT_ON_SCORES = {"direction", "unit", "range", "ref"}
_MIN_STD = 1e-8


@dataclass(frozen=True)
class SharedStage:
    """Builds or loads the candidates of a sweep.

    Two processes that build the same table at once do the work twice and write equal files.

    Args:
        root: Where the sweep lives.
        generation: `batch_size` does not enter the hash, since it does not change the answers.
        panel: Scores the answers.
        objectives: Specs of the panel's objectives, in its order.
    """

    root: Root
    lm: LanguageModel
    generation: GenerationSpec
    panel: ObjectivePanel
    objectives: tuple[ObjectiveSpec, ...]

    def candidates(self, prompts: Sequence[Prompt], per_prompt: int, seed: int) -> Candidates:
        """Return `per_prompt` scored answers of the base for each prompt.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails.
            LedgerError: If the table was written before and is damaged.
            StorageError: If storage refuses, or gives no answer for minutes.
        """
        path = self.path(prompts, per_prompt, seed)
        folder, name = file_at(path)
        if not folder.exists(name):
            write_table(path, self._build(prompts, per_prompt, seed))
        return self._load(path, prompts, per_prompt)

    def path(self, prompts: Sequence[Prompt], per_prompt: int, seed: int) -> str:
        """Return the path or URI of the file that these candidates are kept in."""
        scorers = [o.model_dump(mode="json", exclude=_NO_EFFECT_ON_SCORES) for o in self.objectives]
        key = digest_of(
            {
                "version": TABLE_VERSION,
                "model": self.lm.digest,
                "generation": _sampling(self.generation),
                "prompts": [asdict(p) for p in prompts],
                "per_prompt": per_prompt,
                "seed": seed,
                "objectives": scorers,
            }
        )
        return f"{as_folder(self.root)}/{SHARED_FOLDER}/{key}.arrow"

    def _build(self, prompts: Sequence[Prompt], per_prompt: int, seed: int) -> pa.Table:
        """Return the table, one row per answer: a prompt's answers together, prompts in order."""
        rows = [p for p in prompts for _ in range(per_prompt)]
        seeds = [seed_of(seed, p.prompt_id, i) for p in prompts for i in range(per_prompt)]
        answers = generate(self.lm.model, self.lm, [p.text for p in rows], seeds, self.generation)
        scores = self.panel.score(rows, [a.text for a in answers])
        return pa.table(
            {
                "prompt_id": pa.array([p.prompt_id for p in rows], pa.string()),
                "completion": pa.array([a.text for a in answers], pa.string()),
                "completion_ids": pa.array([a.token_ids for a in answers], pa.list_(pa.int32())),
                "scores": pa.array(scores.tolist(), pa.list_(pa.float64())),
                "ref_logprob": pa.array([a.logprob for a in answers], pa.float64()),
            }
        )

    def _load(self, path: str, prompts: Sequence[Prompt], per_prompt: int) -> Candidates:
        table = read_table(path)
        count, m = len(prompts), len(self.objectives)
        expected = [p.prompt_id for p in prompts for _ in range(per_prompt)]
        if table.column_names[:1] != ["prompt_id"] or table["prompt_id"].to_pylist() != expected:
            raise LedgerError(
                "the table holds other prompts than its name says",
                path,
                "delete it, and it will be made again",
            )
        scores = np.array(table["scores"].to_pylist(), dtype=np.float64)
        gains = orientation(self.objectives)(scores).reshape(count, per_prompt, m)
        completions = table["completion"].to_pylist()
        ids = [tuple(row) for row in table["completion_ids"].to_pylist()]
        starts = range(0, count * per_prompt, per_prompt)
        return Candidates(
            prompts=tuple(prompts),
            completions=tuple(tuple(completions[s : s + per_prompt]) for s in starts),
            completion_ids=tuple(tuple(ids[s : s + per_prompt]) for s in starts),
            prompt_ids=tuple(map(tuple, encode(self.lm, [p.text for p in prompts]))),
            gains=gains,
            mean=gains.mean(axis=(0, 1)),
            std=np.maximum(gains.std(axis=(0, 1)), _MIN_STD),
            ref_logprobs=table["ref_logprob"].to_numpy().reshape(count, per_prompt),
        )


def _sampling(generation: GenerationSpec) -> dict[str, object]:
    """Return what decides the answers; tables from before a setting keep their names."""
    plain = generation.model_dump(exclude={"batch_size"})
    if generation.top_p == 1:
        del plain["top_p"]
    if not generation.stop:
        del plain["stop"]
    return plain


def standardised_by(
    candidates: Candidates, objectives: Sequence[ObjectiveSpec]
) -> Callable[[FloatArray], FloatArray]:
    """Return what brings raw scores, shape (n, m), to standardised gains as the candidates' are."""
    oriented = orientation(objectives)
    return lambda scores: (oriented(scores) - candidates.mean) / candidates.std


def raw_scores(candidates: Candidates, objectives: Sequence[ObjectiveSpec]) -> FloatArray:
    """Return the candidates' raw scores, shape (P * C, m), for `calibrate`."""
    m = candidates.gains.shape[-1]
    return orientation(objectives)(candidates.gains).reshape(-1, m)
