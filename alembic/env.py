"""How alembic reaches the database: on the connection that it is given, else by SUNDIAL_API_DATABASE_URL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from sundial_api.db.engine import build_migration_engine
from sundial_api.db.migrations import configure
from sundial_api.settings import DatabaseSettings


def _run(connection: Connection) -> None:
    context.configure(connection=connection, **configure())
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with build_migration_engine(DatabaseSettings()).connect() as own:
        _run(own)
