"""The folders of a run's adapters and trainer states, in the sweep's folder or copied to it.

Training needs a folder on this machine. Where the sweep is in an object store, that is a temporary
folder, and files that must last are uploaded before they are reported.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from paretoflow.core.errors import LedgerError
from paretoflow.core.ids import digest_of
from paretoflow.core.launch import AdapterRef
from paretoflow.core.protocols import Parallel
from paretoflow.core.retry import OUTAGE_S, Patience, patiently
from paretoflow.lm.start_files import START, copy_start
from paretoflow.methods.training.states import MANIFEST, discard_states, discard_torn, latest_state
from paretoflow.storage import Folder
from paretoflow.storage.adapters import checked_adapter
from paretoflow.storage.private import scratch_folder

ADAPTERS = "adapters"
RESTORE = "restore the folder from a copy; until then what starts from it fails"


class RunFiles:
    """The folders of a sweep's runs, for one worker.

    Args:
        folder: The sweep's folder.

    Attributes:
        root: The sweep's folder on this machine: the folder itself, or its temporary copy.
    """

    def __init__(self, folder: Folder, parallel: Parallel) -> None:
        self._folder = folder
        self._parallel = parallel
        self.root = folder.local or _scratch(folder.uri)

    def attempt(self, run_id: str, attempt: int) -> Path:
        """Return the folder of an attempt; it exists from here on."""
        path = self.root / ADAPTERS / run_id / f"a{attempt}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def adapter(self, one: AdapterRef) -> Path:
        """Return the folder of an adapter of the sweep on this machine.

        Raises:
            AdapterError: If the adapter is gone, or has another digest.
        """
        return checked_adapter(self._folder, one.path, one.digest, self._own(one.path), RESTORE)

    def saved_state(self, run_id: str, attempt: int) -> Path | None:
        """Return the newest complete trainer state of a run's earlier attempts; None for none."""
        earlier = [self.root / ADAPTERS / run_id / f"a{i}" for i in range(attempt)]
        if self._folder.local is None:
            earlier = [self._own(name) for name in self._fetch_states(run_id, attempt)]
        return latest_state(earlier, self._parallel)

    def _fetch_states(self, run_id: str, attempt: int) -> list[str]:
        """Copy the states from the object store; return the names of their attempts."""
        found = self._states(run_id)
        states = [state for state in found if _attempt_of(state.parent) < attempt]
        for state in states:
            self._folder.fetch(str(state), self._own(str(state)))
        return [str(a) for a in sorted({state.parent for state in states}, key=_attempt_of)]

    def keep(self, path: Path) -> None:
        """Upload a folder of a run; do nothing where it is in the sweep's folder already."""
        if self._folder.local is None:
            self._folder.send(path, self.name(path))

    def keep_start(self, adapter: str | None) -> None:
        """Copy the adapter that the base starts from into the sweep's folder, for its exports."""
        if adapter is not None:
            with tempfile.TemporaryDirectory() as place:
                copy_start(Path(adapter), Path(place) / START, None)
                self._folder.send(Path(place) / START, START)

    def patiently(self, write: Callable[[], object]) -> None:
        """Write to storage, again and again while it refuses, for at most `OUTAGE_S`.

        A full disk may be cleared meanwhile. The client of an object store has its own patience.

        Raises:
            LedgerError: What storage refused with at last.
            OSError: Likewise.
        """
        for_s = OUTAGE_S if self._folder.local else 0.0
        patiently(write, Patience((LedgerError, OSError), for_s=for_s))

    def name(self, path: Path) -> str:
        """Return the name of a run's folder in the sweep's."""
        return path.relative_to(self.root).as_posix()

    def finish(self, run_id: str) -> None:
        """Remove the leftovers of a finished run: trainer states, and local copies."""
        for attempt in (self.root / ADAPTERS / run_id).glob("a*"):
            discard_states(attempt)
        if self._folder.local is None:
            for state in self._states(run_id):
                self._folder.delete(str(state))
            shutil.rmtree(self.root / ADAPTERS / run_id, ignore_errors=True)

    def clear(self, run_id: str, attempt: int) -> None:
        """Remove the incomplete states of an attempt, to free space."""
        discard_torn(self.root / ADAPTERS / run_id / f"a{attempt}")

    def _states(self, run_id: str) -> list[PurePosixPath]:
        names = map(PurePosixPath, self._folder.names(f"{ADAPTERS}/{run_id}"))
        return [name.parent for name in names if name.name == MANIFEST]

    def _own(self, name: str) -> Path:
        """Return a path for a copy that no other worker of this machine writes to."""
        return self.root / f"rank{self._parallel.rank}" / name


def _attempt_of(folder: PurePosixPath) -> int:
    return int(folder.name.removeprefix("a"))


def _scratch(uri: str) -> Path:
    return scratch_folder() / digest_of(uri)[:16]
