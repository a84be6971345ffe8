"""What one process knows of a schedule beyond its stored state: what it decided, sent, and learned.

The operator, the simulation and the search of the start protocol take the same steps: `observe`, `recall`,
`remember`, `begin`, `take`. All of it may be lost at any moment; a restart finds it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from sundial_clock.schedule import CompiledSchedule
from sundial_core.decision.clock_skew import drop_future, pass_on
from sundial_core.decision.decide import Decision
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answer,
    Answered,
    Created,
    CreateRequest,
    Denied,
    Dropped,
    PendingCreate,
    Refused,
    Send,
    Step,
    Unanswered,
    build_retry_attempt,
)
from sundial_core.decision.job_deletions import is_stored_as_ended
from sundial_core.decision.pending_status import PendingStatus
from sundial_core.decision.remembered import Backlog, Remembered
from sundial_core.resources.objects import ScheduledJob, ScheduledJobRun
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.custody import Custody, is_in_sight, is_job_of, is_ours, sort_jobs
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.manifests import Creator, Owner
from sundial_core.runs.run import Run
from sundial_core.runs.runner_pods import build_template
from sundial_core.runs.state import build_lost_run, build_run, compute_overdue_at
from sundial_core.status.omitted import list_manual_run_ids
from sundial_core.status.queued import QueueEntry
from sundial_core.status.stored import StoredStatus, parse_stored_status
from sundial_core.status.unstored_verdicts import drop_stored, merge_verdicts
from sundial_core.status.verdicts import VerdictRecord

PlanKey = tuple[int, str, int]
"""What a plan was compiled from: the generation, and the UID and generation of its TaskFunction."""

MAX_READS = 8
"""How many Jobs of a schedule are read at once: who may write a status names as many as they like."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a decision asks for that is not under way yet; `creates` are run ids."""

    creates: tuple[str, ...] = ()
    endings: tuple[Termination, ...] = ()
    deletes: tuple[ObservedJob, ...] = ()
    reads: tuple[Run, ...] = ()


class Finding(Enum):
    """What an uncached read has told of the Job of an attempt."""

    THERE = "there"
    GONE = "gone, or another's Job has its name"
    UNKNOWN = "no answer"


