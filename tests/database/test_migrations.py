"""The tables come and go by migrations: complete, one process at a time, without waiting long for a lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, inspect, select, text
from sqlalchemy.pool import NullPool
from testkit.rows import (
    change_row,
    execution_row,
    function_row,
    instance_row,
    job_row,
    log_tail_row,
    numbered,
    quarantine_row,
    slot_row,
)

from sundial_api.db import migrations, mirror_tables, tables
from sundial_api.db.columns import VERSION_TABLE, Base
from sundial_api.db.command import main
from sundial_api.db.engine import build_migration_engine, parse_url
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until

ROWS: list[tuple[type[Base], dict[str, Any]]] = [
    (tables.TaskFunctionRow, function_row()),
    (tables.ScheduledJobRow, job_row()),
    (tables.ScheduledJobExecution, execution_row()),
    (tables.ScheduledJobSlot, slot_row()),
    (tables.SchedulerInstance, instance_row()),
    (mirror_tables.QuarantinedObject, quarantine_row()),
    (mirror_tables.ScheduledJobChange, change_row()),
    (mirror_tables.ExecutionLogTail, log_tail_row()),
    (mirror_tables.ScheduledJobState, {"job_id": numbered(1), "state": {}}),
    (mirror_tables.TaskFunctionId, {"id": 2, "namespace": "default", "resource_name": "function-2"}),
]
HEAD = migrations.newest_revision()
WAITERS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()"
)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def migrate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command on a database; it returns the exit status and what was said."""

    def run(url: str, *arguments: str, **settings: str) -> tuple[int, str]:
        for name, value in {"database_url": url, **settings}.items():
            monkeypatch.setenv(f"SUNDIAL_API_{name.upper()}", value)
        try:
            main(arguments)
        except SystemExit as end:
            return 1, str(end.code)
        return 0, capsys.readouterr().out

    return run


def connect(url: str) -> Engine:
    return create_engine(parse_url(url), poolclass=NullPool)


@pytest.fixture
def engine(empty_database: str) -> Engine:
    """Give the engine that migrations use, on an empty database, with short waits."""
    settings = DatabaseSettings(database_url=empty_database, migration_lock_seconds=0.3)
    return build_migration_engine(settings)


def names(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(migrations.build_config()).get_heads()) == 1


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)
    assert names(engine) == {*Base.metadata.tables, VERSION_TABLE}


def test_up_and_down_and_up_again_with_data_in_every_table(engine: Engine) -> None:
    migrations.upgrade(engine, "head", 10)
    with engine.begin() as connection:
        for table, row in ROWS:
            connection.execute(insert(table).values(row))
    migrations.downgrade(engine, "base", 10)
    assert names(engine) == {VERSION_TABLE}
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)


def test_going_down_leaves_no_function_behind(engine: Engine) -> None:
    migrations.upgrade(engine, "head", 10)
    migrations.downgrade(engine, "base", 10)
    with engine.connect() as connection:
        assert not list(connection.scalars(text("SELECT proname FROM pg_proc WHERE proname ~ '^scheduler_'")))


def test_upgrading_by_several_processes_at_once_is_harmless(empty_database: str) -> None:
    command = [sys.executable, "-m", "sundial_api.db", "upgrade"]
    environment = os.environ | {"SUNDIAL_API_DATABASE_URL": empty_database}
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [(process.communicate(timeout=60)[0], process.returncode) for process in started]
    assert answers == [(f"at {HEAD}, this release needs {HEAD}\n".encode(), 0)] * 3


def test_a_table_that_is_held_fails_a_migration_soon_and_whole(
    engine: Engine, empty_database: str, migrate: Command
) -> None:
    migrations.upgrade(engine, "0002", 10)
    with connect(empty_database).begin() as holder:
        holder.execute(text("LOCK TABLE scheduled_job_executions IN ACCESS SHARE MODE"))
        end = migrate(empty_database, "downgrade", "base", migration_lock_seconds="0.3")
    said = "another session holds the table; that migration changed nothing, so try again"
    assert end == (1, f"sundial-database: canceling statement due to lock timeout: {said}")
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)


