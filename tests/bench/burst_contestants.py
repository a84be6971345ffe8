"""Who takes part in the burst, and how is each made to create its Jobs?"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import aiohttp
from bench.burst_manifests import build_cron_job, build_scheduled_job
from bench.harness.arena import RAISED_FLAGS, Foreseen
from bench.harness.requests import (
    CRON_JOBS,
    SCHEDULED_JOBS,
    Access,
    create_all,
    list_items,
)

TESTS = Path(__file__).parents[1]
FIXED_LEAD = timedelta(seconds=10)
LEAD_PER_JOB = timedelta(seconds=0.035)
"""How long before the due minute the set-up begins: creating, planning, and a pause."""

LEAST_PAUSE_SECONDS = 3.0


class Kind(StrEnum):
    """What creates the Jobs."""

    BARE = "bare"
    MARKED = "bare-marked"
    SUNDIAL = "sundial"
    CRONJOB = "cronjob"


@dataclass(frozen=True)
class Contestant:
    """A kind under the controller manager's default or raised flags."""

    name: str
    kind: Kind
    flags: tuple[str, ...]


CONTESTANTS = {
    contestant.name: contestant
    for flags, suffix in (((), ""), (RAISED_FLAGS, "-raised"))
    for contestant in (Contestant(kind + suffix, kind, flags) for kind in Kind if kind is not Kind.MARKED)
}

IN_ROUNDS = tuple(Contestant(kind, kind, ()) for kind in (Kind.BARE, Kind.MARKED, Kind.SUNDIAL))
"""Those that take turns again and again: what a loop can reach, with bare Jobs and with ours."""


class NotReady(Foreseen):
    """The set-up took longer than the time until the due minute."""


async def run_bare_loop(access: Access, ns: str, jobs: int, *, is_marked: bool = False) -> dict[str, float]:
    """Run the bare loop as a process of its own; returns what it printed."""
    order = json.dumps({**access._asdict(), "namespace": ns, "jobs": jobs, "is_marked": is_marked})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare_loop", order),
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise ChildProcessError(f"the bare loop ended with status {process.returncode}")
    printed: dict[str, float] = json.loads(output)
    return printed


def choose_due(now: datetime, jobs: int) -> datetime:
    """Choose the minute in which everything is due, far enough ahead for the set-up."""
    ready = now + FIXED_LEAD + jobs * LEAD_PER_JOB
    return ready.replace(second=0, microsecond=0) + timedelta(minutes=1)


async def set_up_schedules(session: aiohttp.ClientSession, kind: Kind, ns: str, jobs: int) -> datetime:
    """Create the schedules, wait until they are planned, then until just before the minute; return that."""
    due = choose_due(datetime.now(UTC), jobs)
    if kind is Kind.CRONJOB:
        path, build = CRON_JOBS.format(ns=ns), build_cron_job
    else:
        path, build = SCHEDULED_JOBS.format(ns=ns), build_scheduled_job
    await create_all(session, path, (build(number, due) for number in range(jobs)))
    if kind is Kind.SUNDIAL:
        await _wait_planned(session, path, jobs, due)
    left = (due - datetime.now(UTC)).total_seconds()
    if left < LEAST_PAUSE_SECONDS:
        raise NotReady(f"{kind} was ready only {left:.1f} s before its minute; the machine is too busy")
    await asyncio.sleep(left - 0.1)
    return due


async def _wait_planned(session: aiohttp.ClientSession, path: str, jobs: int, due: datetime) -> None:
    """Wait until each ScheduledJob shows the due minute as its next run."""
    planned = 0
    while planned < jobs:
        if datetime.now(UTC) > due:
            raise NotReady(f"the operator had planned {planned} of {jobs} ScheduledJobs when they were due")
        await asyncio.sleep(1)
        items = await list_items(session, path)
        planned = sum("nextRunTime" in item.get("status", {}) for item in items)
