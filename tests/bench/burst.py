"""How late is the last of 1,000 Jobs that are due at once: a bare loop, Sundial, Kubernetes' own CronJob?

All take turns on one control plane with simulated nodes, which is cleared in between. Progress goes to
standard error, the figures as JSON to standard output; exit status 1 when a contestant lost or doubled a Job.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
from bench.burst_contestants import (
    CONTESTANTS,
    IN_ROUNDS,
    Contestant,
    Kind,
    run_bare_loop,
    set_up_schedules,
)
from bench.burst_figures import (
    Outcome,
    compare,
    compare_rounds,
    describe_outcome,
    is_complete,
)
from bench.burst_sightings import Sightings, follow
from bench.harness.arena import (
    RAISED_FLAGS,
    Foreseen,
    clear,
    find_access,
    open_namespace,
    read_servers_cpu,
    set_manager_flags,
    wait_quiet,
)
from bench.harness.clusters import (
    NAMESPACE,
    describe_machine,
    find_operator_log,
    open_cluster,
)
from bench.harness.command import add_output, explain_ends, print_report
from bench.harness.operators import run_operator
from bench.harness.requests import (
    JOBS,
    Access,
    list_items,
    open_session,
)
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_devcluster.polling import until_async

PATIENCE_SECONDS = 600
SETTLE_SECONDS = 3
ROUNDS = 5
"""How often the loops and Sundial take turns: a machine's speed changes more from one to the next than
what is measured."""


class Burst:
    """One run of the bench: a cluster, a session to it, and where progress is shown."""

    def __init__(self, cluster: Cluster, jobs: int, progress: Progress) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._progress = progress
        self._access: Access = find_access(cluster)
        self._are_pods_awaited = True

    async def measure(self, names: list[str], rounds: int) -> tuple[dict[str, Any], list[dict[str, float]]]:
        """Let the contestants take turns; return their figures by name, and the last Jobs of the rounds."""
        figures = {}
        async with open_session(self._access) as session:
            await open_namespace(session, NAMESPACE)
            last = [await self._measure_round(session, number) for number in range(rounds)]
            for name in names:
                outcome = await self._take_turn(session, CONTESTANTS[name])
                figures[name] = describe_outcome(outcome, self._jobs)
                job, pod = (figures[name][f"last_{what}_seconds"] for what in ("job", "pod"))
                self._say(f"{name}: last Job {job} s late, last Pod {pod} s late")
        return figures, last

    async def _measure_round(self, session: aiohttp.ClientSession, number: int) -> dict[str, float]:
        """Let the loops and Sundial create Jobs once more, without waiting for Pods."""
        last = {}
        for one in IN_ROUNDS:
            name, contestant = one.name, replace(one, name=f"{one.name}-{number}")
            outcome = await self._take_turn(session, contestant, are_pods_awaited=False)
            figures = describe_outcome(outcome, self._jobs)
            if not figures["made_exactly_one_job_each"]:
                raise Foreseen(f"{name} lost or doubled Jobs in round {number + 1}")
            last[name] = float(figures["last_job_seconds"])
        self._say(f"round {number + 1}: last Job {last} s late")
        return last

    async def _take_turn(
        self, session: aiohttp.ClientSession, contestant: Contestant, *, are_pods_awaited: bool = True
    ) -> Outcome:
        ns = f"burst-{contestant.name}"
        self._are_pods_awaited = are_pods_awaited
        set_manager_flags(self._cluster, contestant.flags)
        await open_namespace(session, ns)
        await wait_quiet(self._cluster)
        async with follow(session, ns) as sightings, self._shown(contestant.name, sightings):
            if contestant.kind in (Kind.BARE, Kind.MARKED):
                due, cpu = await self._run_bare(ns, sightings, is_marked=contestant.kind is Kind.MARKED)
            else:
                due, cpu = await self._run_schedules(session, contestant, ns, sightings)
        listed = await list_items(session, JOBS.format(ns=ns))
        self._say(f"{contestant.name}: clearing up")
        if not are_pods_awaited:
            set_manager_flags(self._cluster, RAISED_FLAGS)
        await clear(self._cluster, session, ns)
        flags = "raised" if contestant.flags else "default"
        return Outcome(flags, due, sightings, len(listed), len(sightings.job_owners), cpu)

    async def _run_bare(
        self, ns: str, sightings: Sightings, *, is_marked: bool
    ) -> tuple[float, dict[str, float]]:
        before = read_servers_cpu(self._cluster)
        printed = await run_bare_loop(self._access, ns, self._jobs, is_marked=is_marked)
        await self._wait(sightings.jobs)
        cpu = self._used(before) | {"creator": printed["cpu_seconds"]}
        await self._wait_for_pods(sightings)
        return printed["began"], cpu

    async def _run_schedules(
        self, session: aiohttp.ClientSession, contestant: Contestant, ns: str, sightings: Sightings
    ) -> tuple[float, dict[str, float]]:
        async with AsyncExitStack() as stack:
            operator = None
            if contestant.kind is Kind.SUNDIAL:
                running = run_operator(self._cluster.kubeconfig, find_operator_log(self._cluster))
                operator = await stack.enter_async_context(running)
            due = await set_up_schedules(session, contestant.kind, ns, self._jobs)
            before = read_servers_cpu(self._cluster)
            before |= {"creator": operator.cpu_seconds} if operator else {}
            await self._wait(sightings.jobs)
            cpu = self._used(before)
            cpu |= {"creator": operator.cpu_seconds - before["creator"]} if operator else {}
            await self._wait_for_pods(sightings)
        return due.timestamp(), cpu

    def _used(self, before: dict[str, float]) -> dict[str, float]:
        now = read_servers_cpu(self._cluster)
        return {name: now[name] - before[name] for name in now}

    async def _wait_for_pods(self, sightings: Sightings) -> None:
        if self._are_pods_awaited:
            await self._wait(sightings.started)
        await asyncio.sleep(SETTLE_SECONDS)

    async def _wait(self, seen: dict[str, float]) -> None:
        """Wait until all are seen, or until nothing can be expected any more: the figures then show it."""
        with contextlib.suppress(TimeoutError):
            await until_async(lambda: len(seen) >= self._jobs, PATIENCE_SECONDS)

    @asynccontextmanager
    async def _shown(self, name: str, sightings: Sightings) -> AsyncIterator[None]:
        """Show how many Jobs and Pods have been seen."""
        bar = self._progress.add_task(name, total=2 * self._jobs, seen="")

        async def show() -> None:
            while True:
                jobs, pods = len(sightings.jobs), len(sightings.started)
                self._progress.update(bar, completed=jobs + pods, seen=f"{jobs} Jobs, {pods} Pods started")
                await asyncio.sleep(0.5)

        shower = asyncio.create_task(show())
        try:
            yield
        finally:
            shower.cancel()
            self._progress.remove_task(bar)

    def _say(self, text: str) -> None:
        self._progress.console.log(text, markup=False, highlight=False)


def run(jobs: int, names: list[str], rounds: int = ROUNDS) -> dict[str, Any]:
    """Start a cluster, measure, and end it whatever happens; return the whole report."""
    console = Console(stderr=True)
    console.log(
        f"{jobs} Jobs at once, {', '.join(names)}: about {estimate_minutes(jobs, names, rounds)} minutes"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[seen]}"))
    with open_cluster(ClusterConfig(f"burst-{os.getpid()}", Nodes.KWOK), console.log) as cluster:
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            figures, rounds_seen = asyncio.run(Burst(cluster, jobs, progress).measure(names, rounds))
        machine = describe_machine(cluster)
    return {
        "jobs": jobs,
        "complete": is_complete(figures, jobs),
        "rounds": rounds_seen,
        "ratios": compare_rounds(rounds_seen) | compare(figures),
        "contestants": figures,
        "raised_flags": RAISED_FLAGS,
        "machine": machine,
    }


def estimate_minutes(jobs: int, names: list[str], rounds: int) -> int:
    """Estimate how long a run takes: the default flags allow 8 Pods a second, CronJob half of that."""
    per_job = {"cronjob": 0.22, "bare": 0.12, "sundial": 0.12}
    seconds = sum(per_job.get(name, 0.01) * jobs + 60 + 0.04 * jobs for name in names)
    return round((seconds + rounds * len(IN_ROUNDS) * (45 + 0.05 * jobs)) / 60) or 1


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1000, help="how many are due at once [1000]")
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, in order [%(default)s]")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="of the loops and Sundial, Jobs only [%(default)s]"
    )
    add_output(parser)
    arguments = parser.parse_args()
    arguments.names = arguments.only.split(",")
    unknown = set(arguments.names) - set(CONTESTANTS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(CONTESTANTS)}")
    if len(set(arguments.names)) < len(arguments.names):
        parser.error("name each contestant once; --rounds says how often the loops and Sundial take turns")
    return arguments


def main() -> None:
    """Run the bench as a command."""
    arguments = parse_arguments()
    with explain_ends():
        report = run(arguments.jobs, arguments.names, arguments.rounds)
    print_report(report, arguments.output)
    sys.exit(0 if report["complete"] else 1)


if __name__ == "__main__":
    main()
