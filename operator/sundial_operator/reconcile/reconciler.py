"""Reads the stores, decides, applies: one key at a time, what is due before what has changed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from sundial_core.decision.decide import decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.plans import Plan, Problem
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.manifests import Creator
from sundial_core.runs.start_timeouts import read_run
from sundial_kube.client import KubeClient
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.inputs.finished_job_cap import FinishedJobCap
from sundial_operator.inputs.mirror_watch import MirrorWatch
from sundial_operator.inputs.stores import Stores
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.job_creator import JobCreator
from sundial_operator.outputs.job_writes import JobWriter
from sundial_operator.outputs.run_request_statuses import RunRequestStatusWriter
from sundial_operator.outputs.write_queue import WriteQueue
from sundial_operator.reconcile.doubts import Doubts
from sundial_operator.reconcile.plan_cache import PlanCache
from sundial_operator.reconcile.rivals import Rivals
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

TURN_SECONDS = 0.002
"""How long keys are worked on before the event loop gets its turn, in which requests are sent."""

REQUEUE_AFTER = timedelta(seconds=30)
"""How soon a schedule is reconciled again whose decision failed: time alone may mend it."""

BREAK_SECONDS = 0.05
"""How long what has only changed waits between two turns while starts wait to be sent."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the reconciler has to know of its installation; terms and limits change while it runs."""

    settings: OperatorSettings
    describe_creator: Callable[[], Creator]
    find_limits: Callable[[], Limits]
    read_state: Callable[[], InstallationState]


