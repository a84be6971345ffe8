"""What is kept of a log is the answer while the cluster is away, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from kubernetes.aio.client import Configuration
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve_reads
from testkit.kept_logs import failed_run
from testkit.rows import NOON, execution_row, log_tail_row, numbered

from sundial_api.db.mirror_tables import ExecutionLogTail
from sundial_api.db.tables import ScheduledJobExecution
from sundial_kube.client import KubeClient

KEPT = {"log_text": "one\ntwo\nthree\n", "container": "main", "read_at": NOON, "due_at": None}


@pytest.fixture
async def api(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an API whose API server is away."""
    async with (
        KubeClient(Configuration(host="http://127.0.0.1:1")) as nowhere,
        serve_reads(fresh_database, client=nowhere) as caller,
    ):
        yield caller


async def add_execution(engine: AsyncEngine, *tails: dict[str, Any]) -> str:
    """Add an execution of three attempts, and tails of it; returns the path of its log."""
    attempts = failed_run(1, attempts=3).attempts
    async with engine.begin() as connection:
        row = execution_row(1, status="failed", phase="Failed", attempts=attempts)
        await connection.execute(insert(ScheduledJobExecution).values(row))
        for tail in tails:
            await connection.execute(insert(ExecutionLogTail).values(tail))
    return f"/executions/{numbered(1_000_001)}/log"


async def test_what_is_kept_is_the_answer_while_the_cluster_is_away(
    api: httpx.AsyncClient, fresh_engine: AsyncEngine
) -> None:
    path = await add_execution(fresh_engine, log_tail_row(attempt=3, pod_uid="p-1-3", **KEPT))
    answer = await api.get(f"{path}?lines=2")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "executionId": str(numbered(1_000_001)),
        "attempt": 3,
        "podName": "p",
        "container": "main",
        "containers": ["main"],
        "text": "two\nthree\n",
        "isCut": False,
        "isStored": True,
    }
    assert (await api.get(f"{path}?container=main")).status_code == 200
    other = await api.get(f"{path}?container=mesh")
    assert (other.status_code, "only the log of container main" in other.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("tail", "query"),
    [
        pytest.param(log_tail_row(attempt=2, pod_uid="p-1-2", **KEPT), "", id="of-an-older-attempt"),
        pytest.param(log_tail_row(attempt=3, pod_uid="p-1-3", **KEPT), "?attempt=2", id="of-a-newer-attempt"),
        pytest.param(log_tail_row(attempt=2, pod_uid="p-1-3", **KEPT), "", id="noted-for-another"),
        pytest.param(log_tail_row(attempt=3, pod_uid="forged", **KEPT), "", id="of-another-pod"),
        pytest.param(log_tail_row(2, attempt=3, pod_uid="p-1-3", **KEPT), "", id="of-another-run"),
        pytest.param(log_tail_row(attempt=3, pod_uid="p-1-3"), "", id="not-read-yet"),
    ],
)
async def test_nothing_else_is_the_answer(
    api: httpx.AsyncClient, fresh_engine: AsyncEngine, tail: dict[str, Any], query: str
) -> None:
    path = await add_execution(fresh_engine, tail)
    answer = await api.get(path + query)
    assert (answer.status_code, "API server cannot be reached" in answer.json()["detail"]) == (503, True)


async def test_where_no_logs_are_read_nobody_is_shown_what_is_kept(
    fresh_database: str, fresh_engine: AsyncEngine
) -> None:
    path = await add_execution(fresh_engine, log_tail_row(attempt=3, pod_uid="p-1-3", **KEPT))
    async with serve_reads(fresh_database, settings={"logs": False}) as api:
        answer = await api.get(path)
    assert (answer.status_code, "use kubectl logs" in answer.json()["detail"]) == (404, True)