@dataclass(slots=True)
class ScheduleMemory(PendingStatus):
    """What one process knows of one ScheduledJob; mutable. `Remembered` is what it shows of it."""

    plan_key: PlanKey | None = None
    plan: Plan | Problem | None = None
    decided_until: datetime | None = None
    """Each slot up to there has a Job, a verdict, a create under way, or waits."""
    reset_at: datetime | None = None
    """To which instant a stored one of the future was set back."""
    verdicts: list[VerdictRecord] = field(default_factory=list)
    """Not stored yet."""
    queued: tuple[QueueEntry, ...] = ()
    """Slots that wait for a place, not stored yet."""
    creates: dict[str, PendingCreate] = field(default_factory=dict)
    """By run id: each run has one at most."""
    failed: dict[str, Run] = field(default_factory=dict)
    """Runs whose next attempt could not be created, by run id."""
    ending: set[str] = field(default_factory=set)
    """The UIDs of Jobs that are being ended."""
    lost: dict[str, Run] = field(default_factory=dict)
    """Runs whose newest Job is known to be gone, as they were then, by run id."""
    rejected: dict[str, VerdictRecord] = field(default_factory=dict)
    """Manual runs whose Job could not be created, by run id."""
    reading: set[str] = field(default_factory=set)
    """Runs whose Job is being read uncached."""
    times_read: Counter[str] = field(default_factory=Counter)
    """How often that was done, by run id."""
    deleting: set[str] = field(default_factory=set)
    """The UIDs of Jobs that are being deleted."""
    stored_status: JsonObject = field(default_factory=dict)
    """The status as last seen."""
    between: frozenset[str] = frozenset()
    """The ids of runs between two attempts."""
    backlog: Backlog = field(default_factory=Backlog)
    """What waits for a status to be stored."""
    withheld: tuple[VerdictRecord, ...] = ()
    """These verdicts are not final until a status is stored."""
    is_stopped: bool = False
    """Nothing may start: too little could be stored."""
    parent: Owner | None = None
    manual_runs: frozenset[str] = frozenset()
    """The ids of manual runs that have Jobs."""
    sent: set[str] = field(default_factory=set)
    """The ids of manual runs whose Job may exist and has not been seen."""
    read_at: dict[str, datetime] = field(default_factory=dict)
    """When an overdue attempt was last read uncached, by run id."""

    def observe(
        self,
        job: ScheduledJob,
        jobs: Collection[ObservedJob],
        asked: Collection[ScheduledJobRun] = (),
    ) -> Custody:
        """Tell which Jobs are ours, and forget what is seen or stored by now: done before each decision."""
        self.parent = Owner(job.ns, job.name, job.uid, job.generation)
        custody = self._sort(job, jobs, asked)
        self.forget_created(custody.ours)
        self.forget_answered(asked)
        self.stored_status = job.status
        if self.verdicts or self.withheld or self.lost or self.failed:
            self.forget_stored(parse_stored_status(job.status))
        return custody

    def _sort(
        self, job: ScheduledJob, jobs: Collection[ObservedJob], requests: Iterable[ScheduledJobRun]
    ) -> Custody:
        """Sort the Jobs; a manual run stays one when its ScheduledJobRun is deleted."""
        known = self._list_manual_run_ids().intersection(observed.run_id for observed in jobs)
        self.manual_runs = known | list_manual_run_ids(jobs, job, job.status, requests)
        self.sent -= self.manual_runs
        if self.read_at:
            present = {observed.run_id for observed in jobs}
            self.read_at = {run_id: at for run_id, at in self.read_at.items() if run_id in present}
        return sort_jobs(jobs, job, self.manual_runs)

    def _list_manual_run_ids(self) -> frozenset[str]:
        """List the manual runs that this process knows, by their Jobs or by what it has sent."""
        creating = (
            run_id for run_id, create in self.creates.items() if create.attempt.trigger != Trigger.SCHEDULE
        )
        return self.manual_runs.union(self.sent, creating)

    def recall(self) -> Remembered:
        """Show what is remembered, for a decision."""
        slots = {
            create.attempt.slot: create
            for create in self.creates.values()
            if create.is_slot and create.attempt.slot
        }
        others = {run_id: create for run_id, create in self.creates.items() if not create.is_slot}
        return Remembered(
            decided_until=self.decided_until,
            verdicts=tuple(self.verdicts),
            creating=frozenset(slots),
            refused=frozenset(slot for slot, create in slots.items() if create.is_refused),
            queued=self.queued,
            refusals={slot: create.last_refusal for slot, create in slots.items() if create.last_refusal},
            yielding=frozenset(slot for slot, create in slots.items() if create.may_yield),
            retrying=frozenset(others),
            landing=frozenset(run_id for run_id, create in others.items() if not create.is_refused),
            ending=frozenset(self.ending),
            failed=dict(self.failed),
            lost=dict(self.lost),
            rejected=dict(self.rejected),
            postponed={
                run_id: create.refusal for run_id, create in others.items() if create.refusal is not None
            },
            decided=self.wanted_status or {},
            read_at=dict(self.read_at),
            reset_at=self.reset_at,
            refusal=self.refusal,
            backlog=self.backlog,
            withheld=self.withheld,
        )

    @property
    def schedule(self) -> CompiledSchedule | None:
        """The schedule by which slots are decided."""
        return self.plan.schedule if isinstance(self.plan, Plan) else None

    def adopt_plan(self, key: PlanKey, plan: Plan | Problem) -> None:
        """Take a compiled spec; of another schedule nothing is decided yet but what has a verdict."""
        self._settle_withheld()
        if self.plan is not None and self.plan.schedule_hash != plan.schedule_hash:
            decided_slots = [record.last for record in self.verdicts]
            self.decided_until = max([*decided_slots, *(entry.slot for entry in self.queued)], default=None)
        self.plan_key, self.plan = key, plan

    def remember(self, job: ScheduledJob, decision: Decision, now: datetime) -> Orders:
        """Keep what was decided until it is stored; tell what of it is to be done now."""
        self._remember_verdicts(decision)
        self.queued = decision.queued
        if not decision.is_told_later:
            self.want(job, decision.status, decision.urgency)
        endings = [ending for ending in decision.endings if ending.job.uid not in self.ending]
        deletes = [job for job in decision.deletes.jobs if job.uid not in self.deleting]
        reads = self._choose_reads(decision.missing)
        for ending in endings:
            self._begin_ending(ending)
        self.deleting.update(job.uid for job in deletes)
        self.reading.update(run.run_id for run in reads)
        creates = {create.attempt.run_id: create for create in self._build_creates(job, decision, now)}
        self.creates |= creates
        return Orders(tuple(creates), tuple(endings), tuple(deletes), tuple(reads))

    def begin(
        self, create: PendingCreate, creator: Creator, installation: InstallationState, now: datetime
    ) -> Step:
        """Begin to create a run's Job, once more if need be."""
        if self.creates.get(create.attempt.run_id) is not create:
            return Dropped()
        return self._settle(create, create.begin(creator, installation, now), now)

    def take(
        self, create: PendingCreate, request: CreateRequest, answer: Answer, creator: Creator, now: datetime
    ) -> Step:
        """Learn from the answer to a request: what to ask next, or what came of the create."""
        step = create.take(request, answer, creator, now)
        is_lost = isinstance(request, Send) and isinstance(answer, Unanswered)
        if (is_lost or isinstance(step, Created)) and create.attempt.trigger is not Trigger.SCHEDULE:
            self.sent.add(create.attempt.run_id)
        return self._settle(create, step, now)

    def take_read(self, run: Run, answer: Answer, now: datetime) -> Finding:
        """Learn whether the Job of an active run is there.

        It is not where its name is another's, nor where somebody has taken off the label that watches need.
        """
        if isinstance(answer, Answered) and self._is_job_of(answer.item, run) and is_in_sight(answer.item):
            if now >= compute_overdue_at(parse_job(answer.item)):
                self.read_at[run.run_id] = now
            return Finding.THERE
        if not isinstance(answer, Answered) and not (isinstance(answer, Denied) and answer.status == 404):
            return Finding.UNKNOWN
        self.lost[run.run_id] = build_lost_run(run, now)
        return Finding.GONE

    def _choose_reads(self, missing: Collection[Run]) -> list[Run]:
        """Choose the Jobs to be read next, a few at a time: those that were read least often."""
        waiting = [run for run in missing if run.run_id not in self.reading]
        waiting.sort(key=lambda run: self.times_read[run.run_id])
        reads = waiting[: max(0, MAX_READS - len(self.reading))]
        self.times_read.update(run.run_id for run in reads)
        gone = self.times_read.keys() - {run.run_id for run in missing}
        for run_id in gone:
            del self.times_read[run_id]
        return reads

    def _is_job_of(self, item: JsonObject, run: Run) -> bool:
        return self.parent is not None and is_job_of(item, self.parent, run.run_id, run.job_name)

    def _settle(self, create: PendingCreate, step: Step, now: datetime) -> Step:
        """Keep what came of a create for good, unless its Job was seen or it was given up meanwhile."""
        run_id = create.attempt.run_id
        is_over = isinstance(step, Created | Refused | Dropped)
        if not is_over or self.creates.get(run_id) is not create:
            return step
        del self.creates[run_id]
        if isinstance(step, Refused) and create.follows is not None:
            self.fail_retry(create.follows.after, step.record, now)
        elif isinstance(step, Refused) and create.is_slot:
            self._keep_verdicts([step.record])
        elif isinstance(step, Refused):
            self.rejected[run_id] = step.record
        return step

    def _remember_verdicts(self, decision: Decision) -> None:
        """Keep verdicts; what was decided instead ends a create."""
        self._keep_verdicts(decision.verdicts, {entry.slot for entry in self.queued})
        self._follow(decision)
        decided_slots = {record.first for record in decision.verdicts}
        if decided_slots and self.creates:
            self.creates = {
                run_id: create
                for run_id, create in self.creates.items()
                if not (create.is_slot and create.attempt.slot in decided_slots)
            }
        self.reset_at = decision.reset_at
        if decision.decided_until is not None:
            self.decided_until = pass_on(self.decided_until, decision.decided_until)
            self.verdicts = list(drop_future(self.verdicts, self.decided_until, self.plan))

    def _keep_verdicts(self, verdicts: Iterable[VerdictRecord], apart: Collection[datetime] = ()) -> None:
        """Keep verdicts with those that are known, merged except for slots that had waited."""
        self.verdicts = merge_verdicts(self.verdicts, verdicts, self.schedule, apart)

    def _follow(self, decision: Decision) -> None:
        """Keep what the next decision goes on from, unless this one has decided nothing."""
        if decision.backlog is not None:
            self.backlog, self.withheld = decision.backlog, decision.withheld
            self.is_stopped, self.between = decision.is_stopped, decision.between

    def _settle_withheld(self) -> None:
        """Make verdicts final that would be given anew: by another spec they would be lost."""
        if self.withheld:
            self._keep_verdicts(self.withheld)
            self.decided_until, self.withheld = self.withheld[-1].last, ()

    def _build_creates(self, job: ScheduledJob, decision: Decision, now: datetime) -> Iterator[PendingCreate]:
        """Note the Jobs that are to be created as they were decided: of slots, of retries, and asked for."""
        plan = self.plan
        catch_up = plan.spec.catch_up if isinstance(plan, Plan) else CatchUp()
        for following in decision.retries:
            yield PendingCreate(build_retry_attempt(job, following), {}, catch_up, now, following)
        if isinstance(plan, Plan):
            asked = decision.run_requests.starts if decision.run_requests else ()
            starts = [(one, now if one.slot in decision.served else None) for one in decision.starts]
            for attempt, served_at in (*starts, *((one, now) for one in asked)):
                yield PendingCreate(attempt, build_template(plan), catch_up, now, served_at=served_at)

    def _begin_ending(self, ending: Termination) -> None:
        """Note that an attempt is being ended; a next one that was refused until now is not created."""
        self.ending.add(ending.job.uid)
        retry = self.creates.get(ending.job.run_id)
        if retry is not None and retry.is_refused:
            del self.creates[ending.job.run_id]

    def fail_retry(self, after: ObservedJob, record: VerdictRecord, now: datetime) -> None:
        """Note that a run's next attempt could not be created: that ends the run."""
        self.failed[after.run_id] = replace(
            build_run(after, (), now),
            phase=Phase.FAILED,
            reason=record.reason.value,
            message=record.message,
            completed_at=now,
            counts_as_active=False,
        )

    def lose(
        self, job: ObservedJob, run: Run, now: datetime, requests: Iterable[ScheduledJobRun] = ()
    ) -> None:
        """Remember a run whose Job was deleted; deleted between two attempts, it is cancelled.

        `requests` may tell that somebody asked for it.
        """
        if self.parent is None:
            return
        asked = self._list_manual_run_ids() | list_manual_run_ids(
            [job], self.parent, self.stored_status, requests
        )
        if not is_ours(job, self.parent, asked):
            return
        known = self.lost.get(job.run_id)
        if known is not None and known.attempt > job.attempt:
            return
        decided = (self.wanted_status or self.stored_status).get("active") or ()
        is_waiting = job.run_id in self.between or any(
            entry["runId"] == job.run_id and "retryAt" in entry for entry in decided
        )
        self.lost[job.run_id] = build_lost_run(replace(run, phase=Phase.WAITING) if is_waiting else run, now)

    def forget_answered(self, asked: Iterable[ScheduledJobRun]) -> None:
        """Forget what concerns ScheduledJobRuns that are gone: deleting one that waits cancels it."""
        wanted = {request.uid for request in asked if not request.is_deleting}
        self.rejected = {uid: record for uid, record in self.rejected.items() if uid in wanted}
        self.creates = {
            run_id: create
            for run_id, create in self.creates.items()
            if create.follows or create.is_slot or run_id in wanted
        }

    def forget_stored(self, stored: StoredStatus) -> None:
        """Forget what the stored status holds by now."""
        if stored.cursor is None:
            return
        self.verdicts = drop_stored(self.verdicts, stored, self.schedule)
        self.withheld = tuple(drop_stored(self.withheld, stored, self.schedule))
        self.lost = _keep_unstored(self.lost, stored)
        self.failed = _keep_unstored(self.failed, stored)

    def forget_created(self, jobs: Iterable[ObservedJob]) -> None:
        """Forget the creates whose Job has been seen."""
        for job in jobs if self.creates else ():
            create = self.creates.get(job.run_id)
            if create is not None and create.attempt.attempt == job.attempt:
                del self.creates[job.run_id]


def _keep_unstored(known: dict[str, Run], stored: StoredStatus) -> dict[str, Run]:
    """Keep the runs whose end the stored status does not have yet."""
    return {run_id: run for run_id, run in known.items() if not is_stored_as_ended(run, stored)}
