"""The errors that ParetoFlow raises on purpose.

    ParetoflowError                what, where, hint
    ├── UserError                  the user can fix it: exit status 2, no traceback
    │   ├── SpecError              one or many faults in a sweep YAML (ValueError)
    │   ├── DataError              prompts, files, columns (ValueError)
    │   ├── ModelError             a base or an adapter that cannot be loaded (ValueError)
    │   │   └── AdapterError       an adapter that is lost, or not the one that was evaluated
    │   ├── ChangedInputsError     inputs that scores depend on have changed (ValueError)
    │   ├── PluginError            an unknown plug-in name (LookupError)
    │   ├── SweepNotFoundError     no sweep at a folder or URI (FileNotFoundError)
    │   ├── SnapshotNotFoundError  no such front snapshot in a sweep (LookupError)
    │   ├── StorageError           a place where no sweep can be stored or read (OSError)
    │   ├── ClusterError           a Ray cluster out of reach, closed or too small (RuntimeError)
    │   ├── ExportError            an export that is damaged or was tampered with (ValueError)
    │   └── MissingExtraError      an optional dependency that is not installed (ImportError)
    ├── ShapeError                 an array of the wrong shape (ValueError)
    ├── NonFiniteError             nan or inf where a number is needed (ValueError)
    ├── ObjectiveError             a scorer raised, or returned a wrong value (RuntimeError)
    ├── MethodError                training failed (RuntimeError)
    │   └── NonFiniteLossError     training diverged; a retry would diverge again
    ├── RunInterrupted             training stopped on request where it can be resumed
    ├── LedgerError                the ledger cannot be read or written (RuntimeError)
    │   ├── DamagedError           a file of the sweep is not what was written
    │   ├── FencedError            a newer driver owns the sweep
    │   └── SchemaVersionError     written by a newer version of ParetoFlow
    └── WorkerError                a worker died or went silent (RuntimeError)

Each leaf also inherits a standard error and can be pickled, because errors cross process borders.
Each class has a `code` that stays the same when messages are reworded. A single error may have a
finer code. `codes` lists all codes.
"""

from __future__ import annotations

from pathlib import Path

from paretoflow.core.cost import Cost
from paretoflow.core.shown import without_secrets


class ParetoflowError(Exception):
    """An error in three parts, with a code; passwords and keys are removed from all parts.

    Args:
        what: The fault: the value that was given and the values that are allowed.
        where: File, line, table or run of the fault; empty when there is none.
        hint: Advice to the user; empty when there is none.
        code: Code of the fault, one of `core.codes`; by default the code of the class.
    """

    code: str = "error"

    def __init__(
        self, what: str, where: str = "", hint: str = "", *, code: str | None = None
    ) -> None:
        # no secrets: an error is printed, logged, kept in the ledger and sent to trackers
        what, where, hint = without_secrets(what), without_secrets(where), without_secrets(hint)
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Return `where: what (hint)` on one line."""
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class UserError(ParetoflowError):
    """A fault that the user can fix: the command line prints no traceback and exits with 2."""

    code = "usage"


class SpecError(UserError, ValueError):
    """A sweep YAML with one or many faults; `faults` holds each as a `SpecError` of its own."""

    code = "spec"

    def __init__(
        self,
        what: str,
        where: str = "",
        hint: str = "",
        faults: tuple[SpecError, ...] = (),
        *,
        code: str | None = None,
    ) -> None:
        super().__init__(what, where, hint, code=code)
        self.args = (*self.args, faults)
        self.faults = faults or (self,)


class DataError(UserError, ValueError):
    """Prompts that cannot be read or do not have the columns that the spec names."""

    code = "data"


class ModelError(UserError, ValueError):
    """A base model, tokenizer or adapter that cannot be loaded."""

    code = "model"


class AdapterError(ModelError):
    """An adapter that is gone, or is not the one that was evaluated; a retry does not help."""

    code = "adapter"


class ChangedInputsError(UserError, ValueError):
    """Data, a model, a scorer or a setting that changed since the objectives were frozen."""

    code = "changed-inputs"


class PluginError(UserError, LookupError):
    """An unknown plug-in name."""

    code = "plugin"


class SweepNotFoundError(UserError, FileNotFoundError):
    """A folder or URI without a sweep."""

    code = "sweep-not-found"


class SnapshotNotFoundError(UserError, LookupError):
    """A front snapshot that the sweep does not have."""

    code = "snapshot-not-found"


class StorageError(UserError, OSError):
    """A place where a sweep cannot be stored or read.

    The bucket does not exist, permission is missing, the store has no put-if-absent, or it does not
    answer for a long time.
    """

    code = "storage"


class ClusterError(UserError, RuntimeError):
    """A Ray cluster that cannot be reached, refuses access, or is too small."""

    code = "cluster"


class ExportError(UserError, ValueError):
    """An export that is damaged, incomplete, or was tampered with."""

    code = "export"


class MissingExtraError(UserError, ImportError):
    """An optional dependency that the command needs is not installed."""

    code = "missing-extra"

    @classmethod
    def of(cls, what: str, library: str, extra: str) -> MissingExtraError:
        """Return the error for a feature, the library it needs, and the extra that installs it."""
        told = f"{what} needs {library}, which is not installed"
        return cls(told, hint=f"pip install 'paretoflow[{extra}]'")


class ShapeError(ParetoflowError, ValueError):
    """An array of the wrong shape."""

    code = "shape"


class NonFiniteError(ParetoflowError, ValueError):
    """A nan or an infinity where a finite number is needed."""

    code = "non-finite"


class ObjectiveError(ParetoflowError, RuntimeError):
    """A scorer that raised, or returned the wrong length or a non-finite value.

    The message names the objective.
    """

    code = "objective"


class MethodError(ParetoflowError, RuntimeError):
    """Training that failed."""

    code = "training"


class NonFiniteLossError(MethodError):
    """Training whose loss, gradient, adapter or logits became non-finite; a retry cannot help."""

    code = "training-not-finite"


class RunInterrupted(ParetoflowError, RuntimeError):  # noqa: N818  # no error: a requested stop
    """Training that stopped on request between two steps, with its state saved.

    Args:
        state: Folder of the saved trainer state, for `AttemptContext.resume_from`.
        step: Optimiser steps done.
        cost: Cost since the last checkpoint that was reported.
    """

    code = "interrupted"

    def __init__(
        self,
        what: str,
        where: str = "",
        hint: str = "",
        state: Path | None = None,
        step: int = 0,
        cost: Cost | None = None,
    ) -> None:
        super().__init__(what, where, hint)
        self.args = (*self.args, state, step, cost)
        self.state = state
        self.step = step
        self.cost = cost


class LedgerError(ParetoflowError, RuntimeError):
    """A ledger that cannot be read or written."""

    code = "ledger"


class DamagedError(LedgerError):
    """A file of a sweep that differs from what was written: truncated, changed, swapped or gone."""

    code = "damaged"


class FencedError(LedgerError):
    """A newer driver has taken over the sweep; this one must stop."""

    code = "fenced"


class SchemaVersionError(LedgerError):
    """A table written by a newer version of ParetoFlow."""

    code = "schema-version"


class WorkerError(ParetoflowError, RuntimeError):
    """A worker group, or one of its workers, that died, went silent or exceeded its time limit."""

    code = "worker"


class RenamedKeyWarning(FutureWarning):
    """A key of a sweep's YAML that was renamed; a later version will refuse the old name."""
