"""What one process knows of a schedule beyond its stored state; a restart finds it anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sundial_core.attempts import NextAttempt
from sundial_core.decide import Decision
from sundial_core.endings import Ending
from sundial_core.manifests import Attempt, Creator, Owner, build_job, build_retry_job
from sundial_core.model import CatchUp, CatchUpPolicy, JsonObject
from sundial_core.objects import ScheduledJob, ScheduledJobRun
from sundial_core.plans import Plan, Problem
from sundial_core.queues import Waiting
from sundial_core.resets import is_future, pass_on
from sundial_core.runs import ObservedJob, Phase, Run, Trigger, build_lost_run, build_run
from sundial_core.stored import Stored
from sundial_core.verdicts import Judgement
from sundial_core.views import Memory

PlanKey = tuple[int, str, int]
"""What a plan was compiled from: the generation, and the UID and generation of its TaskFunction."""


@dataclass(slots=True)
class Create:
    """A Job's creation under way, as it was decided: later edits do not change it.

    `unanswered_at` is when the newest request that got no answer was given up; `is_refused` while every
    request was answered, the newest with a refusal that may pass, which `refusal` quotes. `served_at` is
    when a slot that had waited, or a run that was asked for, got its place.
    """

    attempt: Attempt
    template: JsonObject
    catch_up: CatchUp
    tries: int = 0
    unanswered_at: datetime | None = None
    is_refused: bool = False
    follows: NextAttempt | None = None
    served_at: datetime | None = None
    refusal: str = ""

    def build(self, creator: Creator) -> JsonObject:
        """Build the Job: from the user's template, or for a retry from the Job of the attempt before."""
        if self.follows is None:
            return build_job(self.attempt, self.template, creator)
        return build_retry_job(self.template, self.follows, self.attempt.job_name, creator)

    @property
    def due_at(self) -> datetime:
        """When the attempt was to start."""
        due_at = self.follows.due_at if self.follows else self.served_at or self.attempt.slot
        assert due_at is not None
        return due_at

    @property
    def may_yield(self) -> bool:
        """Tell whether a newer slot takes this one's place: under Latest, unless it had waited."""
        is_latest = self.catch_up.policy is CatchUpPolicy.LATEST
        return self.is_refused and is_latest and self.served_at is None


@dataclass(slots=True)
class Companion:
    """The mutable companion of one object with a status: the newest that was decided, and its writing.

    `wanted_from` is the resourceVersion that the wanted status was computed from.
    """

    uid: str
    wanted_status: JsonObject | None = None
    wanted_from: int = 0
    is_patching: bool = False
    patch_failures: int = 0


