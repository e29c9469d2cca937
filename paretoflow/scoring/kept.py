"""Store slow answers and scores in the sweep's folder while they are made.

Each table is named by a hash of everything it depends on. While it is made, its rows are stored in
parts beside it, so that a process resumes there after an interruption or an error. When the table
is whole, it becomes one file and the parts are deleted. Tables of answers do not depend on scorers,
and every objective has a table of its own: a new or fixed scorer costs no answers and no other
scores.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from paretoflow.core.errors import LedgerError, RunInterrupted
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.lm.generation import Answer
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.scoring.arrow_files import read_table, write_table
from paretoflow.scoring.depends import sampling, scoring_keys
from paretoflow.scoring.preparing import NOBODY, Preparing
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import Root, as_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from paretoflow.lm.base import LanguageModel
    from paretoflow.scoring.panel import ObjectivePanel
    from paretoflow.spec.models import GenerationSpec

SHARED_FOLDER = "shared"
KEEP_EVERY_S = 5.0
"""Longest time between two parts, unless one batch takes longer."""
_ANSWERS = pa.schema(
    {
        "completion": pa.string(),
        "completion_ids": pa.list_(pa.int32()),
        "logprob": pa.float64(),
        "topk": pa.list_(pa.float64()),
        "seconds": pa.float64(),
    }
)
_SCORES = pa.schema({"score": pa.float64()})


class KeptRows:
    """The rows of one table.

    Args:
        root: The sweep's folder.
        name: Name of the table, from everything its rows depend on.
        schema: Its columns.
        total: Number of rows of the whole table.

    Attributes:
        rows: The rows present, by number.
        total: Number of rows of the whole table.

    Raises:
        LedgerError: If a file of the table is damaged.
        StorageError: If storage refuses.
    """

    def __init__(self, root: Root, name: str, schema: pa.Schema, total: int) -> None:
        self._folder = as_folder(root).below(SHARED_FOLDER)
        self._schema, self.total = schema, total
        self._file, self._parts = f"{name}.arrow", f"{name}.parts"
        self._new: list[int] = []
        self._written_s = time.monotonic()
        self.rows: dict[int, dict[str, Any]] = {}
        self._load()

    def _load(self) -> None:
        if not self._folder.exists(self._file):
            try:
                for part in self._folder.names(self._parts):
                    self._take(part)
                return
            except LedgerError:  # another process may just have merged the parts into one file
                if not self._folder.exists(self._file):
                    raise
        self.rows = {}
        self._take(self._file)
        if not self.whole:
            raise LedgerError(
                f"the table holds {len(self.rows)} rows; its name says {self.total}",
                f"{self._folder.uri}/{self._file}",
                "delete it; it is made again",
                code="ledger-inconsistent",
            )

    @property
    def whole(self) -> bool:
        """Return whether no row is missing."""
        return len(self.rows) == self.total

    def add(self, rows: Sequence[int], values: Sequence[dict[str, Any]]) -> None:
        """Add rows, and write new ones once some seconds have passed.

        Raises:
            StorageError: If storage refuses.
        """
        self.rows.update(zip(rows, values, strict=True))
        self._new += rows
        if time.monotonic() - self._written_s >= KEEP_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Write the new rows as a part, or all rows as one file once none is missing.

        Raises:
            StorageError: If storage refuses.
        """
        self._written_s = time.monotonic()
        if not self._new:
            return
        if self.whole:
            self._write(self._file, range(self.total))
            self._folder.delete(self._parts)
        else:
            named = digest_of(self._new)[:16]
            self._write(f"{self._parts}/{min(self._new):07d}-{named}.arrow", self._new)
        self._new = []

    def _write(self, name: str, rows: Sequence[int]) -> None:
        columns = [pa.array([self.rows[i][f.name] for i in rows], f.type) for f in self._schema]
        table = pa.table([pa.array(rows, pa.int64()), *columns], ["row", *self._schema.names])
        write_table(f"{self._folder.uri}/{name}", table)

    def _take(self, name: str) -> None:
        path = f"{self._folder.uri}/{name}"
        table = read_table(path)
        expected = pa.schema([("row", pa.int64()), *self._schema])
        if not table.schema.equals(expected):
            raise LedgerError(
                "the table has other columns than it should",
                path,
                "delete it; it is made again",
                code="ledger-inconsistent",
            )
        values = table.to_pylist()
        numbers = [value.pop("row") for value in values]
        if not all(number in range(self.total) for number in numbers):
            raise LedgerError(
                "the table holds other rows than its name says",
                path,
                "delete it; it is made again",
                code="ledger-inconsistent",
            )
        self.rows.update(zip(numbers, values, strict=True))


