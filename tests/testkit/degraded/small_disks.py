"""A small file system that fills up, for a database of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sundial_api.db.engine import parse_url
from sundial_devcluster.postgres import Postgres

MEGABYTES = 96
CAN_MOUNT = os.geteuid() == 0
_FILLER = "CREATE UNLOGGED TABLE IF NOT EXISTS filler (x text)"
_FILL = "INSERT INTO filler SELECT repeat(md5(random()::text), 60) FROM generate_series(1, :rows)"


@contextmanager
def copy_to_small_disk(postgres: Postgres, template: str) -> Iterator[str]:
    """Give the URL of a copy of a database that lies on a small file system of its own; needs root."""
    name = f"small_{secrets.token_hex(4)}"
    folder = postgres.folder / name
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", folder], check=True)
    try:
        place = folder / "data"
        place.mkdir()
        shutil.chown(place, postgres.owner, pwd.getpwnam(postgres.owner).pw_gid)
        with _administer(postgres.url()) as server:
            server.execute(text(f"CREATE TABLESPACE {name} LOCATION '{place}'"))
            server.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {name}"))
        yield postgres.url(name)
        with _administer(postgres.url()) as server:
            server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.execute(text(f"DROP TABLESPACE {name}"))
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@contextmanager
def fill(url: str) -> Iterator[None]:
    """Leave no page free on the disk of a database until the block ends."""
    with _administer(url) as connection:
        connection.execute(text(_FILLER))
        for rows in (10_000, 1_000, 100, 10, 1):
            _fill(connection, rows)
        try:
            yield
        finally:
            connection.execute(text("DROP TABLE filler"))


def _fill(connection: Connection, rows: int) -> None:
    """Write so many rows at once until there is no place for them."""
    try:
        while True:
            connection.execute(text(_FILL), {"rows": rows})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "53100":
            raise


@contextmanager
def lock(url: str, table: str) -> Iterator[None]:
    """Lock a table against readers and writers until the block ends."""
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield


@contextmanager
def _administer(url: str) -> Iterator[Connection]:
    engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
