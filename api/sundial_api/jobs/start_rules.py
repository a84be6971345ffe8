"""Would the operator start one more run of a job now? Asked of the objects as they are, by its own rules.

What may still come is not refused: a TaskFunction that is missing, or a slot of the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sundial_api.jobs.wording import say_problem
from sundial_clock.sentences import Sentence, say
from sundial_core.decision.concurrency import Admission, decide_admission
from sundial_core.resources.objects import ScheduledJob, TaskFunction
from sundial_core.resources.plans import Problem, compile_plan
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.resources.specs import Concurrency
from sundial_core.resources.suspension import find_suspension


def find_refusal(
    job: ScheduledJob, function: TaskFunction | None, open_runs: int, now: datetime
) -> Sentence | None:
    """Say why a run may not be asked for, None where it may; `open_runs` want or hold a place."""
    return find_obstacle(job, function, now) or _find_crowd(job, open_runs)


def find_obstacle(job: ScheduledJob, function: TaskFunction | None, now: datetime) -> Sentence | None:
    """Say why no run may be asked for, however few are active."""
    suspension = find_suspension(job, now)
    if suspension is not None and suspension.pause is not None:
        return say("the job is paused; resume it first")
    if suspension is not None:
        return say("the job is disabled; enable it first")
    problem = _find_problem(job, function)
    if problem is not None:
        return say("the job cannot run: {why}", why=say_problem(problem))
    return None


def find_wait(job: ScheduledJob, function: TaskFunction | None) -> Sentence | None:
    """Say what a run of a job waits for before it starts, as far as the job's own objects tell."""
    if function is None and job.spec.get("taskFunctionRef") is not None:
        return say("its task function is missing, and it waits an hour for that")
    return None


@dataclass(frozen=True, slots=True)
class JobLoad:
    """How many runs of a job hold places, and how many wait for one."""

    rule: Concurrency
    active: int
    waiting: int


def read_load(job: ScheduledJob, open_runs: int) -> JobLoad:
    """Read how full a job is; of the runs that have not ended those beyond the places wait."""
    rule = Concurrency.model_validate(job.spec.get("concurrency") or {})
    wanting = open_runs + len(job.status.get("queued") or ())
    waiting = max(0, wanting - rule.max_instances)
    return JobLoad(rule, wanting - waiting, waiting)


def _find_problem(job: ScheduledJob, function: TaskFunction | None) -> Problem | None:
    """Find what the operator would say of Ready; how often it may run only the operator knows."""
    plan = compile_plan(job, function, timedelta(0))
    if isinstance(plan, Problem):
        return None if plan.may_pass else plan
    for condition in job.status.get("conditions") or ():
        if condition["type"] != ConditionType.READY or condition.get("observedGeneration") != job.generation:
            continue
        if condition["status"] == "False" and condition.get("reason") == Reason.TOO_FREQUENT:
            return Problem(Reason.TOO_FREQUENT, str(condition.get("message", "")))
    return None


def _find_crowd(job: ScheduledJob, open_runs: int) -> Sentence | None:
    """Say what takes the places, if the concurrency rule would skip one more run."""
    load = read_load(job, open_runs)
    if decide_admission(load.rule, load.active, load.waiting) is not Admission.SKIP:
        return None
    return say(
        "already running: {active} active, {allowed} allowed",
        active=open_runs,
        allowed=load.rule.max_instances,
    )