@dataclass(slots=True)
class Track(Companion):
    """The mutable companion of one ScheduledJob."""

    plan_key: PlanKey | None = None
    plan: Plan | Problem | None = None
    judged_until: datetime | None = None
    reset_at: datetime | None = None
    judgements: list[Judgement] = field(default_factory=list)
    queued: tuple[Waiting, ...] = ()
    creates: dict[datetime, Create] = field(default_factory=dict)
    retries: dict[str, Create] = field(default_factory=dict)
    failed: dict[str, Run] = field(default_factory=dict)
    ending: set[str] = field(default_factory=set)
    lost: dict[str, Run] = field(default_factory=dict)
    rejected: dict[str, Judgement] = field(default_factory=dict)
    reading: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    stored_status: JsonObject = field(default_factory=dict)

    def recall(self) -> Memory:
        """Show what is remembered, for a decision."""
        return Memory(
            judged_until=self.judged_until,
            judgements=tuple(self.judgements),
            creating=frozenset(self.creates),
            refused=frozenset(slot for slot, create in self.creates.items() if create.is_refused),
            queued=self.queued,
            yielding=frozenset(slot for slot, create in self.creates.items() if create.may_yield),
            retrying=frozenset(self.retries),
            landing=frozenset(run_id for run_id, retry in self.retries.items() if not retry.is_refused),
            ending=frozenset(self.ending),
            failed=dict(self.failed),
            lost=dict(self.lost),
            rejected=dict(self.rejected),
            postponed={run_id: one.refusal for run_id, one in self.retries.items() if one.is_refused},
            decided=self.wanted_status or {},
            reset_at=self.reset_at,
        )

    def adopt_plan(self, key: PlanKey, plan: Plan | Problem) -> None:
        """Take a compiled spec; of another schedule nothing is judged yet but what has a judgement."""
        if self.plan is not None and self.plan.schedule_hash != plan.schedule_hash:
            judged = [judgement.last for judgement in self.judgements]
            self.judged_until = max([*judged, *(one.slot for one in self.queued)], default=None)
        self.plan_key, self.plan = key, plan

    def remember(self, decision: Decision) -> None:
        """Keep what was decided until it is stored."""
        self.queued = decision.queued
        for judgement in decision.judgements:
            self.judgements.append(judgement)
            self.creates.pop(judgement.first, None)
        self.reset_at = decision.reset_at
        if decision.judged_until is not None:
            self.judged_until = pass_on(self.judged_until, decision.judged_until)
            kept = [one for one in self.judgements if not is_future(one.last, self.judged_until)]
            self.judgements = kept
        if isinstance(self.plan, Plan):
            for attempt in decision.starts:
                assert attempt.slot is not None
                create = Create(attempt, self.plan.template, self.plan.spec.catch_up)
                create.served_at = decision.judged_until if attempt.slot in decision.served else None
                self.creates[attempt.slot] = create

    def begin_retry(self, job: ScheduledJob, following: NextAttempt) -> None:
        """Note that a run's next attempt is being created."""
        after = following.after
        attempt = Attempt(
            owner=Owner(job.ns, job.name, job.uid, job.generation),
            run_id=after.run_id,
            trigger=after.trigger,
            slot=after.slot,
            previous_slot=None,
            attempt=following.number,
            args=None,
            timeout_seconds=0,
        )
        catch_up = self.plan.spec.catch_up if isinstance(self.plan, Plan) else CatchUp()
        self.retries[after.run_id] = Create(attempt, {}, catch_up, follows=following)

    def begin_run(self, attempt: Attempt, now: datetime) -> None:
        """Note that the first Job of a run that somebody asked for is being created."""
        if isinstance(self.plan, Plan):
            self.retries[attempt.run_id] = Create(
                attempt, self.plan.template, self.plan.spec.catch_up, served_at=now
            )

    def begin_ending(self, ending: Ending) -> None:
        """Note that an attempt is being ended; a next one that was refused until now is not created."""
        self.ending.add(ending.job.uid)
        retry = self.retries.get(ending.job.run_id)
        if retry is not None and retry.is_refused:
            del self.retries[ending.job.run_id]

    def fail_retry(self, after: ObservedJob, judgement: Judgement, now: datetime) -> None:
        """Note that a run's next attempt could not be created: that ends the run."""
        self.failed[after.run_id] = replace(
            build_run(after, (), now),
            phase=Phase.FAILED,
            reason=judgement.reason.value,
            message=judgement.message,
            completed_at=now,
            holds_place=False,
        )

    def lose(self, job: ObservedJob, run: Run, now: datetime) -> None:
        """Remember a run whose Job was deleted; deleted between two attempts, it is cancelled."""
        known = self.lost.get(job.run_id)
        if known is not None and known.attempt > job.attempt:
            return
        decided = (self.wanted_status or self.stored_status).get("active") or ()
        is_waiting = any(entry["runId"] == job.run_id and "retryAt" in entry for entry in decided)
        self.lost[job.run_id] = build_lost_run(replace(run, phase=Phase.WAITING) if is_waiting else run, now)

    def conclude(self, slot: datetime, judgement: Judgement) -> None:
        """Keep the judgement of a slot whose create failed for good, unless its Job was seen meanwhile."""
        if self.creates.pop(slot, None) is not None:
            self.judgements.append(judgement)

    def forget_answered(self, asked: Iterable[ScheduledJobRun]) -> None:
        """Forget what concerns ScheduledJobRuns that are gone: deleting one that waits cancels it."""
        wanted = {request.uid for request in asked if not request.is_deleting}
        self.rejected = {uid: judgement for uid, judgement in self.rejected.items() if uid in wanted}
        self.retries = {
            run_id: create for run_id, create in self.retries.items() if create.follows or run_id in wanted
        }

    def forget_stored(self, stored: Stored) -> None:
        """Forget what the stored status holds by now."""
        if stored.cursor is None:
            return
        self.judgements = [
            judgement
            for judgement in self.judgements
            if judgement.last > stored.cursor or stored.is_queued(judgement.first)
        ]
        self.lost = _keep_unstored(self.lost, stored)
        self.failed = _keep_unstored(self.failed, stored)

    def forget_created(self, jobs: Iterable[ObservedJob]) -> None:
        """Forget the creates whose Job has been seen."""
        for job in jobs:
            if job.slot is not None and job.slot in self.creates and job.attempt == 1:
                create = self.creates[job.slot]
                if create.attempt.run_id == job.run_id:
                    del self.creates[job.slot]
            retry = self.retries.get(job.run_id)
            if retry is not None and retry.attempt.attempt == job.attempt:
                del self.retries[job.run_id]


def _keep_unstored(known: dict[str, Run], stored: Stored) -> dict[str, Run]:
    """Keep the runs whose end the stored status does not have yet."""
    return {run_id: run for run_id, run in known.items() if not _is_stored(run, stored)}


def _is_stored(run: Run, stored: Stored) -> bool:
    if run.run_id in stored.active:
        return False
    if run.trigger is not Trigger.SCHEDULE:
        return run.run_id in stored.results
    if stored.is_queued(run.slot):
        return False
    return run.slot is None or stored.cursor is None or run.slot <= stored.cursor
