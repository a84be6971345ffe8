"""Carries decisions out: creates, deletes, reads and status patches, each through the writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from sundial_core.decision.decide import Decision
from sundial_core.decision.job_creation import (
    RETRY_BACKOFF,
    Answered,
    Created,
    PendingCreate,
    Postponed,
)
from sundial_core.decision.job_deletions import Deletions
from sundial_core.decision.schedule_memory import Finding, ScheduleMemory
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.runs.early_ends import Termination, build_termination_patch
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run
from sundial_core.runs.start_timeouts import explain_refusal, explain_wait, find_silent
from sundial_core.status.transitions import describe_stop
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import EVENTS, JOBS, SCHEDULED_JOBS
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.inputs.stores import Stores
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.event_writer import EventWriter
from sundial_operator.outputs.job_creator import (
    JobCreator,
    compute_delay,
    log_start,
    read_job,
)
from sundial_operator.outputs.lanes import Reply
from sundial_operator.outputs.status_patches import Source, StatusPatcher
from sundial_operator.outputs.write_queue import Priority, WriteQueue

log = structlog.get_logger()

MAX_QUICK_READS = 3
"""After so many reads of a run's Job that settle nothing the next one waits: a status may be forged."""

MAX_EVENTS = "500"
"""How many are read of one object: others may write some too."""

RETRY_AFTER = timedelta(seconds=10)
STALE_RETRY_AFTER = timedelta(seconds=1)
"""A Job that was changed meanwhile is looked at again so soon: the watch may have told before the answer."""


