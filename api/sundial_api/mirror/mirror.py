"""The mirror as a part of a process: started and stopped; active or standing by; never ends by itself."""

from __future__ import annotations

import asyncio
import uuid

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.clock import read_clock
from sundial_api.mirror.advisory_lock import hold_leadership
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.session import ActiveMirror, MirrorConfig
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


class Mirror:
    """Keeps the rows equal to the cluster while it is the active one; `is_active` tells whether it is."""

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

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name="mirror")

    async def stop(self) -> None:
        """Stop; another mirror may take over at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def is_active(self) -> bool:
        """Tell whether this mirror writes."""
        return self._session is not None

    @property
    def is_synced(self) -> bool:
        """Tell whether this mirror writes, and has written all that the cluster holds."""
        return self._session is not None and self._session.synced.is_set()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._be_active()
            except TROUBLE as error:
                log.warning("the mirror begins anew", error=type(error).__name__)
            except ExceptionGroup as group:
                went_back, others = group.split(ClusterRestored)
                if others is None:
                    log.warning("the mirror begins anew", error=repr(went_back))
                else:
                    log.exception("the mirror begins anew", error=repr(others))
            except Exception:
                log.exception("the mirror begins anew")
            failures = 1 if self.is_synced else failures + 1
            self._session = None
            await asyncio.sleep(with_jitter(BACKOFF.after(failures)))

    async def _be_active(self) -> None:
        async with hold_leadership(self._engine) as connection:
            self._metrics.sessions.inc()
            log.info("mirroring", instance=self.instance)
            self._session = ActiveMirror(connection, self._client, self._role, self._metrics)
            await self._session.run()
