"""The conditions of a ScheduledJob: Ready, Suspended, Progressing, LastRunSucceeded, MissedRuns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sundial_clock.instants import format_instant
from sundial_core.resources.phases import Phase
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.resources.suspension import Suspension
from sundial_core.runs.jobs import ObservedJob

MAX_MESSAGE_CHARS = 1000
"""How much is shown of what is wrong with a spec: the words may be its author's."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition without its times: `holds` is None for Unknown."""

    type: ConditionType
    holds: bool | None
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    """Where a valid schedule stands."""

    created_at: datetime
    effective_from: datetime
    """Slots count after it."""
    cursor: datetime
    """Slots up to it are decided; it begins at the creation."""
    creating: frozenset[datetime]
    """Slots whose Jobs are being created."""
    following: datetime | None
    """The next slot after `now`, if there is one within ten years."""
    now: datetime


def ready_condition(
    plan: Plan | Problem, suspension: Suspension | None, standing: ScheduleFacts
) -> Condition:
    """Tell whether the spec is accepted and has slots to come; never how the last run ended."""
    if isinstance(plan, Problem):
        return _ready(plan.reason, plan.message)
    if standing.following is not None:
        return _ready(Reason.SCHEDULED, "the schedule is accepted")
    if _had_slot(plan, suspension, standing):
        return _ready(Reason.COMPLETED, "the last slot of the schedule has passed")
    at = plan.spec.schedule.at
    if at is not None and at <= standing.now and plan.schedule.is_slot(at):
        return _past_instant_condition(at, suspension, standing)
    return _ready(
        Reason.NEVER_FIRES,
        "spec.schedule names no instant in the ten years after "
        f"{format_instant(standing.effective_from)}; check day, month, year, startsAt and endsAt",
    )


def suspended_condition(suspension: Suspension | None) -> Condition:
    """Tell whether new runs are held back."""
    if suspension is None:
        return Condition(ConditionType.SUSPENDED, False, Reason.NOT_SUSPENDED, "neither suspended nor paused")
    return Condition(ConditionType.SUSPENDED, True, suspension.reason, suspension.message)


def progressing_condition(
    active: int, creating: Collection[datetime], refusals: Mapping[datetime, str]
) -> Condition:
    """Tell whether a run is active or cannot start for now; `refusals` is what creates were told, by slot."""
    if refusals:
        slot = max(refusals)
        message = f"the Job of {format_instant(slot)} is refused for now, and tried again: {refusals[slot]}"
        return Condition(ConditionType.PROGRESSING, True, Reason.CREATE_FAILED, message)
    if active:
        message = "a run is active" if active == 1 else "runs are active"
        return Condition(ConditionType.PROGRESSING, True, Reason.RUNS_ACTIVE, message)
    message = "no run is active"
    if creating:
        message += f"; the Job of {format_instant(max(creating))} is being created"
    return Condition(ConditionType.PROGRESSING, False, Reason.IDLE, message)


def last_run_condition(last_result: str | None) -> Condition:
    """Tell how the newest ended run ended."""
    kind = ConditionType.LAST_RUN_SUCCEEDED
    if last_result is None:
        return Condition(kind, None, Reason.NO_RUN_YET, "no run has ended yet")
    return Condition(
        kind, last_result == Phase.SUCCEEDED, Reason(last_result), f"the last run ended as {last_result}"
    )


def missed_condition(entry: Mapping[str, object] | None) -> Condition:
    """Tell whether slots did not run since the last one that did; `entry` is the newest of them."""
    if entry is None:
        message = "no slot was missed since the last one that started"
        return Condition(ConditionType.MISSED_RUNS, False, Reason.NONE_MISSED, message)
    first, last = entry.get("slot") or entry["from"], entry.get("slot") or entry["to"]
    verdict = str(entry["verdict"]).lower()
    when = f"at {first}" if first == last else f"from {first} to {last}"
    message = f"{entry.get('count', 1)} {verdict}, {when}: {entry['reason']}"
    return Condition(ConditionType.MISSED_RUNS, True, Reason.SLOTS_MISSED, message)


def jobs_condition(ours: Iterable[ObservedJob], strangers: Collection[ObservedJob]) -> Condition | None:
    """Tell which Jobs are not what they say; None where all are."""
    changed = sorted(f"{job.name} ({', '.join(job.changed)})" for job in ours if job.changed)
    named = sorted(job.name for job in strangers)
    said = []
    if changed:
        said.append(
            "marks were changed, and what was decided before counts (set them back, or delete the Job):"
            f" {_list_some(changed)}"
        )
    if named:
        said.append(f"not taken for runs of this schedule (delete or rename them): {_list_some(named)}")
    reason = Reason.MARKS_CHANGED if changed else Reason.JOB_NOT_OURS
    return Condition(ConditionType.JOBS_RECOGNIZED, False, reason, "; ".join(said)) if said else None


def _list_some(words: list[str]) -> str:
    more = len(words) - MAX_NAMED
    return ", ".join(words[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


MAX_NAMED = 3
"""How many Jobs a condition names; the log names all."""


def build_conditions(
    aspects: Iterable[Condition], stored: Mapping[str, JsonObject], generation: int, now: datetime
) -> list[JsonObject]:
    """Build the conditions; the transition time moves only when the status of a condition changes."""
    return [_build_condition(aspect, stored.get(aspect.type), generation, now) for aspect in aspects]


def _build_condition(
    aspect: Condition, stored: JsonObject | None, generation: int, now: datetime
) -> JsonObject:
    status = "Unknown" if aspect.holds is None else str(aspect.holds)
    is_same = stored is not None and stored["status"] == status
    return {
        "type": aspect.type.value,
        "status": status,
        "reason": aspect.reason.value,
        "message": aspect.message[:MAX_MESSAGE_CHARS],
        "observedGeneration": generation,
        "lastTransitionTime": stored["lastTransitionTime"]
        if stored is not None and is_same
        else format_instant(now.replace(microsecond=0)),
    }


def _had_slot(plan: Plan, suspension: Suspension | None, standing: ScheduleFacts) -> bool:
    """Tell whether a slot of this schedule was decided, is being created, or counts and is due."""
    if standing.creating or (
        standing.cursor > standing.created_at and plan.schedule.is_slot(standing.cursor)
    ):
        return True
    is_missed_by_suspension = suspension is not None and plan.spec.schedule.at is not None
    return not is_missed_by_suspension and plan.schedule.next_slot(standing.effective_from) is not None


def _past_instant_condition(
    at: datetime, suspension: Suspension | None, standing: ScheduleFacts
) -> Condition:
    if suspension is not None:
        cause = f"the job was held back then ({suspension.message})"
    else:
        cause = f"slots count only after {format_instant(standing.effective_from)}"
        cause += ", when the job was created, changed or resumed"
    return _ready(
        Reason.IN_THE_PAST,
        f"spec.schedule.at: {format_instant(at)} passed without a run: {cause}; write a later instant",
    )


def _ready(reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.READY, reason in (Reason.SCHEDULED, Reason.COMPLETED), reason, message)
