"""When did each Job and Pod appear? Arrival times at one watch each, on this machine's clock.

The objects' own creationTimestamp has whole seconds only; it is kept as a cross-check.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import orjson
from bench.harness.requests import JOBS, PODS, watch

Take = Callable[[dict[str, Any], float], None]


@dataclass
class Sightings:
    """When each object of one namespace was first seen so, by UID, in seconds of the epoch.

    Pods go by the UID of their Job: of several Pods of one Job the first counts.
    """

    jobs: dict[str, float] = field(default_factory=dict)
    job_stamps: dict[str, float] = field(default_factory=dict)
    job_owners: set[str] = field(default_factory=set)
    pods: dict[str, float] = field(default_factory=dict)
    scheduled: dict[str, float] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)

    def take_job(self, item: dict[str, Any], now: float) -> None:
        """Take an event of a Job."""
        metadata = item["metadata"]
        self.jobs[metadata["uid"]] = now
        stamp = datetime.fromisoformat(metadata["creationTimestamp"])
        self.job_stamps[metadata["uid"]] = stamp.timestamp()
        self.job_owners |= {owner["uid"] for owner in metadata.get("ownerReferences", ())}

    def take_pod(self, item: dict[str, Any], now: float) -> None:
        """Take an event of a Pod."""
        uid = item["metadata"]["ownerReferences"][0]["uid"]
        self.pods.setdefault(uid, now)
        if item["spec"].get("nodeName"):
            self.scheduled.setdefault(uid, now)
        if item["status"]["phase"] != "Pending":
            self.started.setdefault(uid, now)


@asynccontextmanager
async def follow(session: aiohttp.ClientSession, ns: str) -> AsyncIterator[Sightings]:
    """Watch the Jobs and Pods of an empty namespace; a watch that breaks ends the block."""
    sightings = Sightings()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_follow(session, JOBS.format(ns=ns), b'{"type":"ADDED"', sightings.take_job)),
            group.create_task(_follow(session, PODS.format(ns=ns), b'{"type":', sightings.take_pod)),
        ]
        yield sightings
        for task in tasks:
            task.cancel()


async def _follow(session: aiohttp.ClientSession, path: str, wanted: bytes, take: Take) -> None:
    """Take each event that begins as wanted: most of a Job's are changes, and parsing costs."""
    async for lines in watch(session, path):
        now = time.time()
        for line in lines.split(b"\n"):
            if line.startswith(wanted):
                event = orjson.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    take(event["object"], now)
    raise ConnectionError(f"the watch of {path} ended")
