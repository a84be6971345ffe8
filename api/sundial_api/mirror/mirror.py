"""The mirror as a part of a process: started and stopped; active or standing by; never ends by itself."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from enum import StrEnum

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.clock import read_clock
from sundial_api.database_errors import describe_trouble
from sundial_api.mirror.advisory_lock import hold_leadership
from sundial_api.mirror.cancellations import is_told_to_stop
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.log_keeper import keep_log_tails
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.mirror_lease import MirrorLease
from sundial_api.mirror.session import ActiveMirror, MirrorConfig
from sundial_api.mirror.storage.transactions import StepLost
from sundial_api.settings import DatabaseSettings
from sundial_core.coordination.backoff import Backoff
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.jitter import with_jitter
from sundial_kube.reflector import ClusterRestored

log = structlog.get_logger()

BACKOFF = Backoff(first_seconds=0.2, max_seconds=5.0)

TROUBLE = (SQLAlchemyError, ApiError, ApiUnreachable, OSError, TimeoutError)
"""What ends a session and is waited out."""


MAX_BEAT_AGE_SECONDS = 30.0
"""After so long without a beat that was committed a mirror counts as stuck: three beats."""


class MirrorActivity(StrEnum):
    """What a mirror does, in the words of `/readyz`."""

    SYNCED = "synced"
    ACTIVE = "active"
    STANDING_BY = "standing by"
    FAILING = "failing"
    """A session was ended by a failure less than three beats ago, and no other has begun here."""
    STUCK = "stuck"
    """It is active, and nothing that it wrote was committed for three beats."""
    STOPPED = "stopped"


class Mirror:
    """Keeps the rows equal to the cluster while it is the active one; `state` tells what it does."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: KubeClient,
        scope: WatchScope,
        settings: DatabaseSettings,
        registry: CollectorRegistry,
    ) -> None:
        self.instance = str(uuid.uuid4())
        self._engine = engine
        self._client = client
        self._role = MirrorConfig(scope, settings, self.instance, read_clock)
        self._metrics = MirrorMetrics(registry)
        self._task: asyncio.Task[None] | None = None
        self._session: ActiveMirror | None = None
        self._failed_at = float("-inf")
        self._is_announced = False

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name="mirror")

    async def stop(self) -> None:
        """Stop; another mirror may take over at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def state(self) -> MirrorActivity:
        """Tell what this mirror does, by its living task and by the last beat that was committed."""
        if self._task is None or self._task.done():
            return MirrorActivity.STOPPED
        session, oldest = self._session, time.monotonic() - MAX_BEAT_AGE_SECONDS
        if session is None:
            return MirrorActivity.FAILING if self._failed_at > oldest else MirrorActivity.STANDING_BY
        if session.heard_at < oldest:
            return MirrorActivity.STUCK
        return MirrorActivity.SYNCED if session.is_synced else MirrorActivity.ACTIVE

    async def _run(self) -> None:
        """Be active whenever nobody else is; whatever happens, begin anew after a while."""
        failures = 0
        while True:
            try:
                await self._be_active()
            except asyncio.CancelledError:
                if is_told_to_stop():
                    raise
                self._note_failure(asyncio.CancelledError())
            except Exception as error:  # noqa: BLE001 - logged there
                self._note_failure(error)
            was_synced = self._session is not None and self._session.is_synced
            failures = 1 if was_synced else failures + 1
            self._session, self._failed_at = None, time.monotonic()
            await asyncio.sleep(with_jitter(BACKOFF.after(failures)))

    def _note_failure(self, error: BaseException) -> None:
        """Log and count what ended a session: in one line what is waited out, else with its traceback."""
        causes = list(_list_causes(error))
        for cause in causes:
            self._metrics.failures.labels(type(cause).__name__).inc()
        is_usual = all(isinstance(cause, (*TROUBLE, ClusterRestored, StepLost)) for cause in causes)
        names = ", ".join(type(cause).__name__ for cause in causes)
        reason = "; ".join(filter(None, map(describe_trouble, causes)))
        said = {"error": names} | ({"reason": reason} if reason else {})
        log.warning("the mirror begins anew", **said, exc_info=None if is_usual else error)

    async def _be_active(self) -> None:
        await self._announce()
        async with (
            hold_leadership(self._engine) as connection,
            keep_log_tails(self._engine, self._client, self._role, self._metrics),
        ):
            self._metrics.sessions.inc()
            log.info("mirroring", instance=self.instance)
            self._session = ActiveMirror(connection, self._client, self._role, self._metrics)
            await self._session.run()

    async def _announce(self) -> None:
        """Say that somebody mirrors: finished Jobs stay, even before the database can be reached."""
        lease = MirrorLease(self._client, self._role.scope, self.instance)
        try:
            await (lease.ensure if self._is_announced else lease.announce)(read_clock())
        except (ApiError, ApiUnreachable) as error:
            log.warning("the Lease of the mirror cannot be written", error=str(error))
        else:
            self._is_announced = True


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _list_causes(part)
    else:
        yield error
