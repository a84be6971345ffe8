"""Creates Jobs in a plain loop and prints when it began: what any program that creates Jobs can reach.

One process, aiohttp, ready-made bytes, 16 requests under way; answers are read and not parsed. Marked Jobs
are as Sundial makes them. The first argument is JSON: {server, authority, certificate, key, namespace, jobs,
is_marked}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
from bench.burst_manifests import build_job, build_marked_job
from bench.harness.requests import Access, open_session

CONCURRENCY = 16


async def create_jobs(session: aiohttp.ClientSession, ns: str, bodies: Iterator[bytes]) -> None:
    """Create the Jobs; raises aiohttp.ClientResponseError when one is refused."""
    path = f"/apis/batch/v1/namespaces/{ns}/jobs"

    async def work() -> None:
        for body in bodies:
            async with session.post(path, data=body) as answer:
                answer.raise_for_status()
                await answer.read()

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def run(order: dict[str, Any]) -> dict[str, float]:
    """Create the Jobs; return when the loop began and ended and the CPU seconds that it took."""
    access = Access(*(order[name] for name in Access._fields))
    build = build_marked_job if order["is_marked"] else build_job
    bodies = [orjson.dumps(build(number)) for number in range(order["jobs"])]
    async with open_session(access) as session:
        began, cpu = time.time(), time.process_time()
        await create_jobs(session, order["namespace"], iter(bodies))
        return {"began": began, "ended": time.time(), "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
