"""How does the bench talk to the API server? Raw JSON with a client certificate; nothing of Sundial in it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import aiohttp
import orjson

SENT_AT_ONCE = 16
JOBS = "/apis/batch/v1/namespaces/{ns}/jobs"
CRON_JOBS = "/apis/batch/v1/namespaces/{ns}/cronjobs"
PODS = "/api/v1/namespaces/{ns}/pods"
TASK_FUNCTIONS = "/apis/sundial.dev/v1alpha1/namespaces/{ns}/taskfunctions"
SCHEDULED_JOBS = "/apis/sundial.dev/v1alpha1/namespaces/{ns}/scheduledjobs"


class Access(NamedTuple):
    """Where the API server is, and the files that prove either side to the other."""

    server: str
    authority: str
    certificate: str
    key: str


def open_session(access: Access) -> aiohttp.ClientSession:
    """Open a session of an administrator."""
    tls = ssl.create_default_context(cafile=access.authority)
    tls.load_cert_chain(access.certificate, access.key)
    return aiohttp.ClientSession(
        base_url=access.server,
        connector=aiohttp.TCPConnector(limit=64, ssl=tls),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        timeout=aiohttp.ClientTimeout(total=120),
    )


async def create(session: aiohttp.ClientSession, path: str, manifest: dict[str, Any]) -> None:
    """Create an object; raises aiohttp.ClientResponseError when it is refused."""
    async with session.post(path, data=orjson.dumps(manifest)) as answer:
        answer.raise_for_status()
        await answer.read()


async def create_all(session: aiohttp.ClientSession, path: str, manifests: Iterable[dict[str, Any]]) -> None:
    """Create objects, several at once."""
    await send_all(session, "POST", ((path, orjson.dumps(manifest)) for manifest in manifests))


async def send_all(
    session: aiohttp.ClientSession, method: str, requests: Iterable[tuple[str, bytes]]
) -> None:
    """Send requests, each a path and a body, several at once; a PATCH is a merge patch.

    Raises aiohttp.ClientResponseError when one is refused.
    """
    queue = iter(requests)
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"

    async def work() -> None:
        for path, body in queue:
            async with session.request(method, path, data=body, headers={"Content-Type": content}) as answer:
                answer.raise_for_status()
                await answer.read()

    await asyncio.gather(*(work() for _ in range(SENT_AT_ONCE)))


async def list_items(session: aiohttp.ClientSession, path: str) -> list[dict[str, Any]]:
    """List a collection as it is now.

    The API server answers 429 to the first requests for a kind of a CRD, while it prepares its cache.
    """
    while True:
        async with session.get(path) as answer:
            if answer.status != 429:
                answer.raise_for_status()
                items: list[dict[str, Any]] = orjson.loads(await answer.read())["items"]
                return items
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))


async def delete_all(session: aiohttp.ClientSession, path: str) -> None:
    """Delete a collection, and in the background what its objects own."""
    query = {"propagationPolicy": "Background", "gracePeriodSeconds": "0"}
    async with session.delete(path, params=query) as answer:
        await answer.read()


async def watch(session: aiohttp.ClientSession, path: str) -> AsyncIterator[bytes]:
    """Yield what a watch of a collection that is empty now sends, as it arrives: whole lines."""
    timeout = aiohttp.ClientTimeout(total=None)
    pending = b""
    async with session.get(path, params={"watch": "true"}, timeout=timeout) as answer:
        answer.raise_for_status()
        async for chunk in answer.content.iter_any():
            lines, end, rest = (pending + chunk).rpartition(b"\n")
            pending = rest
            if end:
                yield lines
