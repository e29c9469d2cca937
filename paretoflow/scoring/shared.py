"""The shared stage: sample the base's answers and score them, once per sweep.

Every run learns from the same candidates, so answers, tokens and the base's log-probabilities are
stored, and the scores of each objective separately (see `kept`). A later worker group or a resumed
sweep reads them. Older sweeps stored one table for each set of prompts; such a table is still read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from paretoflow.core.candidates import LEAST_STD
from paretoflow.core.errors import LedgerError
from paretoflow.core.ids import digest_of, seed_of
from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.scoring.arrow_files import read_table
from paretoflow.scoring.calibrate import orientation
from paretoflow.scoring.depends import sampling, scoring_keys
from paretoflow.scoring.kept import SHARED_FOLDER, Keeper
from paretoflow.scoring.preparing import NOBODY, Preparing
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import Root, as_folder, file_at

if TYPE_CHECKING:
    from paretoflow.scoring.panel import ObjectivePanel

TABLE_VERSION = 1
_OLD_FIELDS = ("prompt_id", "text", "reference", "passages", "messages", "extra")


@dataclass(frozen=True)
class SharedStage:
    """Builds or loads the candidates of a sweep.

    Two processes that build the same table at once do the work twice and write equal files.

    Args:
        root: Root of the sweep.
        generation: Sampling settings; `batch_size` does not enter the hash, since it does not
            change the answers.
        panel: Scores the answers.
        objectives: Specs of the panel's objectives, in its order.
        mailbox: Receives the progress, and may stop the work.
        sampler: The engine that samples the answers.
    """

    root: Root
    lm: LanguageModel
    generation: GenerationSpec
    panel: ObjectivePanel
    objectives: tuple[ObjectiveSpec, ...]
    mailbox: Preparing = NOBODY
    sampler: Sampler = HF

    def candidates(
        self, prompts: Sequence[Prompt], per_prompt: int, seed: int, what: str = "answers"
    ) -> Candidates:
        """Return `per_prompt` scored answers of the base for each prompt.

        Args:
            prompts: The prompts.
            per_prompt: Answers to each.
            seed: Decides the noise, with a prompt's id and the answer's number.
            what: Name of the answers in progress messages.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails; the answers and the other scores are stored.
            LedgerError: If stored tables are damaged.
            RunInterrupted: If the mailbox requests it; finished work is stored.
            StorageError: If storage refuses, or gives no answer for minutes.
        """
        path = self.old_path(prompts, per_prompt, seed)
        folder, name = file_at(path)
        if folder.exists(name):
            return self._load(path, prompts, per_prompt)
        rows = [p for p in prompts for _ in range(per_prompt)]
        seeds = [seed_of(seed, p.prompt_id, i) for p in prompts for i in range(per_prompt)]
        keeper = self.keeper(what)
        texts = [p.text for p in rows]
        answers = keeper.sample(self.lm.model, self.lm, texts, seeds, self.generation)
        scores = keeper.score(rows, [a.text for a in answers])
        return self._candidates(
            prompts,
            [a.text for a in answers],
            [a.token_ids for a in answers],
            scores,
            np.array([a.logprob for a in answers]),
        )

    def keeper(self, what: str) -> Keeper:
        """Return a keeper, which samples and scores answers of the base and stores them."""
        whole = (self.root, self.panel, self.objectives, self.mailbox, what)
        return Keeper(*whole, self.sampler)

    def old_path(self, prompts: Sequence[Prompt], per_prompt: int, seed: int) -> str:
        """Return the path or URI of the single file of these candidates in older sweeps."""
        scorers = [scoring_keys(o) for o in self.objectives]
        key = digest_of(
            {
                "version": TABLE_VERSION,
                "model": self.lm.digest,
                "generation": sampling(self.generation),
                "prompts": [_old_facts(p) for p in prompts],
                "per_prompt": per_prompt,
                "seed": seed,
                "objectives": scorers,
            }
        )
        return f"{as_folder(self.root)}/{SHARED_FOLDER}/{key}.arrow"

    def _load(self, path: str, prompts: Sequence[Prompt], per_prompt: int) -> Candidates:
        table = read_table(path)
        expected = [p.prompt_id for p in prompts for _ in range(per_prompt)]
        if table.column_names[:1] != ["prompt_id"] or table["prompt_id"].to_pylist() != expected:
            raise LedgerError(
                "the table holds other prompts than its name says",
                path,
                "delete it, and it will be made again",
                code="ledger-inconsistent",
            )
        return self._candidates(
            prompts,
            table["completion"].to_pylist(),
            [tuple(row) for row in table["completion_ids"].to_pylist()],
            np.array(table["scores"].to_pylist(), dtype=np.float64),
            table["ref_logprob"].to_numpy(),
        )

    def _candidates(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
        ids: Sequence[tuple[int, ...]],
        scores: FloatArray,
        logprobs: FloatArray,
    ) -> Candidates:
        """Combine answers in the order of the prompts, each prompt's answers side by side."""
        count, per_prompt = len(prompts), len(completions) // max(1, len(prompts))
        gains = orientation(self.objectives)(scores).reshape(count, per_prompt, -1)
        starts = range(0, count * per_prompt, per_prompt)
        return Candidates(
            prompts=tuple(prompts),
            completions=tuple(tuple(completions[s : s + per_prompt]) for s in starts),
            completion_ids=tuple(tuple(ids[s : s + per_prompt]) for s in starts),
            prompt_ids=tuple(map(tuple, encode(self.lm, [p.text for p in prompts]))),
            gains=gains,
            mean=gains.mean(axis=(0, 1)),
            std=np.maximum(gains.std(axis=(0, 1)), LEAST_STD),
            ref_logprobs=logprobs.reshape(count, per_prompt),
        )


def _old_facts(prompt: Prompt) -> dict[str, object]:
    """Return a prompt's fields that the names of the old tables depend on."""
    facts = asdict(prompt)
    return {name: facts[name] for name in _OLD_FIELDS}


def standardised_by(
    candidates: Candidates, objectives: Sequence[ObjectiveSpec]
) -> Callable[[FloatArray], FloatArray]:
    """Return the function from raw scores, shape (n, m), to gains in the candidates' units.

    Gains are relative to the mean of all candidates; this offset cancels when answers to one prompt
    are compared.
    """
    oriented, unit = orientation(objectives), candidates.unit
    return lambda scores: (oriented(scores) - candidates.mean) / unit


def raw_scores(candidates: Candidates, objectives: Sequence[ObjectiveSpec]) -> FloatArray:
    """Return the candidates' raw scores, shape (P * C, m), for `calibrate`."""
    m = candidates.gains.shape[-1]
    return orientation(objectives)(candidates.gains).reshape(-1, m)
