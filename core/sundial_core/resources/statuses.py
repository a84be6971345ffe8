"""The statuses of the custom resources as pydantic models, for the CRDs: the operator writes plain JSON.

Validation is loose on purpose: a newer operator must be able to write its status through an older CRD.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from sundial_core.resources.fields import Model

LARGE_LIST = 10_000  # more than etcd takes in one object

Count = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class ConditionStatus(Model):
    """One aspect of an object's state, in the form that kubectl wait and GitOps tools read."""

    type: str
    """The aspect: Ready, Suspended, Progressing, LastRunSucceeded, MissedRuns, Started or Complete."""
    status: str
    """Whether it holds: True, False or Unknown."""
    reason: str | None = None
    """Why, as one word for programs."""
    message: str | None = None
    """Why, as a sentence for people."""
    observed_generation: Count | None = None
    """The metadata.generation that the condition was computed from."""
    last_transition_time: datetime | None = None
    """When the status of the condition changed last."""


class ActiveRun(Model):
    """A run that has not ended, retries that it waits for included."""

    run_id: str | None = None
    """The id of the run, the same for all its attempts."""
    slot: datetime | None = None
    """The instant of the schedule that the run is for. A manual run without a slot has none."""
    attempt: int | None = None
    """The number of the newest attempt, from 1."""
    job: str | None = None
    """The name of the newest attempt's Job."""
    phase: str | None = None
    """Pending until a container has started, then Running, and Waiting between two attempts."""
    retry_at: datetime | None = None
    """When the next attempt starts."""
    reason: str | None = None
    """PodUnreachable when the next attempt could not wait until the Pods of the one before were gone."""
    trigger: str | None = None
    """What started the run: schedule, manual or backfill."""


class SlotRange(Model):
    """The slots from one to another, both included."""

    from_: datetime | None = Field(default=None, alias="from")
    """The first slot."""
    to: datetime | None = None
    """The last slot."""


class OmittedRuns(Model):
    """The active runs that a status does not list, because there are too many."""

    count: Count | None = None
    """How many active runs are not listed."""
    oldest_slot: datetime | None = None
    """The oldest slot of those that the schedule started."""
    ranges: list[SlotRange] | None = Field(default=None, max_length=LARGE_LIST)
    """Between which slots those are that the schedule started, oldest first. A run of these slots is active
    as long as it has a Job and recentSlots has no result of it."""


class QueuedSlot(Model):
    """A slot that waits for a place."""

    slot: datetime | None = None
    """The instant of the schedule that waits."""
    since: datetime | None = None
    """Since when it waits."""
    reason: str | None = None
    """What it waits for: AlreadyActive under Queue, Replacing under Replace."""


class RecentSlot(Model):
    """What became of one slot, or of several in a row with the same verdict and reason."""

    slot: datetime | None = None
    """The instant of the schedule. Entries for several slots have from, to and count instead."""
    from_: datetime | None = Field(default=None, alias="from")
    """The first slot of several."""
    to: datetime | None = None
    """The last slot of several."""
    count: Count | None = None
    """How many slots the entry stands for."""
    verdict: str | None = None
    """What became of the slot: Started, Skipped or Missed."""
    reason: str | None = None
    """Why the slot was skipped or missed, or why the run that it started ended as it did."""
    message: str | None = None
    """The reason as a sentence, trimmed."""
    run_id: str | None = None
    """The id of the run that the slot started."""
    result: str | None = None
    """How that run ended: Succeeded, Failed, TimedOut or Cancelled. A run that is active has none."""
    started_at: datetime | None = None
    """When the first Job of the run was created."""
    completed_at: datetime | None = None
    """When the run ended."""
    trigger: str | None = None
    """What started the run: schedule, manual or backfill."""


class VerdictCounts(Model):
    """How many slots got each verdict since the object was created."""

    started: Count | None = None
    """How many slots started a run."""
    skipped: dict[str, Count] | None = None
    """How many slots were skipped, by reason."""
    missed: dict[str, Count] | None = None
    """How many slots were missed, by reason."""


class Counters(Model):
    """Totals since the object was created."""

    verdicts: VerdictCounts | None = None
    """How many slots got each verdict."""


class PauseStatus(Model):
    """The pause that the annotation sundial.dev/paused asks for."""

    until: datetime | None = None
    """When the pause ends by itself. A pause without an end has none."""
    by: str | None = None
    """Who paused the job, from the annotation sundial.dev/paused-by."""
    reason: str | None = None
    """Why it is paused, from the annotation sundial.dev/paused-reason."""


