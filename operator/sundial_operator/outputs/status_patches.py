"""Stores the statuses that were decided: each patch under the resourceVersion that it was computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

import structlog

from sundial_core.decision.job_creation import RETRY_BACKOFF
from sundial_core.decision.pending_status import PendingStatus
from sundial_core.resources.messages import trim_message
from sundial_core.resources.raw import JsonObject
from sundial_core.status.patches import Reported
from sundial_core.status.urgency import LAZY_SPACING, MAX_LAZY_DELAY, STATUS_DELAYS, Urgency
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.jitter import with_jitter
from sundial_kube.resources import Resource
from sundial_kube.store import Store
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.outputs.write_queue import Priority, WriteQueue

log = structlog.get_logger()


TRANSIENT = (404, 409, 429, *range(500, 600))
"""What says nothing of the status itself."""

TOLD_AFTER_FAILURES = 3
"""After so many refusals in a row somebody is told: one may be the webhook that just starts."""


class Pace:
    """Gives out turns, at most one each `spacing`, and none later than `longest` after it was asked for."""

    def __init__(self, spacing: timedelta, longest: timedelta) -> None:
        self._spacing = spacing
        self._longest = longest
        self._last = datetime.min.replace(tzinfo=UTC)

    def take_turn(self, now: datetime, wait: timedelta) -> datetime:
        """Take the next turn that is at least `wait` from now."""
        self._last = min(max(now + wait, self._last + self._spacing), now + self._longest)
        return self._last


V = TypeVar("V", bound=Reported)
Note = Callable[[V, JsonObject], None]
"""Called with the object as it was before and the status that was stored."""


def note_nothing(item: object, refusal: str) -> None:
    """Take no notice of statuses that are refused."""


@dataclass(frozen=True, slots=True)
class Source(Generic[V]):
    """A kind of object: where its statuses are written, when, and where the answers go."""

    resource: Resource
    task: Task
    store: Store[V]
    note_stored: Note[V]
    note_refused: Callable[[V, str], None] = note_nothing


class StatusPatcher(Generic[V]):
    """Writes the statuses of one kind; `enqueue` is called with the UID when a patch has ended."""

    def __init__(
        self,
        client: KubeClient,
        writer: WriteQueue,
        delay_queue: DelayQueue,
        enqueue: Callable[[str], None],
        source: Source[V],
    ) -> None:
        self._client = client
        self._writer = writer
        self._delay_queue = delay_queue
        self._enqueue = enqueue
        self._resource = source.resource
        self._task = source.task
        self._store = source.store
        self._note_stored = source.note_stored
        self._note_refused = source.note_refused
        self._pace = Pace(LAZY_SPACING, MAX_LAZY_DELAY)
        self._writes: dict[str, PendingStatus] = {}
        delay_queue.on(source.task, self._send_due)

    def want(self, write: PendingStatus, urgency: Urgency) -> None:
        """Write the status that was decided for an object in its turn; NONE: there is nothing to write."""
        key = QueueKey(self._task, write.uid)
        if urgency is Urgency.NONE:
            write.patch_failures, write.refusal = 0, ""
            self.forget(write.uid)
            return
        self._writes[write.uid] = write
        keeps_turn = urgency is Urgency.LAZY or write.patch_failures > 0
        if not (keeps_turn and key in self._delay_queue):
            self._delay_queue.advance(key, self._take_turn_of(urgency, read_clock()))

    def forget(self, uid: str) -> None:
        """Write nothing for an object."""
        self._writes.pop(uid, None)
        self._delay_queue.set(QueueKey(self._task, uid), None)

    def _take_turn_of(self, urgency: Urgency, now: datetime) -> datetime:
        delay = STATUS_DELAYS[urgency]
        return self._pace.take_turn(now, delay) if urgency is Urgency.LAZY else now + delay

    def _send_due(self, key: QueueKey) -> None:
        """Submit the status that was decided last, if it still differs from the stored one."""
        write = self._writes.get(key.uid)
        if write is not None and not write.is_patching:
            write.is_patching = True
            item = self._store.get(write.uid)
            self._writer.submit(Priority.STATUS, item.ns if item else "", partial(self._patch, write))

    async def _patch(self, write: PendingStatus) -> None:
        """Patch the status under the resourceVersion that it was computed from; never under another."""
        try:
            item = self._store.get(write.uid)
            patch = write.build_patch(item) if item is not None else None
            if item is not None and patch is not None:
                await self._send_patch(write, item, patch)
        finally:
            write.is_patching = False
            self._enqueue(write.uid)

    async def _send_patch(self, write: PendingStatus, item: V, patch: JsonObject) -> None:
        try:
            answer = await self._client.patch_status(self._resource, item.ns, item.name, patch)
        except (ApiUnreachable, NotLeading) as error:
            self._postpone(write, item, str(error), None)
        except ApiError as error:
            if error.status in (404, 409) and await self._reread(item):
                write.patch_failures = 0
            else:
                self._postpone(write, item, str(error), error.retry_after)
                if write.patch_failures == TOLD_AFTER_FAILURES and error.status not in TRANSIENT:
                    self._note_refused(item, write.refusal)
        else:
            write.patch_failures, write.refusal = 0, ""
            self._note_stored(item, answer.get("status") or {})
            self._store.put(answer)

    async def _reread(self, item: V) -> bool:
        """Somebody wrote the object meanwhile: take its newest state, and decide from that.

        False when it is not to be had: then only the watch can tell what has become of it.
        """
        try:
            newest = await self._client.get(self._resource, item.ns, item.name)
        except (ApiError, ApiUnreachable):
            return False
        if newest["metadata"]["uid"] != item.uid:
            return False
        self._store.put(newest)
        return True

    def _postpone(self, write: PendingStatus, item: V, error: str, retry_after: float | None) -> None:
        write.patch_failures += 1
        write.refusal = trim_message(error)
        delay = max(retry_after or 0.0, with_jitter(RETRY_BACKOFF.after(write.patch_failures)))
        log.warning(
            "writing a status failed",
            resource=self._resource.plural,
            namespace=item.ns,
            name=item.name,
            error=error,
        )
        self._delay_queue.set(QueueKey(self._task, write.uid), read_clock() + timedelta(seconds=delay))
