"""Carries decisions out: creates, deletes, reads and status patches, each through the writer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from sundial_core.conditions import Reason
from sundial_core.decide import Decision
from sundial_core.endings import Ending, build_ending_patch, is_ending
from sundial_core.objects import ScheduledJob
from sundial_core.retention import Choice
from sundial_core.runs import ObservedJob, Run, build_lost_run, parse_job
from sundial_core.starts import find_refusal
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import EVENTS, JOBS, SCHEDULED_JOBS
from sundial_operator.agenda import Agenda, Key, Task, read_clock
from sundial_operator.announcer import Announcer
from sundial_operator.creates import (
    LONGEST_RETRY_SECONDS,
    Created,
    JobCreator,
    Postponed,
    Refused,
    describe,
    find_back_off,
)
from sundial_operator.metrics import Metrics
from sundial_operator.observed import Observed
from sundial_operator.statuses import Source, Statuses
from sundial_operator.tracks import Create, Track
from sundial_operator.writer import Action, Priority, Writer

log = structlog.get_logger()

RETRY_AFTER = timedelta(seconds=10)


class Effects:
    """Applies decisions; the answers go into the stores at once, and what failed onto the agenda."""

    def __init__(
        self,
        client: KubeClient,
        writer: Writer,
        creator: JobCreator,
        observed: Observed,
        agenda: Agenda[Key],
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._client = client
        self._writer = writer
        self._creator = creator
        self._observed = observed
        self._agenda = agenda
        announcer = Announcer(client, writer, metrics)
        source = Source(SCHEDULED_JOBS, observed.schedules, announcer.note_stored)
        self._statuses = Statuses(client, writer, agenda, observed.wake, source)

    def apply(self, track: Track, job: ScheduledJob, decision: Decision) -> None:
        """Submit what a decision asks for; starts go before everything else."""
        self._begin(track, job, decision)
        for ending in decision.endings:
            if ending.job.uid not in track.ending:
                track.begin_ending(ending)
                self._writer.submit(Priority.STATUS, partial(self._end, track, ending))
        self._delete_finished(track, decision.deletes)
        for run in decision.missing:
            if run.run_id not in track.reading:
                track.reading.add(run.run_id)
                self._writer.submit(Priority.STATUS, partial(self._read, track, job.ns, run))
        self._statuses.want(track, job, decision.status, decision.urgency)

    def _delete_finished(self, track: Track, choice: Choice) -> None:
        news = [job for job in choice.jobs if job.uid not in track.deleting]
        caps = Counter(choice.capped[job.uid] for job in news if job.uid in choice.capped)
        for cap, count in caps.items():
            log.info("finished Jobs beyond a cap go", cap=cap.value, jobs=count, namespace=news[0].ns)
            self._metrics.capped.labels(cap.value).inc(count)
        for job in news:
            track.deleting.add(job.uid)
            self._writer.submit(Priority.DELETE, partial(self._delete, track, job))

    def _begin(self, track: Track, job: ScheduledJob, decision: Decision) -> None:
        for attempt in decision.starts:
            if attempt.slot is not None:
                self.start(track, attempt.slot)
        for following in decision.retries:
            track.begin_retry(job, following)
            self.retry(track, following.after.run_id)
        for attempt in decision.asked.starts if decision.asked else ():
            track.begin_run(attempt, read_clock())
            self.retry(track, attempt.run_id)

    def start(self, track: Track, slot: datetime) -> None:
        """Submit the create of a slot's Job."""
        key = Key(Task.CREATE, track.uid, slot)
        self._writer.submit(Priority.START, partial(self._try, key, partial(self._create, track, slot)))

    def retry(self, track: Track, run_id: str) -> None:
        """Submit the create of a run's next attempt, or of its first one if somebody asked for it."""
        key = Key(Task.RETRY, track.uid, run_id=run_id)
        self._writer.submit(Priority.START, partial(self._try, key, partial(self._retry, track, run_id)))

    def send_status(self, track: Track) -> None:
        """Submit the status that was decided last, if it still differs from the stored one."""
        self._statuses.send(track)

    async def _try(self, key: Key, create: Action) -> None:
        """Create a Job unless its owner is gone; trouble that nobody has foreseen is tried again too."""
        job = self._observed.schedules.get(key.uid)
        if job is None or job.is_deleting:
            return
        try:
            await create()
        except Exception:
            self._agenda.set(key, read_clock() + timedelta(seconds=LONGEST_RETRY_SECONDS))
            raise

    async def _create(self, track: Track, slot: datetime) -> None:
        create = track.creates.get(slot)
        if create is None:
            return
        result = await self._creator.create(create)
        if isinstance(result, Postponed):
            self._agenda.set(Key(Task.CREATE, track.uid, slot), result.at)
            return
        if isinstance(result, Created):
            track.creates.pop(slot, None)
            self._observed.jobs.put(result.job)
            self._note_start(create)
        else:
            track.conclude(slot, result.judgement)
        self._look_again(track)

    def _note_start(self, create: Create) -> None:
        now = read_clock()
        self._metrics.lateness.observe((now - create.due_at).total_seconds())
        log_start(create, now)

    async def _retry(self, track: Track, run_id: str) -> None:
        create = track.retries.get(run_id)
        if create is None:
            return
        follows = create.follows
        if follows and not create.template and not await self._fetch_previous(track, create, follows.after):
            return
        result = await self._creator.create(create)
        if isinstance(result, Postponed):
            self._agenda.set(Key(Task.RETRY, track.uid, run_id=run_id), result.at)
        else:
            track.retries.pop(run_id, None)
        if isinstance(result, Created):
            self._observed.jobs.put(result.job)
            log_start(create, read_clock())
        elif isinstance(result, Refused) and follows:
            track.fail_retry(follows.after, result.judgement, read_clock())
        elif isinstance(result, Refused):
            track.rejected[run_id] = result.judgement
        self._look_again(track)

    async def _fetch_previous(self, track: Track, create: Create, previous: ObservedJob) -> bool:
        """Read the Job of the attempt before, whose template is copied; False when that is not to be had."""
        try:
            item = await self._client.get(JOBS, previous.ns, previous.name)
        except (ApiError, ApiUnreachable) as error:
            is_gone = isinstance(error, ApiError) and error.status == 404
        else:
            is_gone = item["metadata"]["uid"] != previous.uid or is_ending(parse_job(item))
            create.template = {} if is_gone else item
        if create.template:
            return True
        if is_gone:
            track.retries.pop(previous.run_id, None)
        else:
            at = read_clock() + timedelta(seconds=find_back_off(1, None))
            self._agenda.set(Key(Task.RETRY, track.uid, run_id=previous.run_id), at)
        return False

    async def _end(self, track: Track, ending: Ending) -> None:
        """End an attempt, or a run between two of them; the watch tells what a conflict was about."""
        job = ending.job
        try:
            patch = build_ending_patch(await self._explain(ending))
            self._observed.jobs.put(await self._client.patch(JOBS, job.ns, job.name, patch))
        except (ApiError, ApiUnreachable, NotLeading) as error:
            is_stale = isinstance(error, ApiError) and error.status in (404, 409)
            if not is_stale:
                fields = {"namespace": job.ns, "run": job.run_id, "job": job.name, "reason": ending.reason}
                log.warning("ending a run failed", **fields, error=str(error))
            self._look_again(track, RETRY_AFTER)
        finally:
            track.ending.discard(job.uid)

    async def _explain(self, ending: Ending) -> Ending:
        """Say why an attempt without a Pod has not started: only the Job's events tell."""
        if ending.reason is not Reason.START_TIMEOUT or ending.message:
            return ending
        query = {"fieldSelector": f"involvedObject.uid={ending.job.uid}"}
        events = await self._client.list_page(EVENTS.path(ending.job.ns), query)
        return replace(ending, message=find_refusal(events["items"]))

    async def _delete(self, track: Track, job: ObservedJob) -> None:
        try:
            await self._client.delete(JOBS, job.ns, job.name, job.uid)
        except (ApiError, ApiUnreachable, NotLeading) as error:
            is_gone = isinstance(error, ApiError) and error.status in (404, 409)
            if not is_gone and not isinstance(error, NotLeading):  # a shut gate would fill the log: all wait
                fields = {"namespace": job.ns, "run": job.run_id, "job": job.name}
                log.warning("deleting a finished Job failed", **fields, error=str(error))
            track.deleting.discard(job.uid)
            self._look_again(track, RETRY_AFTER)

    async def _read(self, track: Track, ns: str, run: Run) -> None:
        """Read the Job of an active run that no store has: only this can tell that it is gone."""
        try:
            self._observed.jobs.put(await self._client.get(JOBS, ns, run.job_name))
        except ApiUnreachable:
            self._look_again(track, RETRY_AFTER)
        except ApiError as error:
            if error.status == 404:
                track.lost[run.run_id] = build_lost_run(run, read_clock())
            self._look_again(track, timedelta(0) if error.status == 404 else RETRY_AFTER)
        finally:
            track.reading.discard(run.run_id)

    def _look_again(self, track: Track, after: timedelta = timedelta(0)) -> None:
        if after:
            self._agenda.advance(Key(Task.LOOK, track.uid), read_clock() + after)
        else:
            self._observed.wake(track.uid)


def log_start(create: Create, now: datetime) -> None:
    """Log that an attempt was started."""
    late_seconds = round((now - create.due_at).total_seconds(), 3)
    log.info("run started", **describe(create.attempt), late_seconds=late_seconds)
