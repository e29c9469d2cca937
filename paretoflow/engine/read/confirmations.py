"""The scores of fronts on fresh prompts, kept in the sweep's folder: one sealed file for each set.

A file grows by one point at a time and is complete after each, so an interrupted confirmation
continues from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from paretoflow.core.confirmed import Confirmation, FreshFacts
from paretoflow.core.errors import DamagedError
from paretoflow.core.evaluation import Evaluation
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
        key: Name of the file, derived from all inputs that the scores depend on.

    Attributes:
        facts: Facts in the file; None where there is no file.
        scores: Evaluations in the file, by checkpoint.

    Raises:
        DamagedError: If the file is damaged.
        StorageError: If storage refuses.
    """

    def __init__(self, root: Folder, key: str) -> None:
        self._root, self._name = root, f"{FOLDER}/{key}.arrow"
        self.facts: FreshFacts | None = None
        self.scores: dict[str, Evaluation] = {}
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
                self.scores[name] = Evaluation.of_prompts(
                    scores,
                    snapshot_id=name,
                    digest=str(row["digest"]),
                    completions=tuple(row["completions"]),
                )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(
                f"is damaged: {type(error).__name__} {error}", where, _HINT
            ) from error

    def add(self, facts: FreshFacts, scores: Evaluation, judged: float) -> None:
        """Write a checkpoint's scores and answers; they are durable when it returns.

        Args:
            facts: Facts about the prompts, for a new file.
            scores: The checkpoint's evaluation.
            judged: Money that judges have cost for all scores of the file so far.

        Raises:
            StorageError: If storage refuses.
        """
        self.facts = replace(self.facts or facts, judged=judged)
        self.scores[scores.snapshot_id] = scores
        rows = [
            {
                "snapshot_id": name,
                "digest": each.digest,
                "prompt_scores": each.prompt_scores.tolist(),
                "completions": list(each.completions),
            }
            for name, each in self.scores.items()
        ]
        told = {_FACTS: json.dumps(self.facts.to_dict()).encode()}
        table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata(told))
        self._root.write(self._name, sealed_bytes(table))

    def of_front(self, front: FrontView) -> Confirmation | None:
        """Return the confirmation of a front; None where the file has none of its points."""
        digests = {p.snapshot_id: p.digest for p in front.points}
        left_out = tuple(
            name
            for name, digest in digests.items()
            if name not in self.scores or self.scores[name].digest != digest
        )
        if self.facts is None or len(left_out) == len(digests):
            return None
        return Confirmation(self.facts, dict(self.scores), left_out)


def key_of(depends_on: Mapping[str, object]) -> str:
    """Return the file name for scores that depend on these inputs."""
    return digest_of(depends_on)[:32]


def confirmation_of(root: Folder, front: FrontView) -> Confirmation | None:
    """Return the confirmation with most points of a front, the latest of equals; None for none.

    Raises:
        DamagedError: If a file is damaged.
        StorageError: If storage refuses.
    """
    keys = [n.removeprefix(f"{FOLDER}/").removesuffix(".arrow") for n in root.names(FOLDER)]
    known = [ConfirmationFile(root, key).of_front(front) for key in keys]
    found = [each for each in known if each is not None]
    return max(found, key=lambda c: (-len(c.left_out), c.facts.time_s), default=None)
