"""Every error that ParetoFlow raises on purpose.

    ParetoflowError                what, where, hint
    ├── UserError                  the user can mend it: exit status 2, no traceback
    │   ├── SpecError              one or many faults in a sweep YAML (ValueError)
    │   ├── DataError              prompts, files, columns (ValueError)
    │   ├── ModelError             a base or an adapter that cannot be loaded (ValueError)
    │   │   └── AdapterError       an adapter that is lost, or not the one that was evaluated
    │   ├── ChangedInputsError     what scores depend on is not what it was (ValueError)
    │   ├── PluginError            a name no table knows (LookupError)
    │   ├── SweepNotFoundError     no sweep at a folder or URI (FileNotFoundError)
    │   ├── SnapshotNotFoundError  no such front snapshot in a sweep (LookupError)
    │   ├── StorageError           a place that a sweep cannot live in or be read from (OSError)
    │   ├── ClusterError           a Ray cluster out of reach, closed or too small (RuntimeError)
    │   ├── ExportError            an export that is damaged or was tampered with (ValueError)
    │   └── MissingExtraError      an optional dependency that is not installed (ImportError)
    ├── ShapeError                 an array of the wrong shape (ValueError)
    ├── NonFiniteError             nan or inf where a number is needed (ValueError)
    ├── ObjectiveError             a scorer raised or returned nonsense (RuntimeError)
    ├── MethodError                training failed (RuntimeError)
    │   └── NonFiniteLossError     training blew up, and would again
    ├── RunInterrupted             training stopped where it can go on, as it was asked to
    ├── LedgerError                the ledger cannot be read or written (RuntimeError)
    │   ├── DamagedError           a file of the sweep is not what was written
    │   ├── FencedError            a newer driver owns the sweep
    │   └── SchemaVersionError     written by a newer version of ParetoFlow
    └── WorkerError                a worker died or went silent (RuntimeError)

Each leaf also inherits a standard error and survives pickling: errors cross process borders.
Each class has a `code` that stays the same when messages are reworded, and a single error may have
a finer one: `codes` lists them all.
"""

from __future__ import annotations

from pathlib import Path

from paretoflow.core.cost import Cost
from paretoflow.core.shown import without_secrets


class ParetoflowError(Exception):
    """An error in three parts, with a code; passwords and keys in them are left out.

    Args:
        what: What was wrong: what was got and what is allowed.
        where: File, line, table or run it was found in; empty when there is none.
        hint: What to do about it; empty when nothing can be said.
        code: Which fault it is, one of `core.codes`; by default the code of the class.
    """

    code: str = "error"

    def __init__(
        self, what: str, where: str = "", hint: str = "", *, code: str | None = None
    ) -> None:
        # an error is printed, logged, kept in the ledger and sent to trackers
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
    """A fault that the user can mend: the command line prints no traceback and exits with 2."""

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
    """An adapter that is gone, or is not the one that was evaluated; trying again mends nothing."""

    code = "adapter"


class ChangedInputsError(UserError, ValueError):
    """Data, a model, a scorer or a setting that changed since the objectives were frozen."""

    code = "changed-inputs"


class PluginError(UserError, LookupError):
    """A plug-in name that no table knows."""

    code = "plugin"


class SweepNotFoundError(UserError, FileNotFoundError):
    """No sweep lives at the given folder or URI."""

    code = "sweep-not-found"


class SnapshotNotFoundError(UserError, LookupError):
    """A front snapshot that the sweep does not have."""

    code = "snapshot-not-found"


class StorageError(UserError, OSError):
    """A place that a sweep cannot live in or be read from.

    No such bucket, no permission, no put-if-absent, or no answer for a long time.
    """

    code = "storage"


class ClusterError(UserError, RuntimeError):
    """A Ray cluster that cannot be reached, does not let one in, or is too small."""

    code = "cluster"


class ExportError(UserError, ValueError):
    """An export that is damaged, incomplete, or was tampered with."""

    code = "export"


class MissingExtraError(UserError, ImportError):
    """An optional dependency that the command needs is not installed."""

    code = "missing-extra"

    @classmethod
    def of(cls, what: str, library: str, extra: str) -> MissingExtraError:
        """Return the error that names what needs a library, and the extra that brings it."""
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
    """Training whose loss, gradient, adapter or logits stopped being finite; it would again."""

    code = "training-not-finite"


class RunInterrupted(ParetoflowError, RuntimeError):  # noqa: N818  # no error: it was asked for
    """Training that stopped between two steps because it was asked to, with its state saved.

    Args:
        state: Folder of the saved trainer state, for `AttemptContext.resume_from`.
        step: Optimiser steps done.
        cost: Spent since the last checkpoint that was reported.
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
    """A file of a sweep that is not what was written: cut short, changed, swapped or gone."""

    code = "damaged"


class FencedError(LedgerError):
    """A newer driver has taken over the sweep; this one must stop."""

    code = "fenced"


class SchemaVersionError(LedgerError):
    """A table written by a newer version of ParetoFlow."""

    code = "schema-version"


class WorkerError(ParetoflowError, RuntimeError):
    """A worker group, or a rank of it, that died, went silent or ran past its limit."""

    code = "worker"


class RenamedKeyWarning(FutureWarning):
    """A key of a sweep's YAML has another name now; the old one will be refused one day."""
