"""How soon does the API answer lists of millions? At page 1, at any page that it gives, and by cursor.

The API runs in this process, on a Postgres with generated rows. The caller has a token of a real API server,
which is asked who that is and what it may do, as always. Every statement that the API sent is explained
afterwards, and must have read the big table by an index.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from bench.harness.command import Report, Show
from fastapi import FastAPI
from kubernetes.aio import client, config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services
from testkit.bulk_rows import TABLE, TINY, execution_id, generate, job_id
from testkit.processes.apis import READER, make_user
from testkit.query_plans import note_statements

from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.db.engine import parse_url
from sundial_api.executions.service import CURSOR
from sundial_api.http.paging import MAX_OFFSET_ROWS, Position, write_cursor
from sundial_api.main import PREFIX
from sundial_devcluster.cluster import Cluster
from sundial_kube.client import KubeClient

SEED = 20261123
WARM_UP = 5
FEW = 500
"""So many rows may be sorted: those of a small namespace or job are fetched at once rather than in order."""
STATUSES = ("pending", "running", "success", "failed", "timeout")
NAMESPACES = ("team-1", TINY)
"""The fullest one, and one with 30 runs."""


@dataclass(frozen=True)
class ReadSize:
    """How many rows there are, and how often each list is asked for."""

    jobs: int = 10_000
    executions: int = 10_000_000
    rounds: int = 100
    namespaces: int = 1_000
    listeners: int = 300
    changes: int = 50
    """A second, while they listen."""


@dataclass(frozen=True)
class Login:
    """Who asks: a token, and the cluster that knows it."""

    token: str
    kubeconfig: Path


@dataclass(frozen=True)
class Asked:
    """A list: its path, how many rows a page has, and how far back cursors go; None for a list without."""

    name: str
    path: str
    per_page: int = 50
    reach: timedelta | None = None

    def url(self, **place: object) -> str:
        """The path of a page, or of what follows a cursor."""
        joint = "&" if "?" in self.path else "?"
        where = "".join(f"&{name}={value}" for name, value in place.items())
        return f"{self.path}{joint}per_page={self.per_page}{where}"


def list_asked(size: ReadSize) -> Iterator[Asked]:
    """List what the frontend asks for, with each filter, of all namespaces and of one."""
    yield Asked("job types", "/job-types")
    yield from _list_of_jobs(size, "", "")
    yield from _list_of_executions(size, "", "")
    for ns in NAMESPACES:
        yield from _list_of_jobs(size, f" of {ns}", f"namespace={ns}&")
        yield from _list_of_executions(size, f" of {ns}", f"namespace={ns}&")
    yield from _list_of_one(size)


def _list_of_jobs(size: ReadSize, where: str, query: str) -> Iterator[Asked]:
    reach = timedelta(hours=size.jobs)
    yield Asked(f"task functions{where}", f"/task-functions?{query}is_active=true")
    yield Asked(f"task functions by name{where}", f"/task-functions?{query}q=clean")
    yield Asked(f"jobs{where}", f"/jobs?{query}", 20, reach)
    yield Asked(f"jobs with their newest results{where}", f"/jobs?{query}include=recent", 20, reach)
    yield Asked(f"jobs by name{where}", f"/jobs?{query}name=report 77", 20, reach)
    yield Asked(f"enabled jobs{where}", f"/jobs?{query}is_enabled=true", 20, reach)
    for order in ("next_run", "name", "last_run", "failing"):
        yield Asked(f"jobs in order of {order}{where}", f"/jobs?{query}sort={order}", 20)
    for state in ("last_status=failed", "failing=true", "late=true", "paused=true"):
        yield Asked(f"jobs with {state}{where}", f"/jobs?{query}{state}", 20)
    yield Asked(f"jobs of a function{where}", f"/jobs?{query}task_function_id=3", 20, reach)
    yield Asked(f"status{where}", f"/status?{query}")


def _list_of_executions(size: ReadSize, where: str, query: str) -> Iterator[Asked]:
    reach = timedelta(seconds=size.executions)
    yield Asked(f"executions{where}", f"/executions?{query}", reach=reach)
    for status in STATUSES:
        yield Asked(f"{status} executions{where}", f"/executions?{query}status={status}", reach=reach)
    yield Asked(f"three fields{where}", f"/executions?{query}fields=id,status,startedAt", reach=reach)
    of_job = f"/executions?{query}job_id={job_id(1)}"
    yield Asked(f"executions of a busy job{where}", of_job, reach=reach)
    yield Asked(f"failed executions of a busy job{where}", f"{of_job}&status=failed", reach=reach)


def _list_of_one(size: ReadSize) -> Iterator[Asked]:
    reach = timedelta(seconds=size.executions)
    yield Asked("executions of another job", f"/jobs/{job_id(77)}/executions", reach=reach)
    yield Asked(
        "failed executions of another job", f"/jobs/{job_id(77)}/executions?status=failed", reach=reach
    )
    yield Asked("slots of a job", f"/jobs/{job_id(1)}/slots")
    yield Asked("changes of a job", f"/jobs/{job_id(1)}/changes")
    yield Asked("a job with its newest executions", f"/jobs/{job_id(1)}?include=recent")
    yield Asked("an execution", f"/executions/{execution_id(size.executions // 2)}?fields=id,attempts")


def fill(url: str, size: ReadSize) -> None:
    """Fill a migrated database."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        generate(connection, size.jobs, size.executions, datetime.now(UTC), size.namespaces)


