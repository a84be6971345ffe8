"""What the mirror has committed survives a crash of the database, whatever its settings promise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from testkit.mirror_comparison import Rows
from testkit.mirror_facts import build_schedule_item
from testkit.scheduled_jobs import UID

from sundial_api.db import migrations
from sundial_api.db.engine import build_engine, build_migration_engine, parse_url
from sundial_api.mirror.advisory_lock import hold_leadership
from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.postgres import Postgres, own_postgres

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATE_WRITES = (
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "SELECT pg_reload_conf()",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """Give a migrated server that writes what was committed to its log some seconds later."""
    with own_postgres(tmp_path) as own:
        migrations.upgrade(build_migration_engine(DatabaseSettings(database_url=own.url())), "head", 60)
        engine = create_engine(parse_url(own.url()), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            for statement in LATE_WRITES:
                connection.execute(text(statement))
        yield own


async def test_a_row_that_was_committed_survives_a_crash(server: Postgres) -> None:
    engine = build_engine(DatabaseSettings(database_url=server.url()))
    async with hold_leadership(engine) as connection:
        async with connection.begin():
            schedule = parse_object(ObjectKind.SCHEDULED_JOB, build_schedule_item(), 1)
            await apply.apply_batch(connection, sort_values([schedule]), NOW)
        server.stop("immediate")
    await engine.dispose()
    server.start()
    assert Rows(server.url()).read("SELECT CAST(id AS text) FROM scheduled_jobs") == [UID]
