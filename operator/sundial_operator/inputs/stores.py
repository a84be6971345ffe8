"""What the operator has seen of the cluster: the stores of all kinds, and which key each change concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import structlog

from sundial_core.resources.messages import redact
from sundial_core.resources.names import build_runner_name
from sundial_core.resources.objects import (
    ScheduledJob,
    ScheduledJobRun,
    TaskFunction,
    parse_scheduled_job,
    parse_scheduled_job_run,
    parse_task_function,
)
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.custody import is_ours
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.pods import ObservedPod, parse_pod
from sundial_core.runs.runner_pods import read_archive
from sundial_kube.store import Store
from sundial_operator.inputs.function_index import FunctionIndex
from sundial_operator.inputs.run_request_index import RunRequestIndex
from sundial_operator.inputs.runner_pods import RunnerPods
from sundial_operator.metrics import Metrics

log = structlog.get_logger()


class Stores:
    """The stores; `enqueue` is called with the UID of each ScheduledJob that a change concerns.

    A ScheduledJobRun without a ScheduledJob, or that is gone, is enqueued by its own UID.
    `lose` is called with each of our Jobs that was deleted, as it was last.
    """

    def __init__(
        self, enqueue: Callable[[str], None], lose: Callable[[ObservedJob], None], metrics: Metrics
    ) -> None:
        self._metrics = metrics
        self.enqueue = enqueue
        self._lose = lose
        self.finished: dict[str, ObservedJob] = {}
        self._jobs_of: dict[str, dict[str, ObservedJob]] = {}
        self._pods_of: dict[str, dict[str, ObservedPod]] = {}
        self._uids: dict[tuple[str, str], str] = {}
        self._run_requests_of: dict[tuple[str, str], RunRequestIndex] = {}
        self.function_index = FunctionIndex()
        self.runner_pods = RunnerPods(build_runner_name(read_archive().digest))
        self.schedules: Store[ScheduledJob] = Store(parse_scheduled_job, self._schedule_changed, self._reject)
        self.run_requests: Store[ScheduledJobRun] = Store(
            parse_scheduled_job_run, self._run_request_changed, self._reject
        )
        self.functions: Store[TaskFunction] = Store(parse_task_function, self._function_changed, self._reject)
        self.jobs: Store[ObservedJob] = Store(parse_job, self._job_changed, self._reject)
        self.pods: Store[ObservedPod] = Store(parse_pod, self._pod_changed, self._reject)

    def jobs_of(self, uid: str) -> tuple[ObservedJob, ...]:
        """The Jobs that have the ScheduledJob of that UID as controller, ours or not."""
        return tuple(self._jobs_of.get(uid, {}).values())

    def pods_of(self, jobs: Iterable[ObservedJob]) -> dict[str, tuple[ObservedPod, ...]]:
        """The Pods of each of these Jobs, by the Job's UID; in another namespace it has none."""
        return {
            job.uid: tuple(pod for pod in self._pods_of[job.uid].values() if pod.ns == job.ns)
            for job in jobs
            if job.uid in self._pods_of
        }

    def may_be_ours(self, job: ObservedJob) -> bool:
        """Tell whether a Job may be a run's of a ScheduledJob that is there, if somebody asked for it."""
        parent = self.schedules.get(job.owner_uid)
        return parent is not None and is_ours(job, parent, (job.run_id,))

    def function_of(self, job: ScheduledJob) -> TaskFunction | None:
        """The TaskFunction that a ScheduledJob names, if there is one."""
        return self.function_index.find_named(job)

    def run_requests_of(
        self, job: ScheduledJob, known: Iterable[str], now: datetime
    ) -> tuple[ScheduledJobRun, ...]:
        """The ScheduledJobRuns of a ScheduledJob to decide about; `known` are ids of runs with Jobs."""
        index = self._run_requests_of.get((job.ns, job.name))
        return index.list_open(known, now) if index else ()

    def settle(self, request: ScheduledJobRun) -> None:
        """Note that a ScheduledJobRun is over and that nothing is left to be said of it."""
        index = self._run_requests_of.get((request.ns, request.parent_name))
        if index is not None:
            index.settle(request)

    def compute_reconcile_key(self, request: ScheduledJobRun) -> str:
        """Name by whose UID a ScheduledJobRun is reconciled: its ScheduledJob's, or its own without one."""
        return self._uids.get((request.ns, request.parent_name), request.uid)

    def _schedule_changed(self, old: ScheduledJob | None, new: ScheduledJob | None) -> None:
        self.function_index.note_user(old, new)
        job = new or old
        assert job is not None
        warn_of_unreadable("ScheduledJob", old, new)
        self.enqueue(job.uid)
        if old is None or new is None:
            self._note_schedule(job, new)

    def _note_schedule(self, job: ScheduledJob, new: ScheduledJob | None) -> None:
        """Keep the index of names; those who asked for runs of a ScheduledJob that is gone are told."""
        key = (job.ns, job.name)
        if new is not None:
            self._uids[key] = new.uid
        elif self._uids.get(key) == job.uid:
            del self._uids[key]
        index = self._run_requests_of.get(key)
        for request in index.list_all() if index else ():
            self.enqueue(self.compute_reconcile_key(request))

    def _run_request_changed(self, old: ScheduledJobRun | None, new: ScheduledJobRun | None) -> None:
        request = new or old
        assert request is not None
        warn_of_unreadable("ScheduledJobRun", old, new)
        key = (request.ns, request.parent_name)
        index = self._run_requests_of.setdefault(key, RunRequestIndex())
        if new is not None:
            index.note(old, new)
        else:
            index.drop(request)
            self.enqueue(request.uid)
            if not len(index):
                del self._run_requests_of[key]
        self.enqueue(self.compute_reconcile_key(request))

    def _function_changed(self, old: TaskFunction | None, new: TaskFunction | None) -> None:
        for uid in self.function_index.note_function(old, new):
            self.enqueue(uid)

    def _job_changed(self, old: ObservedJob | None, new: ObservedJob | None) -> None:
        """Take a Job's change; one that gets another controller is lost for the one before."""
        if old is not None and new is not None and old.owner_uid != new.owner_uid:
            self._job_changed(old, None)
            old = None
        job = new or old
        assert job is not None
        of_owner = self._jobs_of.setdefault(job.owner_uid, {})
        if new is not None and new.released_at is not None and not new.is_deleting:
            self.finished[new.uid] = new
        else:
            self.finished.pop(job.uid, None)
        if new is not None:
            of_owner[new.uid] = new
        else:
            of_owner.pop(job.uid, None)
            self._lose(job)
            self._pods_of.pop(job.uid, None)
            if not of_owner:
                del self._jobs_of[job.owner_uid]
        if old is None or new is None or replace(old, resource_version=new.resource_version) != new:
            self.enqueue(job.owner_uid)

    def _pod_changed(self, old: ObservedPod | None, new: ObservedPod | None) -> None:
        """Take a Pod's change; most say nothing new for us, so only those that do enqueue the schedule.

        A Pod that is gone is remembered with its Job: it tells why that ended.
        """
        pod = new or old
        assert pod is not None
        self.runner_pods.note(old, new)
        of_job = self._pods_of.setdefault(pod.job_uid, {})
        if new is None:
            if self.jobs.get(pod.job_uid) is None:
                of_job.pop(pod.uid, None)
            if not of_job:
                del self._pods_of[pod.job_uid]
            return
        of_job[new.uid] = new
        known = (old.has_started, old.failure) if old else (False, None)
        if known != (new.has_started, new.failure):
            self.enqueue(new.owner_uid)

    def _reject(self, item: JsonObject, error: Exception) -> None:
        self._metrics.rejected.labels(str(item.get("kind"))).inc()
        metadata = item.get("metadata") or {}
        log.warning(
            "ignored an object that does not parse",
            kind=item.get("kind"),
            namespace=metadata.get("namespace"),
            name=metadata.get("name"),
            error=redact(repr(error)),
        )


StatusObserver = ScheduledJob | ScheduledJobRun


def warn_of_unreadable(kind: str, old: StatusObserver | None, new: StatusObserver | None) -> None:
    """Log once which fields of a status cannot be read: somebody else has written there."""
    if new is not None and new.unreadable and (old is None or old.unreadable != new.unreadable):
        fields = sorted(new.unreadable)
        log.warning("a status cannot be read", kind=kind, namespace=new.ns, name=new.name, fields=fields)
