"""What the client and the reflector do when nobody answers, or a list expires."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiUnreachable
from sundial_kube.reflector import Reflector
from sundial_kube.resources import JOBS, LEASES
from sundial_kube.store import Store

EXPIRED = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'


async def test_a_request_without_an_answer_ends_after_the_seconds_that_were_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silence:
        configuration = Configuration(host=f"http://127.0.0.1:{silence.getsockname()[1]}")
        async with KubeClient(configuration, request_seconds=0.1) as client, asyncio.timeout(10):
            with pytest.raises(ApiUnreachable):
                await client.get(LEASES, "ns", "name")


async def test_a_write_never_goes_on_for_longer_than_the_gate_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silence:
        configuration = Configuration(host=f"http://127.0.0.1:{silence.getsockname()[1]}")
        async with KubeClient(configuration, gate=lambda: 0.1) as client, asyncio.timeout(10):
            with pytest.raises(ApiUnreachable):
                await client.create(LEASES, "ns", {})


async def test_a_list_that_expires_is_to_be_tried_again() -> None:
    async def expire(_: web.Request) -> web.Response:
        return web.Response(body=EXPIRED)

    application = web.Application()
    application.router.add_get("/{path:.*}", expire)
    store: Store[Any] = Store(dict, lambda *_: None, lambda *_: None)
    async with (
        TestServer(application) as server,
        KubeClient(Configuration(str(server.make_url("")))) as client,
    ):
        with pytest.raises(ApiUnreachable, match="the list of jobs has expired"):
            await Reflector(client, JOBS, store).list_consistently()
