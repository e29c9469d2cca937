"""Table of human feedback that runs learn from, with the base's log-probabilities.

A labelled pair is a row of two answers; rated answers to a prompt are a row of as many. The base's
log-probabilities are stored in the sweep's folder, like its own answers (see `kept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from paretoflow.core.candidates import LEAST_STD, Candidates, Given, Prompt
from paretoflow.core.errors import RunInterrupted
from paretoflow.core.feedback import Feedback
from paretoflow.core.ids import digest_of
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.lm.answers import answer_ids
from paretoflow.lm.base import encode
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.scoring.calibrate import orientation
from paretoflow.scoring.kept import KeptRows
from paretoflow.scoring.shared import SharedStage

_LOGPROBS = pa.schema({"completion_ids": pa.list_(pa.int32()), "logprob": pa.float64()})

Row = tuple[Prompt, Feedback]


@dataclass(frozen=True)
class GivenStage:
    """Builds the table of human feedback.

    Args:
        shared: The base, the scorers and the storage of tables.
        share: Share of a run's draws that come from human feedback.
        scores: Whether the answers of labelled pairs are scored, for a method that needs it.
    """

    shared: SharedStage
    share: float
    scores: bool

    def candidates(self, rows: Sequence[Row]) -> Candidates:
        """Return the rows, each with the base's log-probabilities of its answers.

        Raises:
            DataError: If a prompt has no token.
            ObjectiveError: If a scorer fails; the scores of the others are stored.
            LedgerError: If stored tables are damaged.
            RunInterrupted: If the mailbox requests it; finished work is stored.
            StorageError: If storage refuses.
        """
        lm = self.shared.lm
        flat = [(prompt, answer) for prompt, said in rows for answer in said.answers]
        ids, logprobs = self._answers(flat)
        counts = np.array([len(said.answers) for _, said in rows])
        gains, labels = self._gains(rows, flat), _labels(rows, self._names)
        starts = np.concatenate([[0], np.cumsum(counts)])
        spans = [range(starts[i], starts[i + 1]) for i in range(len(rows))]
        own = Candidates(
            prompts=tuple(prompt for prompt, _ in rows),
            completions=tuple(tuple(flat[i][1].strip() for i in span) for span in spans),
            completion_ids=tuple(tuple(ids[i] for i in span) for span in spans),
            prompt_ids=tuple(map(tuple, encode(lm, [prompt.text for prompt, _ in rows]))),
            gains=gains,
            mean=gains.mean(axis=0),
            std=np.maximum(gains.std(axis=0), LEAST_STD),
            ref_logprobs=logprobs,
            given=Given(len(rows), self.share, self._names, labels, scored=self.scores),
            counts=counts,
        )
        return _padded(own, int(counts.max()))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.shared.objectives)

    def _gains(self, rows: Sequence[Row], flat: Sequence[tuple[Prompt, str]]) -> FloatArray:
        """Return the oriented scores of all answers, shape (n, m); 0 where there are none."""
        orient = orientation(self.shared.objectives)
        if self.scores:
            keeper = self.shared.keeper("given answers")
            return orient(keeper.score([p for p, _ in flat], [a.strip() for _, a in flat]))
        nothing = {len(said.answers): (0.0,) * len(said.answers) for _, said in rows}
        given = [
            np.array([said.ratings.get(name, nothing[len(said.answers)]) for name in self._names])
            for _, said in rows
        ]
        return orient(np.concatenate(given, axis=1).T.astype(np.float64))

    def _answers(
        self, flat: Sequence[tuple[Prompt, str]]
    ) -> tuple[list[tuple[int, ...]], FloatArray]:
        """Return the token ids and the base's log-probabilities of all answers."""
        shared, texts = self.shared, [[prompt.text, answer] for prompt, answer in flat]
        name = f"given-{digest_of([shared.lm.digest, texts])[:32]}"
        kept = KeptRows(shared.root, name, _LOGPROBS, len(flat))
        missing = [row for row in range(len(flat)) if row not in kept.rows]
        # answers of similar length share a batch, which pads them to one length
        missing.sort(key=lambda row: (len(flat[row][0].text) + len(flat[row][1]), row))
        size = shared.generation.batch_size
        try:
            for start in range(0, len(missing), size):
                self._rate(kept, flat, missing[start : start + size])
        finally:
            kept.keep()
        found = [kept.rows[row] for row in range(len(flat))]
        return [tuple(r["completion_ids"]) for r in found], np.array([r["logprob"] for r in found])

    def _rate(self, kept: KeptRows, flat: Sequence[tuple[Prompt, str]], rows: list[int]) -> None:
        shared, lm = self.shared, self.shared.lm
        prompts = [flat[row][0].text for row in rows]
        ids = answer_ids(lm, prompts, [flat[row][1] for row in rows])
        rated = sequence_logprobs(lm.model, lm, encode(lm, prompts), ids, len(rows))
        kept.add(
            rows,
            [
                {"completion_ids": list(own), "logprob": float(value)}
                for own, value in zip(ids, rated, strict=True)
            ],
        )
        done = len(kept.rows), kept.total
        shared.mailbox.doing("reading given answers", *done)
        if shared.mailbox.stopping():
            raise RunInterrupted("stopped while reading given answers, {} of {} done".format(*done))


def joined(given: Candidates, own: Candidates) -> Candidates:
    """Return one table of the human feedback, followed by the base's own answers.

    `mean` and `std` are those of the base's answers; see `Candidates.standardised`.
    """
    count, each, _ = own.gains.shape
    width = max(each, given.gains.shape[1])
    one, other = _widened(given, width), _widened(replace(own, counts=np.full(count, each)), width)
    return replace(
        other,
        prompts=one.prompts + other.prompts,
        completions=one.completions + other.completions,
        completion_ids=one.completion_ids + other.completion_ids,
        prompt_ids=one.prompt_ids + other.prompt_ids,
        gains=np.concatenate([one.gains, other.gains]),
        ref_logprobs=np.concatenate([one.ref_logprobs, other.ref_logprobs]),
        given=given.given,
        counts=np.concatenate([_counts(one), _counts(other)]),
    )


def _counts(table: Candidates) -> IntArray:
    return np.full(len(table.gains), table.gains.shape[1]) if table.counts is None else table.counts


def _labels(rows: Sequence[Row], names: Sequence[str]) -> IntArray | None:
    if not any(said.better for _, said in rows):
        return None
    signs = {None: 0, 0: 1, 1: -1}
    labels = [[signs[said.better.get(name)] for name in names] for _, said in rows]
    return np.array(labels, dtype=np.int64)


def _padded(table: Candidates, width: int) -> Candidates:
    """Return a table whose gains and log-probabilities are reshaped to rows of C."""
    counts = _counts(table)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    places = np.arange(width)[None, :]
    taken = starts[:, None] + np.where(places < counts[:, None], places, 0)
    shaped = replace(table, gains=table.gains[taken], ref_logprobs=table.ref_logprobs[taken])
    return _filled(shaped, width)


def _widened(table: Candidates, width: int) -> Candidates:
    """Return a table with wider rows, filled with the first answer of each row."""
    places = np.arange(width)
    taken = np.where(places < table.gains.shape[1], places, 0)
    shaped = replace(table, gains=table.gains[:, taken], ref_logprobs=table.ref_logprobs[:, taken])
    return _filled(shaped, width)


def _filled(table: Candidates, width: int) -> Candidates:
    return replace(
        table,
        completions=tuple(row + row[:1] * (width - len(row)) for row in table.completions),
        completion_ids=tuple(row + row[:1] * (width - len(row)) for row in table.completion_ids),
    )