class JobWriter:
    """Applies decisions; answers go into the stores at once, what failed into the delay queue.

    `memories` is what is known of each ScheduledJob, by UID.
    """

    def __init__(
        self,
        client: KubeClient,
        writer: WriteQueue,
        creator: JobCreator,
        observed: Stores,
        delay_queue: DelayQueue,
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._client = client
        self._writer = writer
        self._creator = creator
        self._observed = observed
        self._delay_queue = delay_queue
        self.memories: dict[str, ScheduleMemory] = {}
        self._announcer = EventWriter(client, writer, metrics)
        source = Source(
            SCHEDULED_JOBS,
            Task.STATUS,
            observed.schedules,
            self._announcer.note_stored,
            self._announcer.note_refused,
        )
        self._statuses = StatusPatcher(client, writer, delay_queue, observed.enqueue, source)
        delay_queue.on(Task.CREATE, self._start_due)

    def apply(self, memory: ScheduleMemory, job: ScheduledJob, decision: Decision) -> None:
        """Submit what a decision asks for; starts go before everything else."""
        orders = memory.remember(job, decision, read_clock())
        for run_id in orders.creates:
            self._start(memory, run_id)
        for ending in orders.endings:
            self._writer.submit(Priority.STATUS, job.ns, partial(self._end, memory, ending))
        self._note_capped(orders.deletes, decision.deletes)
        for finished in orders.deletes:
            self._writer.submit(Priority.DELETE, job.ns, partial(self._delete, memory, finished))
        for run in orders.reads:
            self._writer.submit(Priority.STATUS, job.ns, partial(self._read, memory, job.ns, run))
        if not decision.is_told_later:
            self._statuses.want(memory, decision.urgency)

    def forget(self, uid: str) -> None:
        """Write nothing any more for a ScheduledJob that is gone."""
        self._statuses.forget(uid)

    def tell_stopped(self, memory: ScheduleMemory, job: ScheduledJob) -> None:
        """Tell that a schedule starts nothing more until its status can be stored."""
        self._announcer.announce(job, describe_stop(memory.refusal))

    def _note_capped(self, deletes: Iterable[ObservedJob], choice: Deletions) -> None:
        news = [job for job in deletes if job.uid in choice.capped]
        for cap, count in Counter(choice.capped[job.uid] for job in news).items():
            log.info("finished Jobs beyond a cap go", cap=cap.value, jobs=count, namespace=news[0].ns)
            self._metrics.capped.labels(cap.value).inc(count)

    def _start_due(self, key: QueueKey) -> None:
        memory = self.memories.get(key.uid)
        if memory is not None:
            self._start(memory, key.run_id)

    def _start(self, memory: ScheduleMemory, run_id: str) -> None:
        """Submit the create of a run's Job."""
        create = memory.creates.get(run_id)
        if create is not None:
            self._writer.submit(Priority.START, create.attempt.owner.ns, partial(self._try, memory, run_id))

    async def _try(self, memory: ScheduleMemory, run_id: str) -> Reply:
        """Create a Job unless its owner is gone; trouble that nobody has foreseen is tried again too."""
        job, create = self._observed.schedules.get(memory.uid), memory.creates.get(run_id)
        if job is None or job.is_deleting or create is None:
            return Reply.UNSENT
        try:
            return await self._create(memory, create)
        except Exception:
            at = read_clock() + timedelta(seconds=RETRY_BACKOFF.max_seconds)
            self._delay_queue.set(QueueKey(Task.CREATE, memory.uid, run_id), at)
            raise

    async def _create(self, memory: ScheduleMemory, create: PendingCreate) -> Reply:
        before = create.last_refusal
        outcome, reply = await self._creator.create(memory, create)
        if isinstance(outcome, Postponed):
            if create.last_refusal != before:
                self._requeue(memory)
            at = read_clock() + timedelta(seconds=compute_delay(outcome))
            self._delay_queue.set(QueueKey(Task.CREATE, memory.uid, create.attempt.run_id), at)
            return reply
        if isinstance(outcome, Created):
            self._observed.jobs.put(outcome.item)
            self._note_start(create)
        self._requeue(memory)
        return reply

    def _note_start(self, create: PendingCreate) -> None:
        now = read_clock()
        if create.is_slot:
            self._metrics.lateness.observe((now - create.due_at).total_seconds())
        log_start(create, now)

    async def _end(self, memory: ScheduleMemory, ending: Termination) -> None:
        """End an attempt, or a run between two of them; until that is done each look asks for it again."""
        job = ending.job
        try:
            patch = build_termination_patch(await self._explain(ending))
            self._observed.jobs.put(await self._client.patch(JOBS, job.ns, job.name, patch))
        except (ApiError, ApiUnreachable, NotLeading) as error:
            is_stale = isinstance(error, ApiError) and error.status in (404, 409)
            if not is_stale:
                fields = {"namespace": job.ns, "run": job.run_id, "job": job.name, "reason": ending.reason}
                log.warning("ending a run failed", **fields, error=str(error))
            self._requeue(memory, STALE_RETRY_AFTER if is_stale else RETRY_AFTER)
        finally:
            memory.ending.discard(job.uid)

    async def _explain(self, ending: Termination) -> Termination:
        """Say why an attempt has not started where only events tell: of its Job without a Pod, of its Pod."""
        if ending.reason is not Reason.START_TIMEOUT:
            return ending
        job = ending.job
        if not ending.message:
            return replace(ending, message=explain_refusal(await self._list_events(job.ns, job.uid)))
        pod = find_silent(self._observed.pods_of([job]).get(job.uid, ()))
        if pod is None:
            return ending
        said = explain_wait(pod, await self._list_events(job.ns, pod.uid))
        return replace(ending, message=said or ending.message)

    async def _list_events(self, ns: str, uid: str) -> list[JsonObject]:
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": MAX_EVENTS}
        events: list[JsonObject] = (await self._client.list_page(EVENTS.path(ns), query))["items"]
        return events

    async def _delete(self, memory: ScheduleMemory, job: ObservedJob) -> None:
        try:
            await self._client.delete(JOBS, job.ns, job.name, job.uid)
        except (ApiError, ApiUnreachable, NotLeading) as error:
            is_gone = isinstance(error, ApiError) and error.status in (404, 409)
            if not is_gone and not isinstance(error, NotLeading):  # a shut gate would fill the log: all wait
                fields = {"namespace": job.ns, "run": job.run_id, "job": job.name}
                log.warning("deleting a finished Job failed", **fields, error=str(error))
            memory.deleting.discard(job.uid)
            self._requeue(memory, RETRY_AFTER)

    async def _read(self, memory: ScheduleMemory, ns: str, run: Run) -> None:
        """Read the Job of an active run: only this can tell that it is gone, or that it goes on."""
        try:
            answer = await read_job(self._client, ns, run.job_name)
        finally:
            memory.reading.discard(run.run_id)
        finding = memory.take_read(run, answer, read_clock())
        if finding is Finding.THERE and isinstance(answer, Answered):
            self._observed.jobs.put(answer.item)
        elif finding is Finding.GONE:
            self._forget(memory, run)
        is_learned = finding is Finding.GONE or (finding is Finding.THERE and self._has(memory, run))
        is_news = is_learned and memory.times_read[run.run_id] <= MAX_QUICK_READS
        self._requeue(memory, timedelta(0) if is_news else RETRY_AFTER)

    def _has(self, memory: ScheduleMemory, run: Run) -> bool:
        return any(job.name == run.job_name for job in self._observed.jobs_of(memory.uid))

    def _forget(self, memory: ScheduleMemory, run: Run) -> None:
        """Forget a Job that is gone, although no watch has told so."""
        for job in self._observed.jobs_of(memory.uid):
            if job.name == run.job_name and job.run_id == run.run_id:
                self._observed.jobs.forget(job.uid)

    def _requeue(self, memory: ScheduleMemory, after: timedelta = timedelta(0)) -> None:
        if after:
            self._delay_queue.advance(QueueKey(Task.RECONCILE, memory.uid), read_clock() + after)
        else:
            self._observed.enqueue(memory.uid)
