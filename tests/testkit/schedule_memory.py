"""What one process knows of a schedule, as tests write it down: a Track, its creates, its runs."""

from __future__ import annotations

from typing import Any

from testkit.scheduled_job_runs import ask, build_request
from testkit.scheduled_jobs import (
    TEMPLATE,
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
)

from sundial_core.decision.job_creation import Denied, PendingCreate, Send
from sundial_core.decision.remembered import Backlog
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.resources.phases import Trigger, Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_job,
)
from sundial_core.runs.retries import NextAttempt
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_run
from sundial_core.status.verdicts import VerdictRecord

KEY = (1, "", 0)
CREATOR = Creator("team.x", "one", 1)
JOB = build_scheduled_job(build_spec(catchUp={"policy": "Latest", "graceSeconds": 9}))
CATCH_UP = CatchUp(policy="Latest", grace_seconds=9)
PLAN = build_plan(JOB)
PROBLEM = build_plan(build_scheduled_job(build_spec(template=None)))
OWNER = Owner("team", "tick", UID, 1)
SLOT, LATER = look(JOB, 10).starts[0], look(JOB, 20).starts[0]
ASKED = ask(build_request()).run_requests.starts[0]
FAILED = build_observed(10, "Failed")
FOLLOWING = NextAttempt(FAILED, 2, at(20), 1, 0)
RETRY = Attempt(
    owner=OWNER,
    run_id=FAILED.run_id,
    trigger=Trigger.SCHEDULE,
    slot=at(10),
    previous_slot=None,
    attempt=2,
    args=None,
    timeout_seconds=0,
)
SENT = Send(build_job(SLOT, TEMPLATE, CREATOR))
BACKLOG = Backlog(frozenset({at(10)}), at(10))
REJECTED = Denied(422, "Invalid", "no")
NOT_FOUND = Denied(404, "NotFound", "")


def build_memory(*creates: PendingCreate, **fields: Any) -> ScheduleMemory:
    """Build the track of a schedule that was seen and whose spec is compiled."""
    by_run = {create.attempt.run_id: create for create in creates}
    return ScheduleMemory(UID, plan_key=KEY, plan=PLAN, parent=OWNER, creates=by_run, **fields)


def build_create(attempt: Attempt = SLOT, **fields: Any) -> PendingCreate:
    return PendingCreate(attempt, TEMPLATE, CATCH_UP, at(11), **fields)


def build_retry(**fields: Any) -> PendingCreate:
    return PendingCreate(RETRY, {}, CATCH_UP, at(11), FOLLOWING, **fields)


def judge(reason: Reason = Reason.REJECTED, slot: float = 10, message: str = "no") -> VerdictRecord:
    return VerdictRecord(at(slot), at(slot), 1, Verdict.SKIPPED, reason, message)


def observe_run(job: Any = FAILED) -> Run:
    return build_run(job, (), at(12))
