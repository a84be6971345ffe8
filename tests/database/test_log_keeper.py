"""What keeps logs: it goes on whatever happens, and ends with the mirror. A real Postgres, no cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes.aio.client import Configuration
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.kept_logs import TAILS, failed_run, read_tails, want_logs
from testkit.mirror_sessions import NOW

from sundial_api.mirror import log_keeper
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.log_keeper import keep_log_tails
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.pod_logs import choose_reporter
from sundial_api.mirror.projection.log_texts import PodLog
from sundial_api.mirror.session import MirrorConfig
from sundial_api.mirror.storage import log_tails
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until_async
from sundial_kube.client import KubeClient

Counts = Callable[..., float]


def is_keeping() -> bool:
    return any(task.get_name() == "log tails" for task in asyncio.all_tasks())


@asynccontextmanager
async def keep(engine: AsyncEngine, url: str, most: int, **more: Any) -> AsyncIterator[Counts]:
    """Read what is wanted meanwhile, from an API server that is away; gives what counts failures."""
    settings = DatabaseSettings(database_url=url, log_tail_bytes=most, **more)
    role = MirrorConfig(WatchScope((), "system", "sundial"), settings, "me", lambda: NOW)
    registry = CollectorRegistry()

    def count(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"sundial_mirror_log_{name}_total", labels) or 0

    async with (
        KubeClient(Configuration(host="http://127.0.0.1:1")) as nowhere,
        keep_log_tails(engine, nowhere, role, MirrorMetrics(registry)),
    ):
        yield count


async def test_nothing_looks_for_logs_where_none_are_kept(
    fresh_engine: AsyncEngine, fresh_database: str
) -> None:
    async with keep(fresh_engine, fresh_database, 0):
        assert not is_keeping()
    async with keep(fresh_engine, fresh_database, 1):
        assert is_keeping()
    assert not is_keeping()


async def test_trouble_of_the_database_is_waited_out(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    async with fresh_engine.begin() as connection:
        await want_logs(connection, failed_run(1))
        await connection.execute(text(f"ALTER TABLE {TAILS} RENAME TO elsewhere"))
    async with keep(fresh_engine, fresh_database, 1) as count:
        await until_async(lambda: count("tail_failures", error="ProgrammingError"))
        async with fresh_engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {TAILS}"))
        await until_async(lambda: count("tail_failures", error="ApiUnreachable"))
        assert is_keeping()


async def test_a_cancellation_from_below_is_waited_out(
    fresh_engine: AsyncEngine, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancel(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(log_tails, "take_due", cancel)
    async with keep(fresh_engine, fresh_database, 1) as count:
        await until_async(lambda: count("tail_failures", error="CancelledError") > 1)


async def test_a_log_that_our_own_code_stumbles_over_is_dropped_after_some_tries(
    fresh_engine: AsyncEngine, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_: Any) -> None:
        raise KeyError("spec")

    monkeypatch.setattr(log_tails, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(log_keeper, "read_pod_log", stumble)
    async with fresh_engine.begin() as connection:
        await want_logs(connection, failed_run(1))
    async with keep(fresh_engine, fresh_database, 1) as count:
        await until_async(lambda: count("tails", outcome="dropped"))
        assert count("tail_failures", error="KeyError") == log_keeper.MAX_TRIES
    assert await read_tails(fresh_engine, "tries, due_at, log_text") == [(log_keeper.MAX_TRIES, None, None)]


@pytest.mark.parametrize(
    ("line", "outcome", "row"),
    [
        pytest.param(
            b'{"sundial":1,"result":{"token":"x"},"truncated":["result"]}',
            "kept",
            (None, "main", {"token": "***"}, True),
            id="a message",
        ),
        pytest.param(b'{"result": {"a": 1}}', "dropped", (None, None, None, False), id="another line"),
    ],
)
async def test_a_result_is_read_from_the_last_line(
    fresh_engine: AsyncEngine,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
    line: bytes,
    outcome: str,
    row: tuple[Any, ...],
) -> None:
    async def read(*how: Any) -> PodLog:
        assert how[2] is choose_reporter
        return PodLog("main", ("main",), b"one\n" + line + b"\n", how[3], how[3])

    monkeypatch.setattr(log_keeper, "read_pod_log", read)
    run = failed_run(1)
    run.attempts[0]["job"]["phase"] = "Succeeded"
    run.attempts[0]["pod"]["truncated"] = ["result"]
    async with fresh_engine.begin() as connection:
        await want_logs(connection, run)
    async with keep(fresh_engine, fresh_database, 0, results_from_logs=True) as count:
        await until_async(lambda: count("tails", outcome=outcome))
    columns = "due_at, container, CAST(result AS jsonb), is_cut"
    assert await read_tails(fresh_engine, columns) == [row]
