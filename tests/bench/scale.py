"""How long does a restart take with 10,000 ScheduledJobs, and what does an idle operator cost?

Half of the schedules share TaskFunctions, none is due for days. Writes are counted by the API server's audit
log, CPU and memory read from /proc. Progress goes to standard error, the figures as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from bench.harness.arena import (
    find_access,
    open_namespace,
    read_busy_seconds,
    wait_quiet,
)
from bench.harness.audit import read_writes, summarise
from bench.harness.clusters import (
    describe_machine,
    find_audit_log,
    find_operator_log,
    install,
    open_audited_cluster,
)
from bench.harness.command import (
    Report,
    Show,
    add_output,
    explain_ends,
    open_show,
    print_report,
)
from bench.harness.operators import Operator, run_operator
from bench.harness.requests import (
    JOBS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
    create_all,
    list_items,
    open_session,
    send_all,
)
from bench.scale_manifests import (
    FUNCTIONS,
    build_finished_job,
    build_finished_status,
    build_function,
    build_schedule,
)

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_devcluster.polling import until_async

NS = "scale"
PATIENCE_SECONDS = 600
SETTLE_SECONDS = 10
KEPT_JOBS = {"SUNDIAL_MOST_FINISHED_JOBS": "1000", "SUNDIAL_MOST_FINISHED_JOBS_IN_ALL": "100000"}
"""The caps would delete the finished Jobs that this bench wants to have."""


@dataclass(frozen=True)
class Size:
    """How large the bench is."""

    schedules: int = 10_000
    jobs: int = 30_000
    idle_seconds: int = 60


class Scale:
    """One run of the bench on one cluster."""

    def __init__(self, cluster: Cluster, size: Size, show: Show) -> None:
        self._cluster = cluster
        self._size = size
        self._show = show

    async def measure(self) -> Report:
        """Plan, restart, idle; then restart and idle with finished Jobs."""
        async with open_session(find_access(self._cluster)) as session:
            self._session = session
            self._kubeconfig = await install(self._cluster, session)
            await self._create_schedules()
            report = {"first_start": await self._start_first()}
            report["restart"] = await self._restart()
            await self._create_jobs()
            report["restart_with_jobs"] = await self._restart()
        return report

    async def _create_schedules(self) -> None:
        await open_namespace(self._session, NS)
        functions = map(build_function, range(FUNCTIONS))
        await create_all(self._session, TASK_FUNCTIONS.format(ns=NS), functions)
        now, total = datetime.now(UTC), self._size.schedules
        schedules = (build_schedule(number, now) for number in range(total))
        path = SCHEDULED_JOBS.format(ns=NS)
        await create_all(self._session, path, self._show.count(schedules, total, "ScheduledJobs"))

    async def _create_jobs(self) -> None:
        """Create Jobs that have ended, in turn for each schedule."""
        parents = await list_items(self._session, SCHEDULED_JOBS.format(ns=NS))
        total = self._size.jobs
        jobs = [build_finished_job(parents[n % len(parents)], 1 + n // len(parents)) for n in range(total)]
        path = JOBS.format(ns=NS)
        await create_all(self._session, path, self._show.count(jobs, total, "Jobs"))
        status = orjson.dumps(build_finished_status(datetime.now(UTC)))
        names = (f"{path}/{job['metadata']['name']}/status" for job in jobs)
        ended = ((name, status) for name in self._show.count(names, total, "finished Jobs"))
        await send_all(self._session, "PATCH", ended)

    async def _start_first(self) -> Report:
        """Let the operator plan everything for the first time, which writes each status once."""
        async with self._run_operator() as operator:
            self._show.say("the first start, which writes each status")
            began = time.time()
            await operator.wait_planned(self._size.schedules, PATIENCE_SECONDS)
            await self._wait_current()
            return {
                "seconds": round(operator.age_seconds, 1),
                "cpu_seconds": round(operator.cpu_seconds, 1),
                "writes": self._count_writes(began),
                **operator.read_memory_mb(),
            }

    async def _restart(self) -> Report:
        """Restart with everything stored; then look at the operator while it has nothing to do."""
        await wait_quiet(self._cluster)
        before = await self._read_versions()
        began = time.time()
        async with self._run_operator() as operator:
            await operator.wait_planned(self._size.schedules, PATIENCE_SECONDS)
            seconds, cpu = operator.age_seconds, operator.cpu_seconds
            self._show.say(f"planned again after {seconds:.1f} s, {cpu:.1f} s of CPU")
            await asyncio.sleep(SETTLE_SECONDS)
            return {
                "seconds": round(seconds, 2),
                "cpu_seconds": round(cpu, 2),
                "writes": self._count_writes(began),
                "statuses_current": await self._are_current(),
                "unchanged": await self._read_versions() == before,
                "idle": await self._watch_idle(operator),
            }

    async def _watch_idle(self, operator: Operator) -> Report:
        seconds = self._size.idle_seconds
        self._show.say(f"watching the idle operator for {seconds} s")
        began, cpu, busy = time.time(), operator.cpu_seconds, read_busy_seconds()
        await asyncio.sleep(seconds)
        return {
            "seconds": seconds,
            "cpu_percent_of_a_core": round(100 * (operator.cpu_seconds - cpu) / seconds, 2),
            "machine_busy_cores": round((read_busy_seconds() - busy) / seconds, 2),
            "writes": self._count_writes(began),
            **operator.read_memory_mb(),
        }

    def _count_writes(self, since: float) -> dict[str, dict[str, int]]:
        return summarise(read_writes(find_audit_log(self._cluster), since, time.time()))

    async def _read_versions(self) -> set[tuple[str, str]]:
        items = await list_items(self._session, SCHEDULED_JOBS.format(ns=NS))
        return {(item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in items}

    async def _wait_current(self) -> None:
        await until_async(self._are_current, PATIENCE_SECONDS, every=1)

    async def _are_current(self) -> bool:
        items = await list_items(self._session, SCHEDULED_JOBS.format(ns=NS))
        return len(items) == self._size.schedules and all(map(is_current, items))

    @asynccontextmanager
    async def _run_operator(self) -> AsyncIterator[Operator]:
        log = find_operator_log(self._cluster)
        async with run_operator(self._kubeconfig, log, **KEPT_JOBS) as operator:
            yield operator


def is_current(item: dict[str, Any]) -> bool:
    """Tell whether a ScheduledJob's status is of its newest spec and names the next run."""
    status = item.get("status", {})
    return status.get("observedGeneration") == item["metadata"]["generation"] and "nextRunTime" in status


def run(size: Size) -> Report:
    """Start a cluster, measure, and end it whatever happens; return the whole report."""
    config = ClusterConfig(f"scale-{os.getpid()}", Nodes.NONE)
    with open_show() as show, open_audited_cluster(config, show.say) as cluster:
        figures = asyncio.run(Scale(cluster, size, show).measure())
        machine = describe_machine(cluster)
    return {"schedules": size.schedules, "finished_jobs": size.jobs, **figures, "machine": machine}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=Size.schedules, help="[%(default)s]")
    parser.add_argument("--jobs", type=int, default=Size.jobs, help="finished Jobs [%(default)s]")
    parser.add_argument("--idle-seconds", type=int, default=Size.idle_seconds, help="[%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        report = run(Size(arguments.schedules, arguments.jobs, arguments.idle_seconds))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