def test_a_turn_that_does_not_come_is_given_up(engine: Engine, empty_database: str, migrate: Command) -> None:
    with migrations.take_turn(engine, 10):
        end = migrate(empty_database, "upgrade", migration_turn_seconds="0.3")
    assert end == (1, "sundial-database: another process has been migrating for 0.3 s")


def test_who_waits_for_a_turn_does_not_hold_up_an_index_that_is_built_meanwhile(engine: Engine) -> None:
    migrations.upgrade(engine, "head", 10)
    waiting = threading.Thread(target=migrations.upgrade, args=(engine, "head", 10))
    with migrations.take_turn(engine, 10), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        waiting.start()
        until(lambda: connection.scalar(WAITERS) == 2)
        connection.execute(text("CREATE INDEX CONCURRENTLY ix_test ON scheduler_slots (count)"))
    waiting.join(10)
    assert not waiting.is_alive()


def test_the_waits_of_a_migration_are_limited(engine: Engine) -> None:
    with engine.connect() as connection:
        shown = [connection.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout")]
    assert shown == ["300ms", "10min"]


def test_the_tables_of_another_application_are_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id uuid)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
    migrations.upgrade(engine, "head", 10)
    migrations.check(engine)
    migrations.downgrade(engine, "base", 10)
    assert names(engine) == {"users", "alembic_version", VERSION_TABLE}


def test_check_tells_a_missing_column(engine: Engine, empty_database: str, migrate: Command) -> None:
    migrations.upgrade(engine, "head", 10)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE scheduled_jobs DROP COLUMN time_zone"))
    status, said = migrate(empty_database, "check")
    assert status == 1
    assert "time_zone" in said


def test_current_tells_where_the_database_is(empty_database: str, migrate: Command) -> None:
    assert migrate(empty_database, "current") == (0, f"at no migration, this release needs {HEAD}\n")
    code, said = migrate(empty_database, "check")
    assert (code, said.strip().endswith("; run `sundial-database upgrade`")) == (1, True)


def test_the_tables_of_a_newer_release_are_left_as_they_are(
    engine: Engine, empty_database: str, migrate: Command
) -> None:
    """A release that was rolled back begins, as it does before each rolling update."""
    migrations.upgrade(engine, "head", 10)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    newer = f"at 9999, of a newer release than this one, which needs {HEAD}"
    assert migrate(empty_database, "upgrade") == (0, f"{newer}: nothing to do\n")
    assert migrate(empty_database, "current") == (0, f"{newer}: nothing to do\n")
    status, said = migrate(empty_database, "check")
    assert (status, newer in said) == (1, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("postgresql://zoe1:s3cret@/x?host=/nowhere", "cannot be reached", id="nobody-there"),
        pytest.param("mysql://zoe1:s3cret@db/x", "must begin with postgresql://", id="another-database"),
        pytest.param("zoe1:s3cret@db/x", "is not a URL", id="no-url"),
        pytest.param("postgresql://zoe1:s3cret@db:port/x", "is not a URL", id="no-port"),
    ],
)
def test_what_is_wrong_is_said_without_the_url(url: str, said: str, migrate: Command) -> None:
    status, words = migrate(url, "upgrade")
    assert status == 1
    assert said in words
    assert not any(part in words for part in ("s3cret", "zoe1", "nowhere", "@db", "@/x"))


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUNDIAL_API_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match="SUNDIAL_API_DATABASE_URL: is needed: postgresql"):
        main(["current"])


def test_a_missing_database_is_told_from_a_missing_server(empty_database: str, migrate: Command) -> None:
    status, words = migrate(empty_database.replace("/test_", "/other_"), "upgrade")
    assert status == 1
    assert "does not exist" in words


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        pytest.param(tables.SchedulerJobType.name, ["interval", "cron", "once"], id="job-types"),
        pytest.param(tables.TaskFunctionRow.name, ["inline"], id="inline-function"),
        pytest.param(mirror_tables.TaskFunctionId.resource_name, ["inline"], id="inline-id"),
        pytest.param(mirror_tables.MirrorState.epoch, [1], id="mirror-state"),
    ],
)
def test_the_seeds_are_there(fresh_database: str, column: Any, rows: list[Any]) -> None:
    with connect(fresh_database).connect() as connection:
        assert list(connection.scalars(select(column).order_by(column.class_.id))) == rows
