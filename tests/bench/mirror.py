"""How soon is the cluster in the database? The first sync of everything, then the lag of single changes.

Jobs are changed by an annotation; nothing runs them. A row's instant is that of its commit, which Postgres
keeps. Progress goes to standard error, the figures go as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from bench.harness.arena import (
    find_access,
    open_namespace,
    read_cpu_seconds,
    read_memory_mb,
)
from bench.harness.clusters import describe_machine, open_cluster
from bench.harness.command import (
    Report,
    Show,
    add_output,
    explain_ends,
    open_show,
    print_report,
)
from bench.harness.requests import (
    JOBS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
    create_all,
    list_items,
    open_session,
)
from bench.scale_manifests import (
    FUNCTIONS,
    build_finished_job,
    build_function,
    build_schedule,
)
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sundial_api.db import migrations
from sundial_api.db.engine import build_migration_engine, parse_url
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_devcluster.postgres import Postgres, get_programs, make_postgres

NS = "mirrored"
SYNC_TIMEOUT_SECONDS = 180
LOOK_SECONDS = 0.05
SYNCED = "SELECT last_synced_at IS NOT NULL FROM scheduler_mirror_state"
COMMITTED = (
    "SELECT CAST(attempts->0->'job'->>'uid' AS text), CAST(attempts->0->'job'->'version'->>1 AS bigint),"
    " extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM scheduled_job_executions"
)


@dataclass(frozen=True)
class Size:
    """How large the bench is; changes come at `rate` a second, each of another Job."""

    schedules: int = 10_000
    jobs_each: int = 3
    rate: int = 100
    seconds: int = 60


@contextmanager
def open_postgres() -> Iterator[Postgres]:
    """Start a migrated server that keeps the instants of commits; end it with the block."""
    server = make_postgres(get_programs())
    try:
        server.create()
        server.start()
        _execute(server.url(), "ALTER SYSTEM SET track_commit_timestamp = on")
        server.stop()
        server.start()
        settings = DatabaseSettings(database_url=server.url())
        migrations.upgrade(build_migration_engine(settings), "head", 60)
        yield server
    finally:
        if server.is_running():
            server.stop("immediate")
        shutil.rmtree(server.folder)


@contextmanager
def run_mirror(cluster: Cluster, url: str) -> Iterator[int]:
    """Run the mirror as a process; yields its pid."""
    environment = os.environ | {
        "KUBECONFIG": str(cluster.kubeconfig),
        "SUNDIAL_API_DATABASE_URL": url,
        "SUNDIAL_NAMESPACE": NS,
    }
    with (cluster.folder / "logs" / "mirror.log").open("ab") as log:
        command = [sys.executable, "-m", "sundial_api.mirror"]
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


async def populate(session: aiohttp.ClientSession, size: Size, show: Show) -> list[dict[str, Any]]:
    """Create functions, schedules, and Jobs that nobody runs; returns the Jobs."""
    await open_namespace(session, NS)
    await create_all(session, TASK_FUNCTIONS.format(ns=NS), map(build_function, range(FUNCTIONS)))
    now, schedules = datetime.now(UTC), range(size.schedules)
    manifests = (build_schedule(number, now) for number in show.count(schedules, size.schedules, "schedules"))
    await create_all(session, SCHEDULED_JOBS.format(ns=NS), manifests)
    parents = await list_items(session, SCHEDULED_JOBS.format(ns=NS))
    jobs = (build_finished_job(parent, day + 1) for parent in parents for day in range(size.jobs_each))
    in_all = size.schedules * size.jobs_each
    await create_all(session, JOBS.format(ns=NS), show.count(jobs, in_all, "jobs"))
    return await list_items(session, JOBS.format(ns=NS))


async def measure_sync(url: str, pid: int, size: Size) -> Report:
    """Wait until a mirror that has just been started has written all; returns how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(SYNC_TIMEOUT_SECONDS):
        while not _read(url, SYNCED)[0][0]:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - began
    counts = "SELECT (SELECT count(*) FROM scheduled_jobs), (SELECT count(*) FROM scheduled_job_executions)"
    found = tuple(_read(url, counts)[0])
    assert found == (size.schedules, size.schedules * size.jobs_each), found
    return {
        "schedules": found[0],
        "jobs": found[1],
        "seconds": round(seconds, 2),
        "cpu_seconds": round(read_cpu_seconds(pid), 2),
        "resident_mb": read_memory_mb(pid, "VmRSS"),
    }


