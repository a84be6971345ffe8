"""How late are Jobs at a steady 20 starts a second, and at which rate does p99 pass one second?

Each schedule is due every ten seconds, as many of them in each second. A Job is seen by a watch; its lateness
is the arrival less its slot. Pods run on simulated nodes, with raised flags of the controller manager, and
history is deleted all the while. Progress goes to standard error, the figures as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from bench.harness.arena import (
    RAISED_FLAGS,
    SERVERS,
    find_access,
    open_namespace,
    read_busy_seconds,
    read_servers_cpu,
    wait_quiet,
)
from bench.harness.clusters import (
    describe_machine,
    find_operator_log,
    install,
    open_cluster,
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
    create_all,
    open_session,
    watch,
)
from bench.rate_figures import (
    Starts,
    describe_lateness,
    find_knee,
    is_past_knee,
)
from bench.steady_manifests import build_steady_job

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_devcluster.polling import until_async

NS = "rate"
PERIOD_SECONDS = 10
WARM_UP_SECONDS = 15
PATIENCE_SECONDS = 30
STEPS = (30, 40, 50, 60, 80, 100, 120, 150, 200, 300)
SETTINGS = {"SUNDIAL_TOMBSTONE_SECONDS": "10"}
"""So that deleting is part of the steady state from the beginning."""

ALL_SERVERS = (*SERVERS, "kube-scheduler", "kwok")


@dataclass(frozen=True)
class Size:
    """How large the bench is: the rate and its seconds, then the steps towards the knee and theirs."""

    rate: int = 20
    seconds: int = 60
    steps: tuple[int, ...] = STEPS
    step_seconds: int = 20


class Rate:
    """One run of the bench on one cluster."""

    def __init__(self, cluster: Cluster, size: Size, show: Show) -> None:
        self._cluster = cluster
        self._size = size
        self._show = show
        self._schedules = 0
        self._starts = Starts()

    async def measure(self) -> Report:
        """Measure the rate that is asked for, then higher ones until one is too much."""
        async with open_session(find_access(self._cluster)) as session:
            self._session = session
            kubeconfig = await install(self._cluster, session)
            await open_namespace(session, NS)
            await wait_quiet(self._cluster)
            log = find_operator_log(self._cluster)
            async with run_operator(kubeconfig, log, **SETTINGS) as operator, self._follow():
                await operator.wait_planned(0)
                steady = await self._take_step(operator, self._size.rate, self._size.seconds)
                steps = [steady]
                for rate in self._size.steps:
                    if is_past_knee(steps[-1]):
                        break
                    steps.append(await self._take_step(operator, rate, self._size.step_seconds))
        return {"steady": steady, "knee": find_knee(steps), "steps": steps, "doubled": self._starts.doubled}

    async def _take_step(self, operator: Operator, rate: int, seconds: int) -> Report:
        """Raise the number of schedules to that of a rate, let it become steady, and measure."""
        await self._create_schedules(rate * PERIOD_SECONDS)
        await asyncio.sleep(WARM_UP_SECONDS)
        since = math.ceil(time.time())
        await asyncio.sleep(since - time.time())
        before = self._read_cpu(operator)
        await asyncio.sleep(seconds)
        used = {name: cpu - before[name] for name, cpu in self._read_cpu(operator).items()}
        figures = await self._describe(since, since + seconds, rate * seconds)
        cores = {name: round(cpu / seconds, 2) for name, cpu in used.items()}
        self._show.say(f"{rate} a second: p99 {figures['p99_seconds']} s late; cores {cores}")
        return {
            "per_second": rate,
            "seconds": seconds,
            **figures,
            "cores": cores,
            **operator.read_memory_mb(),
        }

    async def _describe(self, since: int, until: int, wanted: int) -> Report:
        """Wait for what is late, but not for ever, and describe the window."""
        try:
            await until_async(
                lambda: len(self._starts.find_lateness(since, until)) >= wanted, PATIENCE_SECONDS, 0.5
            )
        except TimeoutError:
            self._show.say("some Jobs have not come")
        return describe_lateness(self._starts.find_lateness(since, until), wanted)

    async def _create_schedules(self, wanted: int) -> None:
        numbers, now = range(self._schedules, wanted), datetime.now(UTC)
        manifests = (build_steady_job(number, now, PERIOD_SECONDS) for number in numbers)
        shown = self._show.count(manifests, len(numbers), "ScheduledJobs")
        await create_all(self._session, SCHEDULED_JOBS.format(ns=NS), shown)
        self._schedules = max(self._schedules, wanted)

    def _read_cpu(self, operator: Operator) -> dict[str, float]:
        """Read the CPU time of all that take part, of this bench, and of the whole machine."""
        return {
            "operator": operator.cpu_seconds,
            **read_servers_cpu(self._cluster, ALL_SERVERS),
            "bench": time.process_time(),
            "machine": read_busy_seconds(),
        }

    @asynccontextmanager
    async def _follow(self) -> AsyncIterator[None]:
        """Watch the Jobs; a watch that breaks ends the block."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._watch(self._session))
            yield
            task.cancel()

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        async for lines in watch(session, JOBS.format(ns=NS)):
            now = time.time()
            for line in lines.split(b"\n"):
                if line.startswith(b'{"type":"ADDED"'):
                    self._starts.take(*read_start(orjson.loads(line)["object"]), now)
        raise ConnectionError("the watch of the Jobs ended")


def read_start(job: dict[str, Any]) -> tuple[str, float]:
    """Read a Job's schedule and slot."""
    metadata = job["metadata"]
    slot = metadata["annotations"]["sundial.dev/scheduled-for"]
    return metadata["ownerReferences"][0]["uid"], datetime.fromisoformat(slot).timestamp()


def run(size: Size) -> Report:
    """Start a cluster, measure, and end it whatever happens; return the whole report."""
    config = ClusterConfig(f"rate-{os.getpid()}", Nodes.KWOK, controller_manager_flags=RAISED_FLAGS)
    with open_show() as show, open_cluster(config, show.say) as cluster:
        figures = asyncio.run(Rate(cluster, size, show).measure())
        machine = describe_machine(cluster)
    return {**figures, "machine": machine}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=Size.rate, help="starts a second [%(default)s]")
    parser.add_argument("--seconds", type=int, default=Size.seconds, help="[%(default)s]")
    parser.add_argument(
        "--steps", type=int, nargs="*", default=Size.steps, help="then these rates %(default)s"
    )
    parser.add_argument("--step-seconds", type=int, default=Size.step_seconds, help="[%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        steps = tuple(arguments.steps)
        report = run(Size(arguments.rate, arguments.seconds, steps, arguments.step_seconds))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
