"""How many writes does a successful run cost? Counted by the API server's audit log over 100 runs.

The schedules are in a steady state: a run ends while others start, and its Job is deleted later. Runs last
long enough to be reported as running. Progress goes to standard error, the figures go
as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from bench.harness.arena import RAISED_FLAGS, find_access, open_namespace
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
from bench.harness.operators import run_operator
from bench.harness.requests import (
    SCHEDULED_JOBS,
    create_all,
    list_items,
    open_session,
)
from bench.steady_manifests import build_steady_job

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes

NS = "writes"
PERIOD_SECONDS = 20
RUN_SECONDS = 6.0
"""Longer than a status waits for what may follow: shorter runs cost one status less."""

WARM_UP_PERIODS = 3
SETTINGS = {"SUNDIAL_TOMBSTONE_SECONDS": "5"}


@dataclass(frozen=True)
class Size:
    """How large the bench is: so many schedules, each with so many runs that count."""

    schedules: int = 20
    runs_each: int = 5


async def measure(cluster: Cluster, size: Size, show: Show) -> Report:
    """Let the schedules run until deletions are part of it, then count the writes of whole periods."""
    async with open_session(find_access(cluster)) as session:
        kubeconfig = await install(cluster, session)
        await open_namespace(session, NS)
        now = datetime.now(UTC)
        schedules = [
            build_steady_job(number, now, PERIOD_SECONDS, RUN_SECONDS) for number in range(size.schedules)
        ]
        async with run_operator(kubeconfig, find_operator_log(cluster), **SETTINGS) as operator:
            await operator.wait_planned(0)
            await create_all(session, SCHEDULED_JOBS.format(ns=NS), schedules)
            show.say(f"warming up for {WARM_UP_PERIODS * PERIOD_SECONDS} s")
            await asyncio.sleep(WARM_UP_PERIODS * PERIOD_SECONDS)
            began, runs = time.time(), await _count_successes(session)
            show.say(f"counting for {size.runs_each * PERIOD_SECONDS} s")
            await asyncio.sleep(began + size.runs_each * PERIOD_SECONDS - time.time())
            ended, runs = time.time(), await _count_successes(session) - runs
    return describe(summarise(read_writes(find_audit_log(cluster), began, ended)), runs)


async def _count_successes(session: aiohttp.ClientSession) -> int:
    """Count the Jobs that were started, all of which succeed."""
    items = await list_items(session, SCHEDULED_JOBS.format(ns=NS))
    statuses = [item.get("status", {}) for item in items]
    assert all(status.get("lastResult", "Succeeded") == "Succeeded" for status in statuses)
    return sum(status.get("counters", {}).get("verdicts", {}).get("started", 0) for status in statuses)


def describe(writes: dict[str, dict[str, int]], runs: int) -> Report:
    """Return the writes of that many runs, in all and for each of them."""
    stored = writes["stored"]
    per_run = {what: round(count / runs, 2) for what, count in stored.items()} if runs else {}
    in_all = round(sum(stored.values()) / runs, 2) if runs else None
    return {"runs": runs, "writes_per_run": in_all, "by_request": per_run, "counted": writes}


def run(size: Size) -> Report:
    """Start a cluster, measure, and end it whatever happens; return the whole report."""
    config = ClusterConfig(f"writes-{os.getpid()}", Nodes.KWOK, controller_manager_flags=RAISED_FLAGS)
    with open_show() as show, open_audited_cluster(config, show.say) as cluster:
        figures = asyncio.run(measure(cluster, size, show))
        machine = describe_machine(cluster)
    return {"run_seconds": RUN_SECONDS, **figures, "machine": machine}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=Size.schedules, help="[%(default)s]")
    parser.add_argument("--runs-each", type=int, default=Size.runs_each, help="[%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        report = run(Size(arguments.schedules, arguments.runs_each))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
