"""A process of the operator in the simulated cluster."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from testkit.edited_objects import Conflict
from testkit.scheduled_jobs import CREATED, UID, build_plan
from testkit.simulation.cluster import CREATOR, TOMBSTONE, Cluster
from testkit.simulation.run_requests import Asking

from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answered,
    Created,
    PendingCreate,
    Purpose,
    Read,
    Refused,
    Send,
)
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.schedule_memory import Finding, Orders, ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_core.runs.early_ends import Termination, build_termination_patch
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.start_timeouts import read_run
from sundial_kube.errors import ApiError, ApiUnreachable


class Process:
    """The operator's side: what it has seen and remembers; everything here is lost in a crash."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.deleted: list[tuple[ObservedJob, dict[str, Any], datetime]] = []
        self.status_mode = "store"
        self.is_deaf = False
        self.installation = InstallationState()
        self.limits = Limits(TOMBSTONE)
        self.restart()

    def restart(self) -> None:
        """Forget everything and list."""
        self.memory = ScheduleMemory(UID)
        self.asking = Asking(self.cluster.requests)
        self.jobs: dict[str, ObservedJob] = {}
        self.requeue_at: datetime | None = CREATED
        self.listen()

    def listen(self) -> None:
        """Take the news from the watches."""
        self.job: ScheduledJob = parse_scheduled_job(self.cluster.item)
        items = (*self.cluster.copies, *self.cluster.jobs.values())
        seen = {item["metadata"]["uid"]: self._parse(item) for item in items}
        for uid, gone in self.jobs.items():
            if uid not in seen:
                self._lose(gone)
        self.jobs = seen
        self.asking.listen()

    def pass_time(self, seconds: float) -> None:
        """Look whenever something is due, up to the end of that time."""
        end = self.cluster.now + timedelta(seconds=seconds)
        while (due := self._find_due()) is not None and due <= end:
            self.cluster.pass_to(due)
            self.settle()
        self.cluster.pass_to(end)
        self.settle()

    def settle(self) -> None:
        """Look, and again as long as that has changed something, as the answers of own requests do."""
        for _ in range(10):
            version = self.cluster.version
            has_read = bool(self.look().missing)
            if not has_read and (self.cluster.version == version or self.is_deaf):
                return

    def _find_due(self) -> datetime | None:
        """Find when to look again: when something is due, or when the watch will have news."""
        news = None if self.is_deaf else self.cluster.find_next_end()
        return min((time for time in (self.requeue_at, news) if time is not None), default=None)

    def look(self) -> Decision:
        """Decide and act as `Reconciler.reconcile` does, with every request answered at once."""
        if not self.is_deaf:
            self.listen()
        jobs, now = tuple(self.jobs.values()), self.now
        custody = self.memory.observe(self.job, jobs, self.asking.seen)
        if self.memory.plan is None or self.memory.plan_key != (self.job.generation, "", 0):
            self.memory.adopt_plan((self.job.generation, "", 0), build_plan(self.job))
        plan = self.memory.plan
        assert plan is not None
        remembered = replace(self.memory.recall(), run_request_statuses=self.asking.decided)
        snapshot = Snapshot(
            self.job,
            plan,
            custody.ours,
            remembered,
            installation=self.installation,
            run_requests=self.asking.seen,
            strangers=custody.strangers,
        )
        decision = decide(snapshot, now, self.limits)
        self.requeue_at = decision.requeue_at and decision.requeue_at - self.installation.skew
        assert self.requeue_at is None or self.requeue_at > self.cluster.now
        self._apply(decision, self.memory.remember(self.job, decision, now))
        return decision

    @property
    def now(self) -> datetime:
        """The time by the process's clock."""
        return self.cluster.now + self.installation.skew

    def _parse(self, item: dict[str, Any]) -> ObservedJob:
        """Read a Job once for each version of it."""
        metadata = item["metadata"]
        known = self.jobs.get(metadata["uid"])
        is_news = known is None or known.resource_version < int(metadata["resourceVersion"])
        return parse_job(item) if is_news or known is None else known

    def _apply(self, decision: Decision, orders: Orders) -> None:
        """Do what was ordered; what is being created is tried again at every look."""
        for create in sorted(self.memory.creates.values(), key=_order):
            self._create(create)
        for ending in orders.endings:
            self._end(ending)
        for finished in orders.deletes:
            self._delete(finished)
        for run in orders.reads:
            answer = self.cluster.answer(Read(run.job_name, Purpose.ADOPT))
            self.memory.reading.discard(run.run_id)
            finding = self.memory.take_read(run, answer, self.now)
            if finding is Finding.THERE and isinstance(answer, Answered):
                self._see(answer.item)
            elif finding is Finding.GONE:
                self.jobs = {uid: job for uid, job in self.jobs.items() if job.name != run.job_name}
        self._patch()
        self.asking.apply(decision.run_requests, self.status_mode)

    def _create(self, create: PendingCreate) -> None:
        step = self.memory.begin(create, CREATOR, self.installation, self.now)
        while isinstance(step, Read | Send):
            step = self.memory.take(create, step, self.cluster.answer(step), CREATOR, self.now)
        if isinstance(step, Created):
            self._see(step.item)
        elif isinstance(step, Refused) and create.follows is not None:
            self.cluster.results[create.follows.after.name] = "Failed"

    def _see(self, item: dict[str, Any]) -> None:
        """Put a Job that was read or created into the store."""
        job = parse_job(item)
        self.jobs[job.uid] = job

    def _end(self, ending: Termination) -> None:
        assert not ending.job.uid.startswith("copy-")
        with contextlib.suppress(ApiError, ApiUnreachable):
            self._see(self.cluster.patch(ending.job.name, build_termination_patch(ending)))
        self.memory.ending.discard(ending.job.uid)

    def _delete(self, job: ObservedJob) -> None:
        assert not job.uid.startswith("copy-")
        if job.name in self.cluster.jobs:
            self.deleted.append((job, self.cluster.item["status"], self.cluster.now))
            self.cluster.delete(job.name)
        self.memory.deleting.discard(job.uid)

    def _lose(self, job: ObservedJob) -> None:
        now = self.cluster.now
        self.memory.lose(job, read_run(job, (), now), now, self.asking.seen)

    def _patch(self) -> None:
        """Patch as `Statuses` does; the answer is taken at once unless it is lost."""
        patch = self.memory.build_patch(self.job)
        if patch is None:
            return
        if self.status_mode in ("lose", "refuse"):
            self.memory.refusal = "Request entity too large" if self.status_mode == "refuse" else "timed out"
            return
        if self.status_mode == "conflict":
            self.cluster.touch()
        try:
            self.cluster.patch_status(patch)
        except Conflict:
            self.job = parse_scheduled_job(self.cluster.item)
            return
        self.memory.refusal = "" if self.status_mode == "store" else "timed out"
        if self.status_mode == "store":
            self.job = parse_scheduled_job(self.cluster.item)


def _order(create: PendingCreate) -> tuple[bool, datetime, str]:
    """Order slots before all else, oldest first."""
    return not create.is_slot, create.due_at, create.attempt.run_id