@dataclass(frozen=True)
class Keeper:
    """Samples and scores as a `Sampler` and `ObjectivePanel.score` do, and stores the results.

    Args:
        root: The sweep's folder.
        panel: The scorers.
        objectives: Their specs, in the same order.
        mailbox: Receives the progress, and may stop the work.
        what: Name of the answers in progress messages.
        sampler: The engine that samples.
    """

    root: Root
    panel: ObjectivePanel
    objectives: tuple[ObjectiveSpec, ...]
    mailbox: Preparing = NOBODY
    what: str = "answers"
    sampler: Sampler = HF

    def sample(
        self,
        model: PreTrainedModel,
        lm: LanguageModel,
        prompts: Sequence[str],
        seeds: Sequence[int],
        gen: GenerationSpec,
    ) -> list[Answer]:
        """Sample one answer of the base for each prompt, in the order of the prompts.

        Raises:
            DataError: If a prompt does not fit the model.
            LedgerError: If stored tables are damaged.
            RunInterrupted: If the mailbox requests it; finished work is stored.
            StorageError: If storage refuses.
        """
        kept = KeptRows(self.root, _answers_name(lm, prompts, seeds, gen), _ANSWERS, len(prompts))
        if not kept.whole:
            batches = self.sampler.sample(model, lm, prompts, seeds, gen, kept.rows)
            self._sample(kept, batches)
        return [_answer(kept.rows[row]) for row in range(len(prompts))]

    def _sample(self, kept: KeptRows, batches: Iterator[tuple[list[int], list[Answer]]]) -> None:
        try:
            for rows, answers in batches:
                kept.add(rows, [_plain(answer) for answer in answers])
                self._tell(f"sampling {self.what}", kept)
        finally:
            kept.keep()

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the raw scores, shape (b, m); `prompts[i]` is what `completions[i]` answers.

        Raises:
            ObjectiveError: If a scorer fails; the scores of all others are stored.
            LedgerError: If stored tables are damaged.
            RunInterrupted: If the mailbox requests it; finished work is stored.
            StorageError: If storage refuses.
        """
        tables = self._score_tables(prompts, completions)
        try:
            for column, rows in self.panel.pieces(prompts, completions):
                kept = tables[column]
                if all(row in kept.rows for row in rows):
                    continue
                scores = self.panel.score_piece(column, rows, prompts, completions)
                kept.add(rows, [{"score": float(score)} for score in scores])
                self._tell(f"scoring {self.panel.names[column]}", kept)
        finally:
            for kept in tables:
                kept.keep()
        columns = [[kept.rows[row]["score"] for row in range(kept.total)] for kept in tables]
        return np.array(columns, dtype=np.float64).T.reshape(len(completions), len(tables))

    def _tell(self, what: str, kept: KeptRows) -> None:
        self.mailbox.doing(what, len(kept.rows), kept.total)
        if self.mailbox.stopping():
            raise RunInterrupted(f"stopped while {what}, {len(kept.rows)} of {kept.total} done")

    def _score_tables(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[KeptRows]:
        texts = digest_of([[asdict(p) for p in prompts], list(completions)])
        keys = [
            {"objective": scoring_keys(spec), "code": code}
            for spec, code in zip(self.objectives, self.panel.digests, strict=True)
        ]
        names = [f"scores-{digest_of([texts, key])[:32]}" for key in keys]
        return [KeptRows(self.root, name, _SCORES, len(completions)) for name in names]


def _answers_name(
    lm: LanguageModel, prompts: Sequence[str], seeds: Sequence[int], gen: GenerationSpec
) -> str:
    key = {
        "model": lm.digest,
        "generation": sampling(gen),
        "prompts": list(prompts),
        "seeds": list(seeds),
    }
    return f"answers-{digest_of(key)[:32]}"


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "completion": answer.text,
        "completion_ids": list(answer.token_ids),
        "logprob": answer.logprob,
        "topk": list(answer.topk),
        "seconds": answer.seconds,
    }


def _answer(row: dict[str, Any]) -> Answer:
    first, second, third = row["topk"]
    ids = tuple(row["completion_ids"])
    return Answer(row["completion"], ids, row["logprob"], (first, second, third), row["seconds"])
