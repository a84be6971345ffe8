"""What do those who listen cost those who read lists? Without them, with them and changes, without them.

API, listeners and database are processes of their own; lists are asked for over HTTP, one after the other.
Every listener must hear every change.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from bench.api_reads import WARM_UP, ReadSize, list_asked
from bench.harness.command import Report, Show
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.bulk_rows import execution_id, job_id

from sundial_api.db.engine import build_engine
from sundial_api.main import PREFIX
from sundial_api.settings import DatabaseSettings

PROCESSES = Path(__file__).with_name("listener_processes.py")
AT_ONCE = 5
SETTLE_SECONDS = 3.0
"""How long after the last change everybody has heard of it."""
CHANGE_JOBS = text("UPDATE scheduled_jobs SET active_count = active_count WHERE id = ANY(:ids)")
CHANGE_RUNS = text("UPDATE scheduled_job_executions SET attempt = attempt WHERE id = ANY(:ids)")
Seconds = dict[str, list[float]]


async def measure_listeners(url: str, size: ReadSize, show: Show) -> Report:
    """Measure lists without and with listeners; returns milliseconds and their ratio."""
    engine = build_engine(DatabaseSettings(database_url=url), connections=1)
    with _start("serve", url) as api:
        port = await _read_line(api)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}") as http:
            await _ask_all(http, size, WARM_UP)
            before = await _ask_all(http, size, size.rounds)
            busy, heard = await _ask_beside_listeners(http, engine, port, size)
            after = await _ask_all(http, size, size.rounds)
    await engine.dispose()
    quiet = {name: before[name] + after[name] for name in before}
    figures = (
        summarise(quiet, busy) | {"listeners": size.listeners, "changes_per_second": size.changes} | heard
    )
    show.say(f"listeners: {figures}")
    return figures


def summarise(quiet: Seconds, busy: Seconds) -> Report:
    """Compare the p95 over all lists, and that of each."""
    without, beside = _p95_ms(itertools.chain(*quiet.values())), _p95_ms(itertools.chain(*busy.values()))
    ratios = {name: round(_p95_ms(busy[name]) / _p95_ms(quiet[name]), 2) for name in quiet}
    return {
        "p95_ms_without": round(without, 1),
        "p95_ms": round(beside, 1),
        "p95_ratio": round(beside / without, 2),
        "p95_ratio_of_the_worst_list": max(ratios.values()),
    }


async def _ask_beside_listeners(
    http: httpx.AsyncClient, engine: AsyncEngine, port: str, size: ReadSize
) -> tuple[Seconds, Report]:
    with _start("listen", port, str(size.listeners)) as listeners:
        assert await _read_line(listeners) == "listening"
        written: list[int] = []
        writing = asyncio.create_task(_change(engine, size, written))
        seconds = await _ask_all(http, size, size.rounds)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await asyncio.sleep(SETTLE_SECONDS)
        assert listeners.stdin
        listeners.stdin.close()
        heard = json.loads(await _read_line(listeners))
    return seconds, {"changes": sum(written), "changes_missed_by_a_listener": sum(written) - min(heard)}


async def _change(engine: AsyncEngine, size: ReadSize, written: list[int]) -> None:
    """Change jobs and executions in turn, at a steady rate, each of them once a round of all."""
    numbers = itertools.cycle(range(1, min(size.jobs, size.executions) - AT_ONCE, AT_ONCE))
    began = time.monotonic()
    for turn, first in enumerate(numbers):
        statement, find = (CHANGE_JOBS, job_id) if turn % 2 else (CHANGE_RUNS, execution_id)
        async with engine.begin() as connection:
            ids = [find(number) for number in range(first, first + AT_ONCE)]
            changed = await connection.execute(statement, {"ids": ids})
        written.append(changed.rowcount)
        await asyncio.sleep(began + (turn + 1) * AT_ONCE / size.changes - time.monotonic())


async def _ask_all(http: httpx.AsyncClient, size: ReadSize, rounds: int) -> Seconds:
    """Ask for the first page of each list, round by round."""
    found: Seconds = {asked.name: [] for asked in list_asked(size)}
    for _ in range(rounds):
        for asked in list_asked(size):
            began = time.perf_counter()
            answer = await http.get(asked.url(page=1))
            found[asked.name].append(time.perf_counter() - began)
            answer.raise_for_status()
    return found


def _p95_ms(seconds: Any) -> float:
    return quantiles(seconds, n=20)[18] * 1000


@contextmanager
def _start(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the processes until the block ends."""
    command = [sys.executable, str(PROCESSES), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


async def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return (await asyncio.to_thread(process.stdout.readline)).strip()
