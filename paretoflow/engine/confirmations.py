"""The scores of fronts on fresh prompts, kept in the sweep's folder: one sealed file for each set.

A file grows by a point at a time and is whole after each, so whoever is interrupted goes on there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from paretoflow.core.confirmed import Confirmation, FreshFacts, FreshScores
from paretoflow.core.errors import DamagedError
from paretoflow.core.ids import digest_of
from paretoflow.core.views import FrontView
from paretoflow.storage import Folder
from paretoflow.storage.sealed import sealed_bytes, unsealed_table

FOLDER = "confirmed"
_FACTS = b"paretoflow.confirmation"
_HINT = "delete it, and run `paretoflow confirm` again"
_SCHEMA = pa.schema(
    {
        "snapshot_id": pa.string(),
        "digest": pa.string(),
        "prompt_scores": pa.list_(pa.list_(pa.float64())),
        "completions": pa.list_(pa.string()),
    }
)


class ConfirmationFile:
    """The scores on one set of fresh prompts.

    Args:
        root: The sweep's folder.
        key: Names the file; it follows from all that the scores depend on.

    Attributes:
        facts: Of the file that is there; None where there is none.
        scores: Those that it holds, by snapshot.

    Raises:
        DamagedError: If it is damaged.
        StorageError: If storage refuses.
    """

    def __init__(self, root: Folder, key: str) -> None:
        self._root, self._name = root, f"{FOLDER}/{key}.arrow"
        self.facts: FreshFacts | None = None
        self.scores: dict[str, FreshScores] = {}
        self._completions: dict[str, list[str]] = {}
        if root.exists(self._name):
            self._read()

    def _read(self) -> None:
        where = f"{self._root.uri}/{self._name}"
        table = unsealed_table(self._root.read(self._name), where, _HINT)
        try:
            self.facts = FreshFacts.from_dict(json.loads(table.schema.metadata[_FACTS]))
            for row in table.to_pylist():
                scores = np.array(row["prompt_scores"], dtype=np.float64)
                name = str(row["snapshot_id"])
                self.scores[name] = FreshScores(name, str(row["digest"]), scores)
                self._completions[name] = row["completions"]
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(
                f"is damaged: {type(error).__name__} {error}", where, _HINT
            ) from error

    def add(self, facts: FreshFacts, scores: FreshScores, completions: tuple[str, ...]) -> None:
        """Write what a snapshot scored, beside what is there; durable when it returns.

        Raises:
            StorageError: If storage refuses.
        """
        self.facts = self.facts or facts
        self.scores[scores.snapshot_id] = scores
        self._completions[scores.snapshot_id] = list(completions)
        rows = [
            {
                "snapshot_id": name,
                "digest": each.digest,
                "prompt_scores": each.prompt_scores.tolist(),
                "completions": self._completions[name],
            }
            for name, each in self.scores.items()
        ]
        told = {_FACTS: json.dumps(self.facts.to_dict()).encode()}
        table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata(told))
        self._root.write(self._name, sealed_bytes(table))


def key_of(depends_on: Mapping[str, object]) -> str:
    """Return the name of the file whose scores depend on this."""
    return digest_of(depends_on)[:32]


def confirmation_of(root: Folder, front: FrontView) -> Confirmation | None:
    """Return the latest confirmation with scores of points of a front; None where there is none.

    Raises:
        DamagedError: If a file is damaged.
        StorageError: If storage refuses.
    """
    found: list[tuple[float, int, Confirmation]] = []
    for name in root.names(FOLDER):
        file = ConfirmationFile(root, name.removeprefix(f"{FOLDER}/").removesuffix(".arrow"))
        digests = {p.snapshot_id: p.digest for p in front.points}
        here = [p for p in digests if p in file.scores and file.scores[p].digest == digests[p]]
        if file.facts is not None and here:
            left_out = tuple(p for p in digests if p not in here)
            known = Confirmation(file.facts, file.scores, left_out)
            found.append((file.facts.time_s, len(here), known))
    return max(found, key=lambda each: each[:2])[2] if found else None
