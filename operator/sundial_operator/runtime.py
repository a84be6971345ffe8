"""One process's operator: client, stores, watches and loops, from start to stop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog

from sundial_core import names
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import load_configuration
from sundial_kube.reflector import Reflector
from sundial_kube.resources import JOBS, PODS, SCHEDULED_JOBS, TASK_FUNCTIONS
from sundial_operator.reconcile import Reconciler
from sundial_operator.settings import Settings
from sundial_operator.writer import Writer

log = structlog.get_logger()

DRAIN_SECONDS = 10.0
WAIT_SECONDS = 1.0
RELIST_SECONDS = 600.0
"""How often our own kinds are listed again, to repair what a watch can lose."""


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


class Runtime:
    """Starts and stops everything; `failed` is set when a part ends that must not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exits = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer = Writer(settings.concurrent_writes)
        self.instance = str(uuid.uuid4())
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Log in, list everything consistently, then begin to decide."""
        client = KubeClient(await load_configuration(), user_agent="sundial-operator")
        await self._exits.enter_async_context(client)
        self._reconciler = Reconciler(client, self._writer, self._settings, self.instance)
        observed = self._reconciler.observed
        self.stores = observed
        ns = self._settings.watch_namespace or None
        selector = f"{names.INSTALLATION}={self._settings.installation}"
        watches = [
            Reflector(client, JOBS, observed.jobs, selector=selector, ns=ns),
            Reflector(client, PODS, observed.pods, selector=selector, ns=ns),
        ]
        for watch in watches:
            self._spawn(watch.run())
        self._own_kinds = [
            Reflector(client, TASK_FUNCTIONS, observed.functions, ns=ns),
            Reflector(client, SCHEDULED_JOBS, observed.schedules, ns=ns),
        ]
        for reflector in self._own_kinds:
            await list_or_explain(reflector)
        for watch in watches:
            await watch.synced.wait()
        log.info("listed", schedules=len(observed.schedules), jobs=len(observed.jobs))
        self._spawn(self._reconciler.run())
        self._spawn(self._reconciler.agenda.run())
        self._spawn(self._relist())

    async def stop(self) -> None:
        """Stop deciding, let writes under way end, close the connections."""
        for task in self._tasks:
            task.cancel()
        await self._writer.drain(DRAIN_SECONDS)
        await self._exits.aclose()

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