class Reconciler:
    """Decides about each ScheduledJob whenever something about it has changed or is due."""

    def __init__(
        self,
        client: KubeClient,
        writer: WriteQueue,
        metrics: Metrics,
        installation: Installation,
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._installation = installation
        self._read_state = installation.read_state
        self._due: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._work = asyncio.Event()
        self._due_work = asyncio.Event()
        self.delay_queue = DelayQueue()
        self.delay_queue.on(Task.RECONCILE, self._take_due)
        self.observed = Stores(self.enqueue, self._lose, metrics)
        settings = installation.settings
        minimum_period = timedelta(seconds=settings.minimum_period_seconds)
        self.plans = PlanCache(self.observed, minimum_period)
        most = settings.most_finished_jobs_in_all
        self.cap = FinishedJobCap(self.observed.finished, most, self.enqueue, self._may_be_ours)
        self.mirror = MirrorWatch(client, settings.namespace, settings.release, self.enqueue)
        creator = JobCreator(client, installation.describe_creator, installation.read_state)
        self._job_writer = JobWriter(client, writer, creator, self.observed, self.delay_queue, metrics)
        self._memories = self._job_writer.memories
        self._run_request_statuses = RunRequestStatusWriter(client, writer, self.delay_queue, self.observed)
        self._doubts = Doubts()
        self._rivals = Rivals(settings.installation, read_clock())

    def _may_be_ours(self, job: ObservedJob) -> bool:
        """Tell whether a finished Job counts for the cap: what nobody deletes must push out nothing."""
        return self.observed.may_be_ours(job) and not self._doubts.is_stranger(job)

    def enqueue(self, uid: str) -> None:
        """Have a ScheduledJob reconciled soon."""
        self._changed[uid] = None
        self._work.set()

    def enqueue_all(self) -> None:
        """Have everything reconciled soon: something about the installation has changed."""
        for item in (*self.observed.schedules, *self.observed.run_requests):
            self.enqueue(item.uid)

    @property
    def doubtful(self) -> int:
        """How many Jobs are not what they say."""
        return len(self._doubts)

    @property
    def rivals(self) -> int:
        """How many other installations start Jobs of the same ScheduledJobs."""
        return len(self._rivals)

    @property
    def waiting(self) -> int:
        """How many ScheduledJobs are to be reconciled now."""
        return len(self._due.keys() | self._changed.keys())

    @property
    def stopped(self) -> int:
        """How many ScheduledJobs start nothing because too little of them could be stored."""
        return sum(memory.is_stopped for memory in self._memories.values())

    async def run(self) -> None:
        """Work on what is due and what has changed, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._due or self._changed:
                self._take_turn()
                await self._give_way()

    def reconcile(self, uid: str) -> None:
        """Decide about one ScheduledJob and apply the decision."""
        job = self.observed.schedules.get(uid)
        if job is None:
            self._drop(uid)
            self._run_request_statuses.reconcile_orphan(uid, self._read_state().trust)
            return
        memory = self._memories.setdefault(uid, ScheduleMemory(uid))
        jobs = self.observed.jobs_of(uid)
        now = read_clock()
        run_ids = {*memory.lost, *(job.run_id for job in jobs)}
        requests = self.observed.run_requests_of(job, run_ids, now)
        custody = memory.observe(job, jobs, requests)
        self._doubts.note(job, custody)
        self._rivals.note(uid, custody.ours)
        pods = self.observed.pods_of(custody.ours)
        plan, installation = self._get_plan(memory, job), self._read_state()
        remembered = memory.recall()
        if requests:
            statuses = self._run_request_statuses.recall(requests)
            remembered = replace(remembered, run_request_statuses=statuses)
        snapshot = Snapshot(
            job, plan, custody.ours, remembered, pods, installation, requests, custody.strangers
        )
        with self._metrics.reconcile.time():
            decision = decide(snapshot, now, self._compute_limits(uid))
        if decision.reset_at is not None and memory.reset_at is None:
            log.warning("an instant of the future was reset", namespace=job.ns, name=job.name)
        if decision.is_stopped and not memory.is_stopped:
            self._job_writer.tell_stopped(memory, job)
        self.delay_queue.set(QueueKey(Task.RECONCILE, uid), decision.requeue_at)
        self.mirror.note(uid, decision.deletes)
        self._job_writer.apply(memory, job, decision)
        self._run_request_statuses.apply(requests, decision.run_requests)

    def _compute_limits(self, uid: str) -> Limits:
        excess, mirrored = self.cap.get_excess(uid), self.mirror.find()
        return replace(self._installation.find_limits(), excess=excess, mirrored=mirrored)

    async def _give_way(self) -> None:
        """Let requests be sent; what has only changed gives way to waiting starts, but never for good."""
        if self._due or not self._writer.has_starts_waiting:
            await asyncio.sleep(0)
            return
        self._due_work.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BREAK_SECONDS):
                await self._due_work.wait()

    def _take_turn(self) -> None:
        until = time.monotonic() + TURN_SECONDS
        while (queue := self._due or self._changed) and time.monotonic() < until:
            uid = next(iter(queue))
            self._due.pop(uid, None)
            self._changed.pop(uid, None)
            try:
                self.reconcile(uid)
            except Exception:
                log.exception("deciding failed", uid=uid)
                self.delay_queue.set(QueueKey(Task.RECONCILE, uid), read_clock() + REQUEUE_AFTER)

    def _take_due(self, key: QueueKey) -> None:
        self._due[key.uid] = None
        self._work.set()
        self._due_work.set()

    def _get_plan(self, memory: ScheduleMemory, job: ScheduledJob) -> Plan | Problem:
        key, plan = self.plans.compile(job)
        if memory.plan_key != key:
            memory.adopt_plan(key, plan)
        return plan

    def _lose(self, job: ObservedJob) -> None:
        """Remember a deleted Job until the status has the end of its run."""
        memory = self._memories.get(job.owner_uid)
        if memory is not None:
            now = read_clock()
            memory.deleting.discard(job.uid)
            pods = self.observed.pods_of([job]).get(job.uid, ())
            request = self.observed.run_requests.get(job.run_id)
            memory.lose(job, read_run(job, pods, now), now, [request] if request else ())

    def _drop(self, uid: str) -> None:
        self.plans.forget(uid)
        self._doubts.forget(uid)
        self._rivals.forget(uid)
        memory = self._memories.pop(uid, None)
        if memory is not None:
            self.delay_queue.set(QueueKey(Task.RECONCILE, uid), None)
            self._job_writer.forget(uid)
