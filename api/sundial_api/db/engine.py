"""How is the database connected to? With limits on every wait, in UTC, and without a value in any error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sundial_api.db.patience import DeadlinePool, connect, keep_others
from sundial_api.db.shares import ConnectionShares, SharedEngine
from sundial_api.settings import DatabaseSettings

APPLICATION = "sundial-api"


class UnusableUrl(ValueError):
    """The database's URL cannot be used; the message does not repeat it."""


def build_engine(settings: DatabaseSettings, connections: int | None = None) -> AsyncEngine:
    """Build the pool of a process, of so many connections; nothing connects until it is used."""
    url = parse_url(settings.database_url.get_secret_value())
    limits = {"statement_timeout": settings.statement_seconds, "lock_timeout": settings.lock_seconds}
    arguments = _build_connect_arguments(url, settings, limits)
    most = connections or settings.database_connections
    engine = create_async_engine(
        url,
        connect_args=arguments | {"async_creator_fn": connect},
        poolclass=DeadlinePool,
        pool_size=most,
        max_overflow=0,
        pool_timeout=settings.database_connect_seconds,
        pool_pre_ping=True,
        **_PLAIN,
    )
    event.listen(engine.sync_engine, "handle_error", keep_others)
    return SharedEngine(engine.sync_engine, ConnectionShares(max(1, most // 2)))


def build_migration_engine(settings: DatabaseSettings) -> Engine:
    """Build what migrations connect with: no pool, and limits of their own."""
    url = parse_url(settings.database_url.get_secret_value())
    limits = {
        "statement_timeout": settings.migration_seconds,
        "lock_timeout": settings.migration_lock_seconds,
    }
    arguments = _build_connect_arguments(url, settings, limits)
    return create_engine(url, connect_args=arguments, poolclass=NullPool, **_PLAIN)


def parse_url(text: str) -> URL:
    """Read a database URL; raises UnusableUrl when it is not one of a Postgres."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UnusableUrl(
            "SUNDIAL_API_DATABASE_URL is not a URL; write postgresql://USER@HOST/DATABASE"
        ) from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise UnusableUrl("SUNDIAL_API_DATABASE_URL must begin with postgresql://")
    return url.set(drivername="postgresql+psycopg")


def _dump_json(value: object) -> str:
    return orjson.dumps(value).decode()


_PLAIN: Mapping[str, Any] = {
    "hide_parameters": True,
    "json_serializer": _dump_json,
    "json_deserializer": orjson.loads,
}


def _build_connect_arguments(
    url: URL, settings: DatabaseSettings, limits: Mapping[str, float]
) -> dict[str, Any]:
    parameters = {name: f"{round(seconds * 1000)}ms" for name, seconds in limits.items()}
    parameters |= {"timezone": "UTC", "idle_in_transaction_session_timeout": "60s"}
    own = " ".join(f"-c {name}={value}" for name, value in parameters.items())
    given = url.query.get("options", "")
    return {
        "application_name": APPLICATION,
        "connect_timeout": settings.database_connect_seconds,
        "options": f"{given} {own}".strip(),
    }
