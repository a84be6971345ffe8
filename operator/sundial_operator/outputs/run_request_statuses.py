"""Carries out what was decided about ScheduledJobRuns: their statuses, and the end of those that have a ttl.

Their Jobs are created with all others, in `job_writes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import structlog

from sundial_core.decision.installation import Trust
from sundial_core.decision.pending_status import PendingStatus
from sundial_core.decision.run_requests import RunRequestDecision, decide_orphaned_run_requests
from sundial_core.resources.objects import ScheduledJobRun
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.custody import is_ours
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.manifests import Owner
from sundial_core.status.scheduled_job_runs import is_complete
from sundial_core.status.urgency import Urgency
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import SCHEDULED_JOB_RUNS
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.inputs.stores import Stores
from sundial_operator.outputs.status_patches import Source, StatusPatcher
from sundial_operator.outputs.write_queue import Priority, WriteQueue

log = structlog.get_logger()

RETRY_AFTER = timedelta(seconds=10)


class RunRequestStatusWriter:
    """Remembers the statuses that are not stored yet, and writes them; all is found anew after a crash."""

    def __init__(
        self, client: KubeClient, writer: WriteQueue, delay_queue: DelayQueue, observed: Stores
    ) -> None:
        self._client = client
        self._writer = writer
        self._delay_queue = delay_queue
        self._observed = observed
        self._writes: dict[str, PendingStatus] = {}
        self._deleting: set[str] = set()
        source = Source(SCHEDULED_JOB_RUNS, Task.REQUEST_STATUS, observed.run_requests, ignore)
        self._statuses = StatusPatcher(client, writer, delay_queue, self._enqueue, source)

    def recall(self, requests: Iterable[ScheduledJobRun]) -> dict[str, JsonObject]:
        """Show the statuses that were decided and are not stored yet, by UID."""
        known = {request.uid: self._writes.get(request.uid) for request in requests}
        return {uid: write.wanted_status for uid, write in known.items() if write and write.wanted_status}

    def apply(self, requests: Iterable[ScheduledJobRun], answers: RunRequestDecision | None) -> None:
        """Submit what was decided; a request without a new status has its status stored."""
        if answers is None:
            return
        for request in requests:
            status = answers.statuses.get(request.uid)
            if status is None and is_complete(request.status):
                self._settle(request)
                continue
            write = self._writes.setdefault(request.uid, PendingStatus(request.uid))
            urgency = Urgency.SOON if status else Urgency.NONE
            write.want(request, status, urgency)
            self._statuses.want(write, urgency)
        for request in answers.deletes:
            if request.uid not in self._deleting:
                self._deleting.add(request.uid)
                self._writer.submit(Priority.DELETE, request.ns, partial(self._delete, request))

    def reconcile_orphan(self, uid: str, trust: Trust) -> None:
        """Decide about one whose ScheduledJob is not there; forget one that is not there itself."""
        request = self._observed.run_requests.get(uid)
        if request is None:
            self._drop(uid)
            return
        if self._observed.compute_reconcile_key(request) != uid:
            self._enqueue(uid)
            return
        if trust is Trust.UNTRUSTED:
            return
        decided = self.recall([request])
        status = decided.get(uid) or request.status
        jobs = self._list_jobs(request, status.get("scheduledJobUid", ""))
        answers = decide_orphaned_run_requests([request], decided, jobs, read_clock())
        self._delay_queue.set(QueueKey(Task.RECONCILE, uid), answers.requeue_at)
        self.apply([request], answers)

    def _list_jobs(self, request: ScheduledJobRun, parent_uid: str) -> list[ObservedJob]:
        """Find what is left of the Jobs of its run."""
        parent = Owner(request.ns, request.parent_name, parent_uid, 0)
        jobs = self._observed.jobs_of(parent_uid)
        return [job for job in jobs if job.run_id == request.uid and is_ours(job, parent, (request.uid,))]

    async def _delete(self, request: ScheduledJobRun) -> None:
        try:
            await self._client.delete(SCHEDULED_JOB_RUNS, request.ns, request.name, request.uid)
        except (ApiError, ApiUnreachable, NotLeading) as error:
            self._deleting.discard(request.uid)
            if not (isinstance(error, ApiError) and error.status in (404, 409)):
                log.warning("deleting a ScheduledJobRun failed", name=request.name, error=str(error))
            self._delay_queue.advance(QueueKey(Task.RECONCILE, request.uid), read_clock() + RETRY_AFTER)

    def _enqueue(self, uid: str) -> None:
        """Have the ScheduledJob of one reconciled, or itself where there is none."""
        request = self._observed.run_requests.get(uid)
        self._observed.enqueue(self._observed.compute_reconcile_key(request) if request else uid)

    def _settle(self, request: ScheduledJobRun) -> None:
        """Forget what was to be said of one that is over: there may be thousands."""
        self._observed.settle(request)
        if self._writes.pop(request.uid, None) is not None:
            self._statuses.forget(request.uid)

    def _drop(self, uid: str) -> None:
        self._writes.pop(uid, None)
        self._deleting.discard(uid)
        self._delay_queue.set(QueueKey(Task.RECONCILE, uid), None)
        self._statuses.forget(uid)


def ignore(request: ScheduledJobRun, status: JsonObject) -> None:
    """Take no notice of what was stored: runs are counted by their ScheduledJob."""
