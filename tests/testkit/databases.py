"""A real Postgres for tests of every ring: one server a run, databases copied from a migrated template."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from sundial_api.db import migrations
from sundial_api.db.engine import build_engine, build_migration_engine, parse_url
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.folders import locked
from sundial_devcluster.postgres import Postgres, share_postgres

TEMPLATE = "sundial_template"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Give the server of this test run; its workers share it, so nobody may stop it."""
    with share_postgres(_run_folder(tmp_path_factory)) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the name of a migrated database that nobody connects to, made by the first worker."""
    with locked(_run_folder(tmp_path_factory) / "template"), _administer(postgres) as server:
        if not server.scalar(text(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'")):
            server.execute(text(f"CREATE DATABASE {TEMPLATE}_new"))
            settings = DatabaseSettings(database_url=postgres.url(f"{TEMPLATE}_new"))
            migrations.upgrade(build_migration_engine(settings), "head", 60)
            server.execute(text(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}"))
    return TEMPLATE


@pytest.fixture(scope="session")
def worker_database(postgres: Postgres, template: str) -> Iterator[str]:
    """Give the URL of this worker's own database: only for tests that roll back what they do."""
    with copy_database(postgres, template) as url:
        yield url


@pytest.fixture
def fresh_database(postgres: Postgres, template: str) -> Iterator[str]:
    """Give the URL of a migrated database for this test alone, which may commit."""
    with copy_database(postgres, template) as url:
        yield url


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """Give the URL of a database without tables, for this test alone."""
    with copy_database(postgres, "template1") as url:
        yield url


@pytest.fixture
def connection(worker_database: str) -> Iterator[Connection]:
    """Give a connection to a migrated database; all that the test writes is rolled back."""
    engine = create_engine(parse_url(worker_database), poolclass=NullPool)
    with engine.connect() as own, own.begin() as transaction:
        yield own
        transaction.rollback()


@pytest.fixture
async def async_connection(worker_database: str) -> AsyncIterator[AsyncConnection]:
    """Give the same for asyncio; a session made with join_transaction_mode="create_savepoint" may commit."""
    engine = build_engine(DatabaseSettings(database_url=worker_database))
    async with engine.connect() as own, own.begin() as transaction:
        yield own
        await transaction.rollback()
    await engine.dispose()


@pytest.fixture
async def fresh_engine(fresh_database: str) -> AsyncIterator[AsyncEngine]:
    """Give the API's own engine on a database for this test alone."""
    engine = build_engine(DatabaseSettings(database_url=fresh_database))
    yield engine
    await engine.dispose()


@contextmanager
def copy_database(postgres: Postgres, template: str) -> Iterator[str]:
    """Give the URL of a copy of a database, which is dropped in the end whoever is connected."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with _administer(postgres) as server:
        server.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield postgres.url(name)
    finally:
        with _administer(postgres) as server:
            server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def _administer(postgres: Postgres) -> Iterator[Connection]:
    engine = create_engine(parse_url(postgres.url()), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _run_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the workers of this run share, and other runs do not."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
