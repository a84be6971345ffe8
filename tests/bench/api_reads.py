"""How soon does the API answer lists of millions? At page 1, and at any page that may be asked for.

The API runs in this process, on a Postgres with generated rows and without a cluster; every statement that it
sent is explained afterwards, and must have read the big table by an index.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
from bench.harness.command import Report, Show
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services
from testkit.bulk_rows import TABLE, generate, job_id

from sundial_api.db.engine import parse_url
from sundial_api.http.paging import MAX_OFFSET_ROWS
from sundial_api.main import PREFIX

SEED = 20261123
WARM_UP = 5
STATUSES = ("pending", "running", "success", "failed", "timeout")


@dataclass(frozen=True)
class ReadSize:
    """How many rows there are, and how often each list is asked for."""

    jobs: int = 10_000
    executions: int = 10_000_000
    rounds: int = 100


@dataclass(frozen=True)
class Asked:
    """A list: its path, and how many rows a page has."""

    name: str
    path: str
    per_page: int = 50

    def url(self, page: int) -> str:
        """The path of a page."""
        joint = "&" if "?" in self.path else "?"
        return f"{self.path}{joint}per_page={self.per_page}&page={page}"


def list_asked() -> Iterator[Asked]:
    """List what the frontend asks for, with each filter that has an index of its own."""
    busiest, quiet = job_id(1), job_id(77)
    yield Asked("task functions", "/task-functions")
    yield Asked("jobs", "/jobs", 20)
    yield Asked("jobs by name", "/jobs?name=report 77", 20)
    yield Asked("enabled jobs", "/jobs?is_enabled=true", 20)
    yield Asked("jobs of a function", "/jobs?task_function_id=3", 20)
    yield Asked("executions", "/executions")
    for status in STATUSES:
        yield Asked(f"{status} executions", f"/executions?status={status}")
    yield Asked("executions of a busy job", f"/jobs/{busiest}/executions")
    yield Asked("failed executions of a busy job", f"/jobs/{busiest}/executions?status=failed")
    yield Asked("executions of another job", f"/executions?job_id={quiet}")
    yield Asked("slots of a job", f"/jobs/{busiest}/slots")
    yield Asked("a job with its newest executions", f"/jobs/{busiest}")
    yield Asked("status", "/status")


def fill(url: str, size: ReadSize) -> None:
    """Fill a migrated database."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        generate(connection, size.jobs, size.executions, datetime.now(UTC))


async def measure_reads(url: str, size: ReadSize, show: Show) -> Report:
    """Ask for each list, on one connection after another; returns milliseconds, and what had no index."""
    async with build_services(url) as application:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as http:
            with _noted(application.state.services.engine.sync_engine) as statements:
                lists = {one.name: await _measure(http, one, size.rounds, show) for one in list_asked()}
    unindexed = find_unindexed(url, statements)
    return {
        "executions": size.executions,
        "jobs": size.jobs,
        "lists": lists,
        "slowest_first_page_p95_ms": max(one["first_page_p95_ms"] for one in lists.values()),
        "slowest_any_page_p95_ms": max(one["any_page_p95_ms"] for one in lists.values()),
        "statements": len(statements),
        "unindexed": unindexed,
        "without_index": len(unindexed),
    }


async def _measure(http: httpx.AsyncClient, asked: Asked, rounds: int, show: Show) -> Report:
    total = (await _ask(http, asked, 1))[1]
    for _ in range(WARM_UP):
        await _ask(http, asked, 1)
    first = [(await _ask(http, asked, 1))[0] for _ in range(rounds)]
    pages = choose_pages(total, asked.per_page, rounds)
    other = [(await _ask(http, asked, page))[0] for page in pages]
    figures = {"total": total, "first_page_p95_ms": _p95(first), "any_page_p95_ms": _p95(other)}
    show.say(f"{asked.name}: {figures}")
    return figures


async def _ask(http: httpx.AsyncClient, asked: Asked, page: int) -> tuple[float, int]:
    """Ask for a page; returns seconds, and the total of a list that has one."""
    began = time.perf_counter()
    answer = await http.get(asked.url(page))
    seconds = time.perf_counter() - began
    answer.raise_for_status()
    return seconds, int(answer.headers.get("X-Total-Count", 0))


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


@contextmanager
def _noted(engine: Engine) -> Iterator[Statements]:
    """Note each statement that is sent, with the last values that it had."""
    noted: Statements = {}

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, _many: bool) -> None:  # noqa: FBT001
        noted[statement] = values

    event.listen(engine, "before_cursor_execute", note)
    yield noted
    event.remove(engine, "before_cursor_execute", note)


def find_unindexed(url: str, statements: Statements) -> list[str]:
    """Find the statements that read all executions, or sort them."""
    found = []
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        for statement, values in statements.items():
            if TABLE in statement and statement.startswith(("SELECT", "WITH")):
                row = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), values).fetchone()
                assert row
                found += [statement] if is_unindexed(row[0][0]["Plan"]) else []
    return found


def is_unindexed(plan: dict[str, Any]) -> bool:
    """Tell whether a step reads the whole table, or sorts rows of it."""
    if plan["Node Type"] in ("Seq Scan", "Parallel Seq Scan") and plan.get("Relation Name") == TABLE:
        return True
    if "Sort" in plan["Node Type"] and _reads(plan):
        return True
    return any(map(is_unindexed, plan.get("Plans", ())))


def _reads(plan: dict[str, Any]) -> bool:
    return plan.get("Relation Name") == TABLE or any(map(_reads, plan.get("Plans", ())))
