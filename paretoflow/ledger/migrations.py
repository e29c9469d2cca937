"""Migrations of the tables: supported versions, and the steps from an older version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paretoflow.core.errors import LedgerError, SchemaVersionError
from paretoflow.ledger.tables import SCHEMA_VERSION


@dataclass(frozen=True)
class Migration:
    """One migration step.

    Args:
        version: Version of the tables after the step.
        apply: Changes one `deltalake.DeltaTable` in place; it must be safe to run twice.
    """

    name: str
    version: int
    apply: Callable[[Any], None]


MIGRATIONS: tuple[Migration, ...] = ()
"""All steps, oldest first; versions count up by one. Empty while there is only one version."""


def pending_migrations(
    found: int,
    where: str,
    migrations: tuple[Migration, ...] = MIGRATIONS,
    current: int = SCHEMA_VERSION,
) -> tuple[Migration, ...]:
    """Return the steps from the version of a table to the current one.

    Raises:
        SchemaVersionError: If a newer ParetoFlow wrote the table.
        LedgerError: If the version is too old for any step.
    """
    if found > current:
        raise SchemaVersionError(
            f"written with schema version {found}; this ParetoFlow reads up to {current}",
            where,
            "upgrade paretoflow to the version that wrote it, or a later one",
        )
    steps = tuple(m for m in migrations if m.version > found)
    if [m.version for m in steps] != list(range(found + 1, current + 1)):
        raise LedgerError(
            f"schema version {found} is too old: no migration leads from it to {current}",
            where,
            "open it with an older ParetoFlow",
        )
    return steps
