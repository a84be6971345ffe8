"""One process's operator: client, stores, watches and loops, from start to stop."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog
from kubernetes.aio.client import Configuration

from sundial_core import names
from sundial_core.manifests import Creator
from sundial_kube.client import KubeClient
from sundial_kube.election import Elector, Seat
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import load_configuration
from sundial_kube.reflector import Reflector
from sundial_kube.resources import JOBS, PODS, SCHEDULED_JOBS, TASK_FUNCTIONS
from sundial_operator.reconcile import Reconciler
from sundial_operator.settings import Settings
from sundial_operator.writer import Writer

log = structlog.get_logger()

DRAIN_SECONDS = 10.0
LOST = 3
"""The exit status of a process that lost the leadership."""

WAIT_SECONDS = 1.0
RELIST_SECONDS = 600.0
"""How often our own kinds are listed again, to repair what a watch can lose."""


SETTLE_SECONDS = 1.0
"""How long a new leader waits after raising the term: longer than a refused or landing request takes."""


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


class Runtime:
    """Starts and stops everything; `failed` is set when a part ends that must not.

    A standby keeps its stores warm and writes nothing. `leads` is set while this process decides.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exits = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer = Writer(settings.concurrent_writes)
        self._elector: Elector | None = None
        self._elected = asyncio.Event()
        self.instance = str(uuid.uuid4())
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Log in, list everything, then campaign; raises StartError, LoginError."""
        configuration = await load_configuration()
        elector = self._elector = self._build_elector(configuration)
        client = KubeClient(configuration, gate=elector.leadership.gate, user_agent="sundial-operator")
        await self._exits.enter_async_context(client)
        self._reconciler = Reconciler(client, self._writer, self._settings, self._describe_creator)
        self.stores = self._reconciler.observed
        self._watch(client)
        for reflector in self._own_kinds:
            await list_or_explain(reflector)
        for watch in self._watches:
            await watch.synced.wait()
        log.info("listed", schedules=len(self.stores.schedules), jobs=len(self.stores.jobs))
        elector.start()
        self._spawn(self._lead())

    async def stop(self) -> None:
        """Stop deciding, let writes under way end, give the Lease back, close the connections."""
        for task in self._tasks:
            task.cancel()
        await self._writer.drain(DRAIN_SECONDS)
        if self._elector is not None:
            await asyncio.to_thread(self._elector.stop)
        await self._exits.aclose()

    def _build_elector(self, configuration: Configuration) -> Elector:
        loop = asyncio.get_running_loop()
        identity = f"{socket.gethostname()}_{self.instance}"
        return Elector(
            configuration,
            Seat(self._settings.namespace, self._settings.release, identity),
            self._settings.timing,
            on_elected=lambda: loop.call_soon_threadsafe(self._elected.set),
            on_lost=end_process,
        )

    def _describe_creator(self) -> Creator:
        term = self._elector.leadership.term if self._elector else 0
        return Creator(self._settings.installation, self.instance, term)

    def _watch(self, client: KubeClient) -> None:
        ns = self._settings.watch_namespace or None
        selector = f"{names.INSTALLATION}={self._settings.installation}"
        self._watches = [
            Reflector(client, JOBS, self.stores.jobs, selector=selector, ns=ns),
            Reflector(client, PODS, self.stores.pods, selector=selector, ns=ns),
        ]
        self._own_kinds = [
            Reflector(client, TASK_FUNCTIONS, self.stores.functions, ns=ns),
            Reflector(client, SCHEDULED_JOBS, self.stores.schedules, ns=ns),
        ]
        for watch in self._watches:
            self._spawn(watch.run())

    async def _lead(self) -> None:
        """Once elected, let an older leader's last requests land, list consistently, and decide."""
        await self._elected.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        for reflector in [*self._own_kinds, *self._watches]:
            await list_or_explain(reflector)
        log.info("leading", term=self._describe_creator().term, instance=self.instance)
        self._spawn(self._reconciler.agenda.run())
        self._spawn(self._relist())
        await self._reconciler.run()

    def _spawn(self, loop: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(loop)
        task.add_done_callback(self._notice_end)
        self._tasks.append(task)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("a part of the operator ended", error=repr(task.exception()))
            self.failed.set()

    async def _relist(self) -> None:
        while True:
            await asyncio.sleep(RELIST_SECONDS)
            for reflector in self._own_kinds:
                try:
                    await reflector.list_consistently()
                except Exception as error:  # noqa: BLE001 - the next one will do
                    log.warning("listing again failed", error=repr(error))


def end_process(reason: str) -> None:
    """End this process at once, from any thread: who has lost the Lease must not write any more."""
    log.error("lost the leadership", reason=reason)
    os._exit(LOST)


async def list_or_explain(reflector: Reflector) -> None:
    """List a kind of ours, waiting for an API server that is busy or starting.

    Raises StartError where the cluster does not know the kind or does not let us list it.
    """
    while True:
        try:
            return await reflector.list_consistently()
        except ApiUnreachable as error:
            log.warning("waiting for the API server", error=str(error))
        except ApiError as error:
            if error.status == 404:
                raise StartError(
                    "this cluster does not know Sundial's custom resources: kubectl apply -f crds/"
                ) from error
            if error.status in (401, 403):
                raise StartError(f"cannot list Sundial's custom resources: {error.message}") from error
            log.warning("waiting for the API server", error=str(error))
        await asyncio.sleep(WAIT_SECONDS)
