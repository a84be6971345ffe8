"""A database of each state comes to this release, while rows are written, by migrations that keep rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, insert, text
from sqlalchemy.pool import NullPool
from testkit.rows import execution_row, job_row, numbered, running_row

from sundial_api.db import migrations
from sundial_api.db.columns import VERSION_TABLE
from sundial_api.db.engine import build_migration_engine, parse_url
from sundial_api.db.tables import ScheduledJobExecution
from sundial_api.mirror.storage.apply import WRITE_LOCK
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until

REVISIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory.from_config(migrations.build_config()).walk_revisions()))
]
TABLE = "scheduled_job_executions"
FIRST_0002 = """
CREATE SEQUENCE scheduler_changes;
CREATE FUNCTION scheduler_number_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.change := nextval('scheduler_changes');
    RETURN NEW;
END $$;
ALTER TABLE scheduled_jobs ADD COLUMN change bigint;
CREATE INDEX ix_scheduled_jobs_change ON scheduled_jobs (change);
CREATE TRIGGER scheduler_number_change BEFORE INSERT OR UPDATE ON scheduled_jobs
    FOR EACH ROW EXECUTE FUNCTION scheduler_number_change();
ALTER TABLE scheduled_job_executions ADD COLUMN change bigint;
CREATE INDEX ix_scheduled_job_executions_change ON scheduled_job_executions (change);
CREATE TRIGGER scheduler_number_change BEFORE INSERT OR UPDATE ON scheduled_job_executions
    FOR EACH ROW EXECUTE FUNCTION scheduler_number_change();
"""
"""What 0002 was before its index of the big table became 0002b."""
TOTALS = text(
    "SELECT namespace, status, count FROM scheduler_execution_counts WHERE count <> 0 ORDER BY 1, 2"
)
EXPECTED = [("default", "success", 2), ("reports", "running", 1)]


@pytest.fixture
def engine(empty_database: str) -> Engine:
    """Give the engine that migrations use, on an empty database."""
    return build_migration_engine(DatabaseSettings(database_url=empty_database))


def bring_to(engine: Engine, state: str) -> None:
    """Bring an empty database to a state: a migration, or one that an earlier release left."""
    revision, _, is_first_form = state.partition(" of before")
    if not is_first_form:
        migrations.upgrade(engine, revision, 10)
        return
    migrations.upgrade(engine, "0001", 10)
    with engine.begin() as connection:
        connection.execute(text(FIRST_0002))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0002'"))
    if revision != "0002":
        skip_0002b(engine)
        migrations.upgrade(engine, revision, 10)


def skip_0002b(engine: Engine) -> None:
    """Stand where a release without 0002b went on from."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0002b'"))


def write_rows(connection: Connection) -> None:
    """Write a job and three runs of two namespaces, in columns that there always were."""
    job = job_row(1) | {"schedule_config": "{}"}
    values = ", ".join(f":{name}" for name in job)
    connection.execute(text(f"INSERT INTO scheduled_jobs ({', '.join(job)}) VALUES ({values})"), job)
    other = running_row(3, job_id=numbered(2), namespace="reports")
    for row in (execution_row(1), execution_row(2), other):
        connection.execute(insert(ScheduledJobExecution).values(row))


@pytest.mark.parametrize(
    "state", ["0001", "0002", "0002 of before", "0003", "0004 of before", "0006", "0007"]
)
def test_a_database_of_each_state_comes_to_this_release(engine: Engine, state: str) -> None:
    bring_to(engine, state)
    with engine.begin() as connection:
        write_rows(connection)
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(TOTALS)] == EXPECTED
        assert connection.scalar(text(f"SELECT count(*) FROM {TABLE}")) == 3
        assert connection.scalar(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")) == 0


@pytest.mark.parametrize(
    ("before", "index"),
    [
        pytest.param("0002", "change", id="of changes"),
        pytest.param("0004", "namespace", id="of namespaces"),
        pytest.param("0005", "namespace_status", id="of namespaces and states"),
    ],
)
def test_an_index_that_a_broken_off_migration_left_is_made_anew(
    engine: Engine, before: str, index: str
) -> None:
    migrations.upgrade(engine, before, 10)
    name = f"ix_{TABLE}_{index}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE INDEX {name} ON {TABLE} (reason)"))
        spoil = f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"
        connection.execute(text(spoil))
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")) == 0
        shown = f"SELECT indexdef FROM pg_indexes WHERE indexname = '{name}'"
        assert "reason" not in str(connection.scalar(text(shown)))


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_a_migration_makes_an_index_of_the_big_table_concurrently_and_alone(
    engine: Engine, revision: str
) -> None:
    migrations.upgrade(engine, REVISIONS[REVISIONS.index(revision) - 1], 10)
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    migrations.upgrade(engine, revision, 10)
    changes = [one for one in sent if re.search(r"\b(CREATE|ALTER|DROP|UPDATE|DELETE|LOCK)\b", one)]
    changes = [one for one in changes if VERSION_TABLE not in one]
    big = [one for one in changes if re.search(rf"CREATE (UNIQUE )?INDEX[^;]* ON {TABLE}\b", one)]
    assert all("CONCURRENTLY" in one for one in big)
    if big:
        assert [one for one in changes if one not in big and "DROP INDEX" not in one] == []


WRITE = text(
    "INSERT INTO scheduled_job_executions (id, job_id, namespace, status, phase, started_at, triggered_by)"
    " VALUES (gen_random_uuid(), :job, :namespace, 'running', 'Running', now(), 'scheduler')"
)
END = text(
    "UPDATE scheduled_job_executions SET status = 'success' WHERE job_id = :job AND status = 'running'"
)


class Writer(Thread):
    """Writes runs as the release before does, in its turns, until it is told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.is_over, self.rounds, self.error = Event(), 0, ""
        self._engine = create_engine(
            parse_url(url), poolclass=NullPool, connect_args={"options": "-c lock_timeout=5s"}
        )

    def run(self) -> None:
        try:
            with self._engine.connect() as connection:
                while not self.is_over.is_set():
                    self._write(connection, self.rounds)
                    self.rounds += 1
        except Exception as error:  # noqa: BLE001 - whatever it was, the test tells it
            self.error = str(error)

    def _write(self, connection: Connection, number: int) -> None:
        job = {"job": numbered(number % 50)}
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            connection.execute(WRITE, job | {"namespace": f"team-{number % 5}"})
            connection.execute(END, job)


@pytest.fixture
def writer(empty_database: str, engine: Engine) -> Iterator[Writer]:
    """Give a writer on a database of the release before, which has begun."""
    migrations.upgrade(engine, "0004", 10)
    writer = Writer(empty_database)
    writer.start()
    yield writer
    writer.is_over.set()
    writer.join(10)


def test_totals_are_exact_when_the_release_before_writes_on(engine: Engine, writer: Writer) -> None:
    migrations.upgrade(engine, "head", 10)
    written = writer.rounds
    until(lambda: writer.rounds > written + 20 or bool(writer.error))
    writer.is_over.set()
    writer.join(10)
    assert writer.error == ""
    with engine.connect() as connection:
        counted = connection.execute(text(f"SELECT namespace, status, count(*) FROM {TABLE} GROUP BY 1, 2"))
        kept = connection.execute(
            text("SELECT namespace, status, sum(count) FROM scheduler_execution_counts GROUP BY 1, 2")
        )
        assert {tuple(row) for row in kept if row[2]} == {tuple(row) for row in counted}
