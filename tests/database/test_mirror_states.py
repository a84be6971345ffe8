"""Whatever ends a session of the mirror is counted, and another one begins; a silent one is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.mirror import mirror as module
from sundial_api.mirror.advisory_lock import ACTIVE_LOCK
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.mirror import Mirror, MirrorActivity
from sundial_api.settings import DatabaseSettings
from sundial_core.coordination.backoff import Backoff
from sundial_devcluster.polling import until_async
from sundial_kube.errors import ApiUnreachable

SCOPE = WatchScope((), "system", "sundial")


class Unhelpful:
    """A client whose first request of a session ends in an error."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def patch(self, *_arguments: Any) -> None:
        """Take the Lease."""

    async def create(self, *_arguments: Any) -> None:
        """Take it again."""

    async def list_page(self, *_arguments: Any) -> Any:
        raise self._error


class Running:
    """A mirror that runs, and what it has counted."""

    def __init__(self, engine: AsyncEngine, url: str, error: BaseException) -> None:
        self._registry = CollectorRegistry()
        settings = DatabaseSettings(database_url=url)
        client: Any = Unhelpful(error)
        self.mirror = Mirror(engine, client, SCOPE, settings, self._registry)

    def count(self, error: str) -> float:
        return self._registry.get_sample_value("sundial_mirror_failures_total", {"error": error}) or 0


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let failures be waited out for a moment only."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(first_seconds=0.02, max_seconds=0.02))


@pytest.fixture
async def stops() -> AsyncIterator[list[Mirror]]:
    """Give a list of mirrors that are stopped in the end."""
    mirrors: list[Mirror] = []
    yield mirrors
    for one in mirrors:
        await one.stop()


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        pytest.param(ApiUnreachable("no answer"), "ApiUnreachable", id="trouble"),
        pytest.param(KeyError("uid"), "KeyError", id="a-mistake"),
        pytest.param(RecursionError(), "RecursionError", id="too-deep"),
        pytest.param(ExceptionGroup("", [OSError(), KeyError()]), "KeyError", id="several"),
        pytest.param(asyncio.CancelledError(), "CancelledError", id="a-cancellation-from-below"),
    ],
)
async def test_whatever_ends_a_session_another_one_begins(
    fresh_engine: AsyncEngine,
    fresh_database: str,
    stops: list[Mirror],
    error: BaseException,
    counted: str,
) -> None:
    running = Running(fresh_engine, fresh_database, error)
    assert running.mirror.state is MirrorActivity.STOPPED
    running.mirror.start()
    stops.append(running.mirror)

    async def has_failed_twice() -> bool:
        return running.count(counted) >= 2

    await until_async(has_failed_twice)
    assert running.mirror.state in (MirrorActivity.FAILING, MirrorActivity.ACTIVE)


async def test_one_that_is_told_to_stop_stops(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    running = Running(fresh_engine, fresh_database, ApiUnreachable("no answer"))
    running.mirror.start()
    await running.mirror.stop()
    assert running.mirror.state is MirrorActivity.STOPPED


async def test_a_session_that_commits_nothing_is_stuck(
    fresh_engine: AsyncEngine, fresh_database: str, stops: list[Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BEAT_AGE_SECONDS", 0.2)
    running = Running(fresh_engine, fresh_database, ApiUnreachable("no answer"))
    async with fresh_engine.begin() as other:
        await other.execute(text("LOCK TABLE scheduler_mirror_state IN ACCESS EXCLUSIVE MODE"))
        running.mirror.start()
        stops.append(running.mirror)

        async def is_stuck() -> bool:
            return running.mirror.state is MirrorActivity.STUCK

        await until_async(is_stuck)


async def test_one_that_waits_for_another_stands_by(
    fresh_engine: AsyncEngine, fresh_database: str, stops: list[Mirror]
) -> None:
    async with fresh_engine.connect() as other:
        await other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ACTIVE_LOCK})
        running = Running(fresh_engine, fresh_database, ApiUnreachable("no answer"))
        running.mirror.start()
        stops.append(running.mirror)
        await asyncio.sleep(0.2)
        assert running.mirror.state is MirrorActivity.STANDING_BY
