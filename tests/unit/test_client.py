"""What the client does when nobody answers."""

from __future__ import annotations

import asyncio
import socket

import pytest
from kubernetes.aio.client import Configuration

from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiUnreachable
from sundial_kube.resources import LEASES


async def test_a_request_without_an_answer_ends_after_the_seconds_that_were_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silence:
        configuration = Configuration(host=f"http://127.0.0.1:{silence.getsockname()[1]}")
        async with KubeClient(configuration, request_seconds=0.1) as client, asyncio.timeout(10):
            with pytest.raises(ApiUnreachable):
                await client.get(LEASES, "ns", "name")
