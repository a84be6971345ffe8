"""The API on a real database, without a cluster: for tests of what it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from sundial_api.access import Everything
from sundial_api.auth import Anonymous
from sundial_api.db.engine import build_engine
from sundial_api.deps import Parts
from sundial_api.main import PREFIX, build_application
from sundial_api.settings import Settings


@asynccontextmanager
async def serve_reads(database: str, **how: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the API; `how` replaces parts of it, such as the authenticator."""
    settings = Settings(database_url=database, auth="none")
    application = build_application(settings)
    engine = build_engine(settings)
    parts: dict[str, Any] = {"client": None, "authenticator": Anonymous(), "access": Everything()}
    application.state.parts = Parts(settings, engine, **cast(Any, parts | how))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as client:
        yield client
    await engine.dispose()