class SeenFields(Model):
    """What users had written when slots were decided last: it tells which field has changed since."""

    until: datetime | None = None
    """The newest time that metadata.managedFields of users had then."""
    fields: dict[str, str] | None = Field(default=None, max_length=64)
    """A fingerprint of the value of each field that decides which slots count, by the field's path."""


class ScheduledJobStatus(Model):
    """What the operator has decided about a ScheduledJob, and what it will do next."""

    observed_generation: Count | None = None
    """The metadata.generation that this status was computed from."""
    conditions: list[ConditionStatus] | None = Field(
        default=None,
        max_length=64,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """The state in conditions. Ready says that the spec is accepted, never how the last run ended."""
    schedule_text: str | None = None
    """The schedule in words."""
    schedule_hash: str | None = None
    """A hash of what decides the slots; when it changes, the schedule starts anew."""
    effective_from: datetime | None = None
    """Only slots after this instant count: the creation, a change of the schedule or the end of a pause."""
    cursor: datetime | None = None
    """The newest slot up to which every slot that counts is decided."""
    next_run_time: datetime | None = None
    """The next slot, empty when there is none."""
    upcoming_runs: list[datetime] | None = Field(default=None, max_length=100)
    """The next slots."""
    last_schedule_time: datetime | None = None
    """The newest slot that started a run."""
    last_run_time: datetime | None = None
    """When the newest run started, manual runs included."""
    last_success_time: datetime | None = None
    """When the newest successful run ended."""
    last_failure_time: datetime | None = None
    """When the newest unsuccessful run ended."""
    last_result: str | None = None
    """How the newest ended run ended: Succeeded, Failed, TimedOut or Cancelled."""
    consecutive_failures: Count | None = None
    """How many runs have failed since the last success."""
    active_count: Count | None = None
    """How many runs are active, those waiting for a retry included."""
    active: list[ActiveRun] | None = Field(default=None, max_length=LARGE_LIST)
    """The runs that are active, oldest first; of more than 200 the newest."""
    active_omitted: OmittedRuns | None = None
    """The runs that are active and not in the list, absent when there are none."""
    queued: list[QueuedSlot] | None = Field(default=None, max_length=LARGE_LIST)
    """The slots that wait for a place, oldest first."""
    recent_slots: list[RecentSlot] | None = Field(default=None, max_length=LARGE_LIST)
    """What became of the newest slots and of the runs in the list active, and the results of runs that were
    asked for and still have Jobs."""
    counters: Counters | None = None
    """Totals since the object was created."""
    paused: PauseStatus | None = None
    """The pause in effect, absent when there is none. Suspension by spec.suspend is not shown here."""
    seen: SeenFields | None = None
    """What the operator compares with to tell which field has changed, and when."""


class UsedBy(Model):
    """Which ScheduledJobs refer to a TaskFunction."""

    count: Count | None = None
    """How many ScheduledJobs refer to it."""
    names: list[str] | None = Field(default=None, max_length=100)
    """The first of their names in alphabetical order."""


class TaskFunctionStatus(Model):
    """What the operator knows about a TaskFunction."""

    observed_generation: Count | None = None
    """The metadata.generation that this status was computed from."""
    conditions: list[ConditionStatus] | None = Field(
        default=None,
        max_length=64,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """The state in conditions. Ready says that jobs can run it."""
    used_by: UsedBy | None = None
    """Which ScheduledJobs refer to it."""
    runner: str | None = None
    """The ConfigMap in the namespace that has the runner, for handler.function and handler.celery."""
    invalid_args: Count | None = None
    """Of how many of them the arguments do not fit parametersSchema: their Ready says InvalidArgs."""


class ScheduledJobRunStatus(Model):
    """What became of a run that was asked for."""

    observed_generation: Count | None = None
    """The metadata.generation that this status was computed from."""
    conditions: list[ConditionStatus] | None = Field(
        default=None,
        max_length=64,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """The state in conditions: Started, and Complete once the run has ended, however it ended."""
    scheduled_job_uid: str | None = None
    """The UID of the ScheduledJob when this object was first seen."""
    run_id: str | None = None
    """The id of the run."""
    job_name: str | None = None
    """The name of the newest attempt's Job."""
    verdict: str | None = None
    """What became of the request: Started or Skipped. One that waits has none."""
    result: str | None = None
    """How the run ended: Succeeded, Failed, TimedOut or Cancelled. A run that is active has none."""
    reason: str | None = None
    """Why it waits, was skipped or ended as it did, as one word for programs."""
    message: str | None = None
    """Why it waits, was skipped or ended as it did, as a sentence for people."""
    started_at: datetime | None = None
    """When the first Job of the run was created."""
    completed_at: datetime | None = None
    """When the run ended."""
