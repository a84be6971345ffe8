"""A validating webhook that takes its time over each Job that is created in some namespaces."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.pki import (
    CertificateRequest,
    Use,
    create_authority,
    write_authority,
    write_certificates,
)

LOOPBACK = "127.0.0.1"
LABEL = "webhooks.test/slow"
"""Namespaces with this label, whose value names the webhook, are slow."""
TLS_END_SECONDS = 0.5
"""How long the ends of connections take: nothing tells when they are over."""


class SlowWebhook:
    """A server with a thread and a loop of its own; it lets every object pass, `seconds` later."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="webhook", daemon=True
        )
        self.url = ""
        self.asked = 0

    def start(self) -> None:
        """Make its certificate, and listen on a free port."""
        authority = create_authority("webhook", datetime.now(UTC))
        write_authority(self._folder, "webhook-ca", authority)
        request = CertificateRequest("webhook", LOOPBACK, Use.SERVER, names=(LOOPBACK,))
        write_certificates(self._folder, authority, [request])
        self._thread.start()
        assert self._started.wait(10), "the webhook did not start"

    def stop(self) -> None:
        """End it, with what waits for its answer."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def build_configuration(self, name: str) -> dict[str, Any]:
        """Build what has the API server ask it about the Jobs that are created in slow namespaces."""
        authority = base64.b64encode((self._folder / "webhook-ca.crt").read_bytes()).decode()
        rule = {
            "apiGroups": ["batch"],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["jobs"],
        }
        webhook = {
            "name": "slow.webhooks.test",
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {LABEL: name}},
            "clientConfig": {"url": self.url, "caBundle": authority},
            "timeoutSeconds": 30,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        }

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._folder / "webhook.crt", self._folder / "webhook.key")
        application = web.Application(client_max_size=16 * 2**20)
        application.router.add_post("/", self._answer)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls).start()
        self.url = f"https://{LOOPBACK}:{runner.addresses[0][1]}/"
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()
        await asyncio.sleep(TLS_END_SECONDS)

    async def _answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.asked += 1
        await asyncio.sleep(self._seconds)
        review["response"] = {"uid": review.pop("request")["uid"], "allowed": True}
        return web.json_response(review)


@contextmanager
def slow_down(cluster: Cluster, folder: Path, name: str, seconds: float) -> Iterator[SlowWebhook]:
    """Have each Job that is created in the namespaces labelled with the name take so long."""
    webhook = SlowWebhook(folder, seconds)
    webhook.start()
    cluster.kubectl("create", "-f", "-", input=json.dumps(webhook.build_configuration(name)))
    try:
        yield webhook
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", name)
        webhook.stop()