async def measure_lag(
    session: aiohttp.ClientSession, url: str, jobs: list[dict[str, Any]], size: Size
) -> Report:
    """Change Jobs at an even rate; returns how long it took from each answer to the commit of its row."""
    changed: dict[tuple[str, int], float] = {}
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, job in enumerate(jobs[: size.rate * size.seconds]):
            await asyncio.sleep(max(0.0, began + number / size.rate - time.monotonic()))
            group.create_task(_change(session, job, changed))
    seconds = time.monotonic() - began
    async with asyncio.timeout(30):
        while len(lags := _find_lags(url, changed)) < len(changed):  # noqa: ASYNC110
            await asyncio.sleep(1)
    return {"changes_per_second": round(len(changed) / seconds, 1), **_summarise(lags)}


async def _change(
    session: aiohttp.ClientSession, job: dict[str, Any], changed: dict[tuple[str, int], float]
) -> None:
    """Change a Job; noted is the instant before its answer was read, so that no lag shows too short."""
    name = job["metadata"]["name"]
    body = orjson.dumps({"metadata": {"annotations": {"bench.sundial.dev/touched": name}}})
    headers = {"Content-Type": "application/merge-patch+json"}
    async with session.patch(f"{JOBS.format(ns=NS)}/{name}", data=body, headers=headers) as answer:
        at = time.time()
        answer.raise_for_status()
        metadata = orjson.loads(await answer.read())["metadata"]
    changed[metadata["uid"], int(metadata["resourceVersion"])] = at


def _find_lags(url: str, changed: dict[tuple[str, int], float]) -> list[float]:
    rows = {(uid, version): float(at) for uid, version, at in _read(url, COMMITTED)}
    return [rows[key] - at for key, at in changed.items() if key in rows]


def _summarise(lags: list[float]) -> Report:
    cuts = statistics.quantiles(lags, n=100)
    shown = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "most": max(lags)}
    return {"changes": len(lags)} | {f"{name}_ms": round(value * 1000) for name, value in shown.items()}


def _read(url: str, query: str) -> list[Any]:
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        return list(connection.execute(text(query)).all())


def _execute(url: str, statement: str) -> None:
    engine = create_engine(parse_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


async def measure(cluster: Cluster, postgres: Postgres, size: Size, show: Show) -> Report:
    """Fill the cluster, then mirror it, then change it."""
    async with open_session(find_access(cluster)) as session:
        jobs = await populate(session, size, show)
        show.say("syncing")
        with run_mirror(cluster, postgres.url()) as pid:
            sync = await measure_sync(postgres.url(), pid, size)
            show.say(f"synced in {sync['seconds']} s; changing {size.rate} Jobs/s")
            lag = await measure_lag(session, postgres.url(), jobs, size)
    return {"first_sync": sync, "lag": lag}


def run(size: Size) -> Report:
    """Start a cluster and a database, measure, and end them whatever happens."""
    config = ClusterConfig(f"mirror-{os.getpid()}", Nodes.NONE)
    with open_show() as show, open_postgres() as postgres, open_cluster(config, show.say) as cluster:
        figures = asyncio.run(measure(cluster, postgres, size, show))
        return {**figures, "machine": describe_machine(cluster)}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=Size.schedules, help="[%(default)s]")
    parser.add_argument("--seconds", type=int, default=Size.seconds, help="of changes [%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        report = run(Size(schedules=arguments.schedules, seconds=arguments.seconds))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
