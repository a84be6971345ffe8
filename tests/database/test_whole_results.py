"""A result that its message had no room for: wanted, read from the log, and shown whole; a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from kubernetes.aio.client import Configuration
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve_reads
from testkit.kept_logs import read_tails
from testkit.mirror_facts import RUN_ID, build_pod_item, build_schedule_item, build_termination
from testkit.mirror_sessions import NOW, Session
from testkit.rows import execution_row, log_tail_row
from testkit.scheduled_jobs import UID, build_job_item

from sundial_api.db.mirror_tables import ExecutionLogTail
from sundial_api.db.tables import ScheduledJobExecution
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.run_messages import RunMessage
from sundial_api.mirror.storage import log_tails
from sundial_api.mirror.storage.log_tails import LogPurpose
from sundial_kube.client import KubeClient

CUT: dict[str, Any] = {"sundial": 1, "result": {"ids": ["… 9000 more"]}, "truncated": ["result.ids"]}
WHOLE = {"ids": list(range(9000))}


async def mirror(
    engine: AsyncEngine, said: Any, condition: str, purposes: frozenset[LogPurpose], ns: str = "team"
) -> list[Any]:
    """Mirror a run whose container said that; returns what is wanted of its log."""
    job = build_job_item(10, condition)
    code = 0 if condition == "Complete" else 1
    pod = build_pod_item(job, terminated=build_termination(code, said))
    pod["metadata"]["namespace"] = ns
    async with engine.connect() as connection:
        session = Session(connection, purposes)
        for kind, item in [
            (ObjectKind.SCHEDULED_JOB, build_schedule_item()),
            (ObjectKind.JOB, job),
            (ObjectKind.POD, pod),
        ]:
            session.feed.sinks[kind].put(item)
        await session.rows.write(session.feed)
    return await read_tails(engine, "execution_id::text, purpose")


BOTH = frozenset(LogPurpose)


@pytest.mark.parametrize(
    ("said", "condition", "purposes", "wanted"),
    [
        pytest.param(CUT, "Complete", BOTH, "result", id="cut"),
        pytest.param(CUT | {"truncated": ["result"]}, "Complete", BOTH, "result", id="cut as a whole"),
        pytest.param(CUT | {"truncated": ["traceback"]}, "Complete", BOTH, None, id="another part"),
        pytest.param(CUT | {"truncated": []}, "Complete", BOTH, None, id="whole"),
        pytest.param({"truncated": ["result"]}, "Complete", BOTH, None, id="no message"),
        pytest.param(CUT, "Failed", BOTH, "tail", id="failed"),
        pytest.param(CUT, "", BOTH, None, id="its Job has not ended"),
        pytest.param(CUT, "Complete", frozenset({LogPurpose.TAIL}), None, id="without the setting"),
        pytest.param(CUT, "Failed", frozenset({LogPurpose.RESULT}), None, id="failed, no ends are kept"),
    ],
)
async def test_whose_result_is_wanted(
    fresh_engine: AsyncEngine, said: Any, condition: str, purposes: frozenset[LogPurpose], wanted: str | None
) -> None:
    expected = [(RUN_ID, wanted)] if wanted else []
    assert await mirror(fresh_engine, said, condition, purposes) == expected


async def test_a_pod_of_another_namespace_has_no_log_to_read(fresh_engine: AsyncEngine) -> None:
    assert await mirror(fresh_engine, CUT, "Complete", BOTH, ns="other") == []


async def test_a_result_is_kept_by_what_the_last_line_tells(fresh_engine: AsyncEngine) -> None:
    await mirror(fresh_engine, CUT, "Complete", BOTH)
    async with fresh_engine.begin() as connection:
        assert await log_tails.take_due(connection, NOW, 8, [], [LogPurpose.TAIL]) == []
        (due,) = await log_tails.take_due(connection, NOW, 8, [])
        assert (due.purpose, due.pod is not None) == (LogPurpose.RESULT, True)
        message = RunMessage(result={"a": "\ufffd"}, truncated=["result.b"])
        await log_tails.keep_result(connection, due, "main", message, NOW)
        assert await log_tails.take_due(connection, NOW, 8, []) == []
    columns = "CAST(result AS jsonb), is_cut, container, log_text, due_at"
    assert await read_tails(fresh_engine, columns) == [({"a": "\ufffd"}, True, "main", None, None)]


async def test_ends_of_logs_drive_no_results_out(
    fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tails, "MAX_KEPT", 1)
    await store(fresh_engine, result=WHOLE)
    await mirror(fresh_engine, CUT, "Failed", BOTH)
    assert sorted(await read_tails(fresh_engine, "purpose")) == ["result", "tail"]


async def store(engine: AsyncEngine, truncated: str = "result.ids", **tail: Any) -> str:
    """Store a run whose message left something out, and what was read of its log; returns its path."""
    pod = {"uid": "p", "name": "pod", "job_uid": "j", "truncated": [truncated]}
    job = {"uid": "j", "name": "job", "phase": "Succeeded"}
    attempts = [{"attempt": 1, "job": job, "pod": pod}]
    row = execution_row(1, status="success", attempt=1, result=CUT["result"], attempts=attempts)
    kept = {"purpose": "result", "pod_uid": "p", "job_id": UID, "namespace": "team", "due_at": None}
    async with engine.begin() as connection:
        await connection.execute(insert(ScheduledJobExecution).values(row))
        await connection.execute(insert(ExecutionLogTail).values(log_tail_row(1, attempt=1) | kept | tail))
    return f"/executions/{row['id']}"


@pytest.fixture
async def api(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an API whose API server is away."""
    async with (
        KubeClient(Configuration(host="http://127.0.0.1:1")) as nowhere,
        serve_reads(fresh_database, client=nowhere) as caller,
    ):
        yield caller


@pytest.mark.parametrize(
    ("truncated", "kept", "shown"),
    [
        pytest.param("result.ids", {"result": WHOLE}, (WHOLE, False), id="whole"),
        pytest.param("result.ids", {"result": WHOLE, "is_cut": True}, (WHOLE, True), id="cut there too"),
        pytest.param("result.ids", {}, (CUT["result"], True), id="not read yet"),
        pytest.param("traceback", {"result": WHOLE}, (CUT["result"], False), id="not cut"),
        pytest.param("result.ids", {"result": WHOLE, "pod_uid": "x"}, (CUT["result"], True), id="other"),
        pytest.param("result.ids", {"result": WHOLE, "attempt": 2}, (CUT["result"], True), id="older"),
    ],
)  # fmt: skip
async def test_a_run_is_shown_with_its_whole_result(
    fresh_engine: AsyncEngine,
    api: httpx.AsyncClient,
    truncated: str,
    kept: dict[str, Any],
    shown: tuple[Any, bool],
) -> None:
    path = await store(fresh_engine, truncated, **kept)
    detail = (await api.get(path)).json()
    assert (detail["result"], detail["isResultCut"]) == shown
    assert (await api.get(f"{path}?fields=result")).json() == {"result": shown[0]}
    assert (await api.get(f"{path}?fields=isResultCut")).json() == {"isResultCut": shown[1]}
    assert (await api.get(f"{path}?fields=status")).json() == {"status": "success"}


async def test_a_list_shows_the_short_result(fresh_engine: AsyncEngine, api: httpx.AsyncClient) -> None:
    await store(fresh_engine, result=WHOLE)
    (row,) = (await api.get("/executions")).json()["executions"]
    assert row["result"] == CUT["result"]