def log_in(cluster: Cluster) -> Login:
    """Make somebody who may read everything."""
    token = make_user(cluster, "default", "bench-reader", READER, "ClusterRole")
    return Login(token, Path(cluster.kubeconfig))


async def measure_reads(url: str, size: ReadSize, login: Login, show: Show) -> Report:
    """Ask for each list, on one connection after another; returns milliseconds, and what had no index."""
    async with _serve(url, login) as application:
        transport = httpx.ASGITransport(application)
        how: dict[str, Any] = {"headers": {"Authorization": f"Bearer {login.token}"}, "timeout": 60}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}", **how) as http:
            with note_statements(application.state.services.engine.sync_engine) as sent:
                lists = {
                    one.name: await measure_list(http, one, size.rounds, show) for one in list_asked(size)
                }
    statements = dict(sent)
    unindexed = find_unindexed(url, statements)
    return {
        "executions": size.executions,
        "jobs": size.jobs,
        "namespaces": size.namespaces,
        "lists": lists,
        "slowest_first_page_p95_ms": max(one["first_page_p95_ms"] for one in lists.values()),
        "slowest_any_page_p95_ms": max(one["any_page_p95_ms"] for one in lists.values()),
        "statements": len(statements),
        "unindexed": unindexed,
        "without_index": len(unindexed),
    }


@asynccontextmanager
async def _serve(url: str, login: Login) -> AsyncIterator[FastAPI]:
    """Give an application that has its callers reviewed."""
    configuration = client.Configuration()
    await config.load_kube_config(str(login.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration, user_agent="sundial-api") as kube:
        known = {"authenticator": ClusterTokens(kube), "access": SubjectAccessReviews(kube)}
        async with build_services(url, client=kube, **known) as application:
            yield application


async def measure_list(http: httpx.AsyncClient, asked: Asked, rounds: int, show: Show) -> Report:
    """Ask for a list, at its first page and at others; returns its rows and milliseconds."""
    total = (await _ask(http, asked.url()))[1]
    for _ in range(WARM_UP):
        await _ask(http, asked.url())
    first = [(await _ask(http, asked.url(page=1)))[0] for _ in range(rounds)]
    places = [asked.url(page=page) for page in choose_pages(total, asked.per_page, rounds)]
    places += [asked.url(cursor=cursor) for cursor in choose_cursors(asked, rounds)]
    other = [(await _ask(http, place))[0] for place in places]
    figures = {"total": total, "first_page_p95_ms": _p95(first), "any_page_p95_ms": _p95(other)}
    show.say(f"{asked.name}: {figures}")
    return figures


async def _ask(http: httpx.AsyncClient, url: str) -> tuple[float, int]:
    """Ask for a page; returns seconds, and the total of a list that has one."""
    began = time.perf_counter()
    answer = await http.get(url)
    seconds = time.perf_counter() - began
    answer.raise_for_status()
    return seconds, int(answer.headers.get("X-Total-Count", 0))


def choose_cursors(asked: Asked, rounds: int) -> list[str]:
    """Choose cursors anywhere in a list."""
    dice, now = random.Random(SEED), datetime.now(UTC)
    if asked.reach is None:
        return []
    mark = CURSOR if "/executions" in asked.path else ""
    places = [Position(now - asked.reach * dice.random(), job_id(1)) for _ in range(rounds // 2)]
    return [write_cursor(place, mark) for place in places]


def choose_pages(total: int, size: int, rounds: int) -> list[int]:
    """Choose pages that may be asked for: the deepest from either end in one half, any in the other."""
    dice = random.Random(SEED)
    last, reach = max(1, -(-total // size)), MAX_OFFSET_ROWS // size
    deepest = [min(last, 1 + reach), max(1, last - reach)]
    near = range(1, deepest[0] + 1)
    far = range(deepest[1], last + 1)
    return [
        deepest[number // 2 % 2] if number % 2 else dice.choice(dice.choice((near, far)))
        for number in range(rounds)
    ]


def _p95(seconds: list[float]) -> float:
    return round(statistics.quantiles(seconds, n=20)[18] * 1000, 1)


Statements = dict[str, Any]


def find_unindexed(url: str, statements: Statements) -> list[str]:
    """Find the statements that read all executions, or sort many of them."""
    found = []
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        for statement, values in statements.items():
            if TABLE in statement and statement.startswith(("SELECT", "WITH")):
                row = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), values).fetchone()
                assert row
                found += [statement] if is_unindexed(row[0][0]["Plan"]) else []
    return found


def is_unindexed(plan: dict[str, Any]) -> bool:
    """Tell whether a step reads the whole table, or sorts many rows of it."""
    if plan["Node Type"] in ("Seq Scan", "Parallel Seq Scan") and plan.get("Relation Name") == TABLE:
        return True
    if "Sort" in plan["Node Type"] and _reads(plan) and plan["Plan Rows"] > FEW:
        return True
    return any(map(is_unindexed, plan.get("Plans", ())))


def _reads(plan: dict[str, Any]) -> bool:
    return plan.get("Relation Name") == TABLE or any(map(_reads, plan.get("Plans", ())))
