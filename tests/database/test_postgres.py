"""The database of the tests is a real one, new enough, and the packaged one works where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from sundial_api.db import migrations
from sundial_api.db.engine import build_migration_engine, parse_url
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import (
    RECORD,
    USERS,
    Postgres,
    clear_up,
    get_packaged_programs,
    make_postgres,
    share_postgres,
)


def test_the_server_is_new_enough(connection: Connection) -> None:
    assert connection.scalar(text("SELECT current_setting('server_version_num')::int")) >= 150000


@pytest.mark.parametrize("turn", ["written", "gone when written again"])
def test_what_a_test_writes_is_gone_after_it(connection: Connection, turn: str) -> None:
    change = "UPDATE scheduler_mirror_state SET epoch = epoch + 1 RETURNING epoch"
    assert connection.scalar(text(change)) == 2


def test_the_packaged_server_survives_a_crash_and_takes_the_migrations() -> None:
    server = make_postgres(get_packaged_programs())
    try:
        server.create()
        server.start()
        server.stop("immediate")
        server.start()
        assert _ask_version(server) >= 180000
        engine = build_migration_engine(DatabaseSettings(database_url=server.url()))
        migrations.upgrade(engine, "head", 10)
        migrations.check(engine)
        server.stop()
    finally:
        shutil.rmtree(server.folder)


def test_a_second_user_gets_the_same_server_and_the_last_one_ends_it(tmp_path: Path) -> None:
    with share_postgres(tmp_path) as first:
        with share_postgres(tmp_path) as second:
            assert second == first
        assert first.is_running()
    until(lambda: not first.folder.exists() and not (tmp_path / RECORD).exists())


def test_clearing_up_where_nothing_is_left_does_nothing(tmp_path: Path) -> None:
    (tmp_path / USERS).touch()
    clear_up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [USERS]


def _ask_version(server: Postgres) -> int:
    engine = create_engine(parse_url(server.url()), poolclass=NullPool)
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT current_setting('server_version_num')")))
