"""No request for a list reads rows in proportion to its table, with any parameters, at any end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services
from testkit.bulk_rows import TABLE, TINY, TINY_RUNS, execution_id, generate
from testkit.databases import copy_database
from testkit.list_requests import (
    EXECUTIONS,
    JOBS,
    NAMESPACES,
    PAGING,
    VALUES,
    ListRequest,
    list_endpoints,
    list_requests,
)
from testkit.query_plans import Sent, count_read, note_statements
from testkit.rows import NOON

from sundial_api.changes import endpoints as changes
from sundial_api.db.engine import parse_url
from sundial_api.executions import service as executions
from sundial_api.http import turnstile
from sundial_api.http.paging import Position, write_cursor
from sundial_api.main import PREFIX, build_application
from sundial_api.settings import ApiSettings, AuthMode
from sundial_devcluster.polling import PATIENCE_SECONDS
from sundial_devcluster.postgres import Postgres

NOWHERE = ApiSettings(database_url="postgresql://nowhere/sundial", auth=AuthMode.NONE)
ENDPOINTS = dict(list_endpoints(build_application(NOWHERE).openapi(), PREFIX))
PER_PAGE, DEEP = 50, 10
MOST = {TABLE: 2_500, "scheduled_jobs": JOBS * 10}
"""Rows that a request may read of a table: two and a half times what a deep page passes over. Of so few jobs
the planner rather reads all; `test_job_list_plans.py` asks for them among 10,000 and 100,000."""
MOST_OF_NAMESPACE = 200
"""Of every other table, where a namespace is asked for: it has ten jobs."""
MIDDLE = Position(NOON - timedelta(seconds=EXECUTIONS // 2), execution_id(EXECUTIONS // 2))


@pytest.fixture(scope="module")
def full(postgres: Postgres, template: str) -> Iterator[str]:
    """Give the URL of a database with many namespaces, one of them tiny, to read from."""
    with copy_database(postgres, template) as url:
        with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
            generate(connection, JOBS, EXECUTIONS, NOON, NAMESPACES)
        yield url


@pytest.fixture
async def application(full: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    """Give the API with patience: rows are counted here, and no time measured."""
    monkeypatch.setattr(turnstile, "ANSWER_SECONDS", PATIENCE_SECONDS)
    async with build_services(full, settings={"statement_seconds": PATIENCE_SECONDS}) as application:
        yield application


async def ask(http: httpx.AsyncClient, url: str) -> httpx.Response:
    answer = await http.get(url)
    assert answer.status_code == 200, (url, answer.text)
    return answer


def find_mark(path: str) -> str:
    """Find what the cursors of a list begin with."""
    marks = {"executions": executions.CURSOR, "changes": changes.CURSOR}
    return marks.get(path.rpartition("/")[2], "")


async def ask_everywhere(http: httpx.AsyncClient, wanted: ListRequest) -> None:
    """Ask for the first page, one further down, two at the end, and by cursors, where there are these."""
    if not wanted.is_paged:
        await ask(http, wanted.url())
        return
    first = await ask(http, wanted.url(per_page=PER_PAGE))
    last = max(1, -(-int(first.headers["X-Total-Count"]) // PER_PAGE))
    for page in {min(DEEP, last), max(1, last - DEEP), last}:
        await ask(http, wanted.url(per_page=PER_PAGE, page=page))
    if wanted.has_cursor:
        middle = write_cursor(MIDDLE, find_mark(wanted.path))
        for cursor in filter(None, (first.json()["nextCursor"], middle)):
            await ask(http, wanted.url(per_page=PER_PAGE, cursor=cursor))


def find_excess(database: psycopg.Connection[tuple[object]], wanted: ListRequest, sent: Sent) -> list[str]:
    """Find of which tables a statement reads more than the request is worth."""
    rest = MOST_OF_NAMESPACE if "namespace" in wanted.query else JOBS * 10
    return [
        f"{wanted.url()}: {count} rows of {table} by {sent[0]}"
        for table, count in count_read(database, sent).items()
        if count > MOST.get(table, rest)
    ]


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_no_combination_reads_rows_in_proportion_to_the_table(
    full: str, application: FastAPI, path: str
) -> None:
    excess = []
    engine = application.state.services.engine.sync_engine
    transport = httpx.ASGITransport(application)
    with psycopg.connect(full, cursor_factory=psycopg.ClientCursor, autocommit=True) as database:
        async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as http:
            for wanted in list_requests(path, ENDPOINTS[path]):
                with note_statements(engine) as statements:
                    await ask_everywhere(http, wanted)
                reads = [sent for sent in statements if sent[0].startswith(("SELECT", "WITH"))]
                excess += [said for sent in reads for said in find_excess(database, wanted, sent)]
    assert excess == []


@pytest.mark.parametrize("path", ["/executions", "/jobs"])
async def test_lists_of_the_tiny_namespace_are_whole(application: FastAPI, path: str) -> None:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as http:
        answer = (await ask(http, f"{path}?namespace={TINY}")).json()
    (rows,) = (value for value in answer.values() if isinstance(value, list))
    assert len(rows) == answer["total"] == {"/executions": TINY_RUNS, "/jobs": 1}[path]
    assert {row["namespace"] for row in rows} == {TINY}


def test_a_parameter_without_values_fails() -> None:
    with pytest.raises(LookupError, match="sort_of_new"):
        next(list_requests("/jobs", ["page", "sort_of_new"]))


def test_the_parameters_that_are_tried_are_those_of_the_api() -> None:
    assert {"page", "cursor", "status", "job_id", "namespace", "fields"} <= set(ENDPOINTS["/executions"])
    assert {name for names in ENDPOINTS.values() for name in names} <= {*VALUES, *PAGING}
