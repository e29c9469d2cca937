"""A judge's replies, kept in the sweep's folder, with the money that they cost.

A file holds some replies as JSON lines and is written once, as soon as they arrive; replies that
arrive while storage is busy share the next file. Its name ends in their price, in billionths, so
that the money of a sweep is known from names alone, also after a process was killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from threading import Lock

from paretoflow.core.errors import LedgerError
from paretoflow.core.ids import digest_of
from paretoflow.storage import Root, as_folder

JUDGED_FOLDER = "judged"
_BILLION = 10**9


@dataclass(frozen=True)
class Verdict:
    """The replies of a judge to one answer.

    Args:
        key: Digest of the prompt and the answer.
        score: Score of the last reply; None if it holds none.
        replies: Texts of all replies.
        tokens_in, tokens_out: Tokens of all requests and replies.
        price: Their price.
        cut_off: Whether the failure of another answer ended the questions early.
    """

    key: str
    score: float | None
    replies: tuple[str, ...]
    tokens_in: int
    tokens_out: int
    price: float
    cut_off: bool = False


class Judged:
    """The verdicts of one judge, by key; threads may share it.

    Args:
        root: Sweep's folder; None keeps verdicts in memory.
        judge: Digest of all that a verdict depends on beside prompt and answer.

    Attributes:
        spent: Price of the verdicts that this object was given to keep.
    """

    def __init__(self, root: Root | None, judge: str) -> None:
        self._folder = None if root is None else as_folder(root).below(f"{JUDGED_FOLDER}/{judge}")
        self._verdicts: dict[str, Verdict] = {}
        self._read: set[str] = set()
        self._new: list[Verdict] = []
        self._arriving, self._writing = Lock(), Lock()
        self.spent = 0.0

    def known(self) -> dict[str, Verdict]:
        """Return all verdicts, those that other workers wrote meanwhile included.

        Raises:
            LedgerError: If a file is damaged.
            StorageError: If storage refuses.
        """
        for name in self._folder.names() if self._folder else ():
            if name not in self._read:
                self._take(name)
        return dict(self._verdicts)

    def _take(self, name: str) -> None:
        assert self._folder is not None
        try:
            for line in self._folder.read(name).decode().splitlines():
                plain = json.loads(line)
                found = Verdict(**{**plain, "replies": tuple(plain["replies"])})
                self._add(found)
        except (ValueError, TypeError, KeyError) as error:
            where = f"{self._folder.uri}/{name}"
            hint = "delete it; its answers are judged again"
            raise LedgerError(
                f"judged answers cannot be read: {error}", where, hint, code="ledger-inconsistent"
            ) from error
        self._read.add(name)

    def _add(self, verdict: Verdict) -> None:
        known = self._verdicts.get(verdict.key)
        if known is None or _rank(known) < _rank(verdict):
            self._verdicts[verdict.key] = verdict

    def keep(self, verdict: Verdict) -> None:
        """Add a verdict; it is in storage when this returns.

        Raises:
            StorageError: If storage refuses.
        """
        with self._arriving:
            self._add(verdict)
            self._new.append(verdict)
            self.spent += verdict.price
        if self._folder is None:
            return
        with self._writing:
            with self._arriving:
                new, self._new = self._new, []
            if new:  # else another thread wrote this one with its own
                self._write(new)

    def _write(self, verdicts: Sequence[Verdict]) -> None:
        assert self._folder is not None
        lines = [json.dumps(asdict(verdict)) for verdict in verdicts]
        price = round(sum(verdict.price for verdict in verdicts) * _BILLION)
        name = f"{digest_of(lines)[:20]}-{price:015d}.jsonl"
        self._read.add(name)
        self._folder.write(name, "\n".join(lines).encode())


def _rank(verdict: Verdict) -> tuple[bool, bool]:
    """Return which of two verdicts on one answer counts: that with a score, or not cut off."""
    return verdict.score is not None, not verdict.cut_off


def spent_on_judges(root: Root) -> float:
    """Return the price of all judged answers of a sweep, in the currency of its prices.

    Raises:
        StorageError: If storage refuses.
    """
    names = as_folder(root).names(JUDGED_FOLDER)
    return sum(int(name.rpartition("-")[2].removesuffix(".jsonl")) for name in names) / _BILLION
