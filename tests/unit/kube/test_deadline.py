"""A deadline limits all that is asked under it, in tasks that are started there too."""

from __future__ import annotations

import asyncio
import math

import pytest
from kubernetes.aio import client

from sundial_kube.client import KubeClient
from sundial_kube.deadline import compute_remaining, find_deadline, within
from sundial_kube.errors import ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOBS


def test_without_one_nothing_is_limited() -> None:
    assert compute_remaining() == math.inf
    find_deadline().put_off(5)
    assert compute_remaining() == math.inf


def test_an_earlier_one_around_it_stays() -> None:
    with within(1), within(50):
        assert compute_remaining() <= 1
    assert compute_remaining() == math.inf


def test_it_may_be_put_off_and_lifted() -> None:
    with within(0) as deadline:
        assert compute_remaining() == 0
        deadline.put_off(50)
        assert 40 < compute_remaining() <= 50
        deadline.lift()
        assert compute_remaining() == math.inf


async def test_tasks_have_it_too() -> None:
    async def compute() -> float:
        return compute_remaining()

    with within(1):
        assert await asyncio.create_task(compute()) <= 1


@pytest.mark.parametrize("seconds", [0.2, 0.0], ids=["a moment", "no time at all"])
async def test_an_api_server_that_hangs_is_waited_for_until_then(seconds: float) -> None:
    is_over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with KubeClient(client.Configuration(host=host), request_seconds=600) as kube:
        with within(seconds), pytest.raises(ApiUnreachable):
            await kube.get(SCHEDULED_JOBS, "team", "tick")
    is_over.set()
    server.close()
