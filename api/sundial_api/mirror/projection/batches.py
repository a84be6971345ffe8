"""What is written together: the newest state of up to some hundred objects, read into values.

One object that cannot be read hurts only itself: it becomes a reject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sundial_api.mirror.projection.instances import (
    Instance,
    LeaderRow,
    is_member,
    parse_instance,
    parse_leader_row,
)
from sundial_api.mirror.projection.rejects import Reject, build_reject, describe, read_origin
from sundial_api.mirror.projection.run_facts import (
    JobFact,
    RunFact,
    RunRequestFact,
    parse_job_fact,
    parse_pod_fact,
    parse_run_request_fact,
)
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact, read_schedule
from sundial_api.mirror.projection.task_functions import Function, parse_function
from sundial_api.mirror.projection.versions import Version
from sundial_core.resources.raw import JsonObject


class ObjectKind(StrEnum):
    """The kinds of objects that are mirrored, in the order in which they are listed at the start."""

    TASK_FUNCTION = "TaskFunction"
    SCHEDULED_JOB = "ScheduledJob"
    SCHEDULED_JOB_RUN = "ScheduledJobRun"
    JOB = "Job"
    POD = "Pod"
    LEASE = "Lease"


ObjectKey = tuple[ObjectKind, str]
"""A kind and the UID of an object of it."""


@dataclass(frozen=True, slots=True)
class GoneInstance:
    """A member Lease that is not there any more."""

    id: str


@dataclass(frozen=True, slots=True)
class Burial:
    """An object that is gone by a version, and whose last state cannot be read."""

    kind: ObjectKind
    uid: str
    version: Version


Value = Function | ScheduleFact | RunFact | Instance | LeaderRow | GoneInstance | Burial | Reject


@dataclass(frozen=True, slots=True)
class Batch:
    """What to write in one transaction; `readable` are the objects that were read, and leave quarantine."""

    functions: list[Function] = field(default_factory=list)
    schedules: list[ScheduleFact] = field(default_factory=list)
    facts: list[RunFact] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    seats: list[LeaderRow] = field(default_factory=list)
    gone_instances: list[GoneInstance] = field(default_factory=list)
    burials: list[Burial] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    readable: list[ObjectKey] = field(default_factory=list)


def sort_values(values: Iterable[Value], readable: Iterable[ObjectKey] = ()) -> Batch:
    """Put values of all kinds into a batch."""
    batch = Batch(readable=list(readable))
    lists: dict[type[Any], list[Any]] = {
        Function: batch.functions,
        ScheduleFact: batch.schedules,
        RunFact: batch.facts,
        Instance: batch.instances,
        LeaderRow: batch.seats,
        GoneInstance: batch.gone_instances,
        Burial: batch.burials,
        Reject: batch.rejects,
    }
    for value in values:
        lists[type(value)].append(value)
    return batch


_READERS: dict[ObjectKind, Callable[[JsonObject, int], Value]] = {
    ObjectKind.TASK_FUNCTION: parse_function,
    ObjectKind.SCHEDULED_JOB: read_schedule,
    ObjectKind.SCHEDULED_JOB_RUN: parse_run_request_fact,
    ObjectKind.JOB: parse_job_fact,
    ObjectKind.POD: parse_pod_fact,
}


def parse_object(kind: ObjectKind, item: JsonObject, epoch: int) -> Value:
    """Read an object that is there."""
    try:
        if kind is ObjectKind.LEASE:
            return parse_instance(item, epoch) if is_member(item) else parse_leader_row(item, epoch)
        return _READERS[kind](item, epoch)
    except Exception as error:  # noqa: BLE001 - whatever an object leads to is its own trouble
        return build_reject(read_origin(kind.value, item, epoch), describe(error), item)


def parse_deleted(kind: ObjectKind, item: JsonObject, epoch: int) -> Value:
    """Read the last state of an object that was deleted."""
    value = parse_object(kind, item, epoch)
    if isinstance(value, Reject):
        return Burial(kind, value.key, Version(epoch, value.resource_version))
    if isinstance(value, Function | ScheduleFact):
        return replace(value, is_gone=True)
    if isinstance(value, RunFact) and isinstance(value.part, JobFact | RunRequestFact):
        return replace(value, part=replace(value.part, is_gone=True))
    if isinstance(value, Instance):
        return GoneInstance(value.id)
    return replace(value, holder_id=None) if isinstance(value, LeaderRow) else value


@dataclass(frozen=True, slots=True)
class Absence:
    """A complete list of a kind, consistent at its version: what is older and not listed is gone.

    It is of one namespace, or (None) of all, but for those that are excepted.
    """

    kind: ObjectKind
    version: Version
    listed: frozenset[str]
    ns: str | None = None
    excepted: tuple[str, ...] = ()

    def covers(self, ns: str) -> bool:
        """Tell whether the list is about a namespace."""
        return ns == self.ns if self.ns is not None else ns not in self.excepted
