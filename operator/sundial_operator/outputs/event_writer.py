"""Tells people what became of a schedule, in the log and in Events, once the status that says so is stored.

Never in the way of a start: Events go last, and are dropped where a namespace's writes are behind.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

import structlog

from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.raw import JsonObject
from sundial_core.status.event_series import Announcements
from sundial_core.status.events import build_event, build_event_name, build_event_series
from sundial_core.status.transitions import Notice, Transition, describe_unstored, list_transitions
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import NEW_EVENTS
from sundial_operator.clock import read_clock
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.write_queue import Priority, WriteQueue

log = structlog.get_logger()

MAX_WAITING = 200
"""With more writes than these waiting in a namespace, its Events are dropped."""


class EventWriter:
    """Logs each transition, and writes an Event for those that people should see."""

    def __init__(self, client: KubeClient, writer: WriteQueue, metrics: Metrics) -> None:
        self._client = client
        self._writer = writer
        self._metrics = metrics
        self._said = Announcements(read_clock())

    def note_refused(self, job: ScheduledJob, refusal: str) -> None:
        """Tell that a status cannot be stored, once for refusals in a row."""
        self.announce(job, describe_unstored(refusal))

    def note_stored(self, job: ScheduledJob, status: JsonObject) -> None:
        """Take a status that was just stored; `job` still has the one before."""
        self._metrics.count_stored(job.status, status)
        for transition in list_transitions(job.status, status):
            self.announce(job, transition)

    def announce(self, job: ScheduledJob, transition: Transition) -> None:
        """Log a transition, and write an Event if people should see it."""
        tell = log.warning if transition.notice is Notice.WARNING else log.info
        tell(transition.event, namespace=job.ns, name=job.name, **transition.fields)
        if transition.notice is not Notice.NONE:
            self._announce(job, transition, read_clock())

    def _announce(self, job: ScheduledJob, transition: Transition, now: datetime) -> None:
        series = self._said.count(job.uid, transition.series_key, now)
        if self._writer.count_waiting(job.ns) > MAX_WAITING:
            self._metrics.events_dropped.labels("behind").inc()
        elif not self._said.may_say(job.uid, now):
            self._metrics.events_dropped.labels("rate").inc()
        elif series is not None:
            action = partial(self._extend, job, transition, series.name, series.count, now)
            self._writer.submit(Priority.EVENT, job.ns, action)
        else:
            name = build_event_name(job.name, now)
            self._said.begin(job.uid, transition.series_key, name, now)
            action = partial(self._create, job, transition, name, now)
            self._writer.submit(Priority.EVENT, job.ns, action)

    async def _create(self, job: ScheduledJob, transition: Transition, name: str, now: datetime) -> None:
        try:
            await self._client.create(NEW_EVENTS, job.ns, build_event(job, transition, name, now))
        except (ApiError, ApiUnreachable, NotLeading) as error:
            self._drop(job, transition, error)

    async def _extend(
        self, job: ScheduledJob, transition: Transition, name: str, count: int, now: datetime
    ) -> None:
        """Count on in an Event; one that is gone by now begins anew with the next."""
        try:
            await self._client.patch(NEW_EVENTS, job.ns, name, build_event_series(count, now))
        except (ApiError, ApiUnreachable, NotLeading) as error:
            self._drop(job, transition, error)

    def _drop(self, job: ScheduledJob, transition: Transition, error: Exception) -> None:
        self._said.forget(job.uid, transition.series_key)
        self._metrics.events_dropped.labels("failed").inc()
        log.warning("writing an Event failed", namespace=job.ns, name=job.name, error=str(error))
