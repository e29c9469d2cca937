from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from paretoflow.ledger import fenced_table, open_ledger
from paretoflow.ledger.migrations import MIGRATIONS, Migration, pending_migrations
from paretoflow.ledger.tables import SCHEMA_VERSION
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated

STEPS = tuple(Migration(f"to {version}", version, lambda _: None) for version in (2, 3))


def test_the_steps_lead_to_the_current_version_one_by_one() -> None:
    assert [m.version for m in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))
    assert pending_migrations(SCHEMA_VERSION, "here") == ()


@pytest.mark.parametrize(("found", "names"), [(1, ["to 2", "to 3"]), (2, ["to 3"]), (3, [])])
def test_only_the_steps_above_the_found_version_are_pending(found: int, names: list[str]) -> None:
    assert [m.name for m in pending_migrations(found, "here", STEPS, 3)] == names


def test_newer_and_too_old_versions_are_refused() -> None:
    with raises("schema-version", "version 4", "3"):
        pending_migrations(4, "here", STEPS, 3)
    with raises("ledger", "3", "migration"):
        pending_migrations(0, "here", STEPS, 3)


def test_a_writer_migrates_and_records_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = open_ledger(tmp_path, writer=True, create=True).append([evaluated(0)])
    seen: list[str] = []
    step = Migration("to 2", 2, lambda table: seen.append(Path(table.table_uri).name))
    monkeypatch.setattr(
        fenced_table,
        "pending_migrations",
        lambda found, where: pending_migrations(found, where, (step,), 2),
    )
    assert open_ledger(tmp_path, writer=False).events() == added
    assert seen == []
    ledger = open_ledger(tmp_path, writer=True)
    assert ledger.events() == added
    assert len(ledger.append([evaluated(1)])) == 1
    open_ledger(tmp_path, writer=True)
    assert seen == ["events", "fronts"]
    configuration = DeltaTable(tmp_path / "ledger" / "events").metadata().configuration
    assert configuration[fenced_table.VERSION_KEY] == "2"
