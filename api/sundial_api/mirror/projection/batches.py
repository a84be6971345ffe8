"""What is written together: the newest state of up to some hundred objects, read into values.

One object that cannot be read hurts only itself: it becomes a reject, with its JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from sundial_api.mirror.projection.instances import (
    Instance,
    LeaderRow,
    is_member,
    parse_instance,
    parse_leader_row,
)
from sundial_api.mirror.projection.run_facts import (
    JobFact,
    RunFact,
    RunRequestFact,
    parse_job_fact,
    parse_pod_fact,
    parse_run_request_fact,
)
from sundial_api.mirror.projection.sanitize import redact_json, trim
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact, read_schedule
from sundial_api.mirror.projection.task_functions import Function, parse_function
from sundial_api.mirror.projection.versions import Version
from sundial_core.resources.messages import redact
from sundial_core.resources.raw import JsonObject

READ_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading an object raises that is not of the expected form."""


class ObjectKind(StrEnum):
    """The kinds of objects that are mirrored, in the order in which they are listed at the start."""

    TASK_FUNCTION = "TaskFunction"
    SCHEDULED_JOB = "ScheduledJob"
    SCHEDULED_JOB_RUN = "ScheduledJobRun"
    JOB = "Job"
    POD = "Pod"
    LEASE = "Lease"


@dataclass(frozen=True, slots=True)
class Reject:
    """An object that could not be read; `key` is its UID, else its name."""

    kind: str
    key: str
    namespace: str | None
    resource_name: str | None
    resource_version: int
    epoch: int
    document: Any
    error: str


@dataclass(frozen=True, slots=True)
class GoneInstance:
    """A member Lease that is not there any more."""

    id: str


Value = Function | ScheduleFact | RunFact | Instance | LeaderRow | GoneInstance | Reject


@dataclass(frozen=True, slots=True)
class Batch:
    """What to write in one transaction; `readable` are the UIDs of objects that could be read again."""

    functions: list[Function] = field(default_factory=list)
    schedules: list[ScheduleFact] = field(default_factory=list)
    facts: list[RunFact] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    seats: list[LeaderRow] = field(default_factory=list)
    gone_instances: list[GoneInstance] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    readable: list[str] = field(default_factory=list)


def sort_values(values: Iterable[Value], readable: Iterable[str] = ()) -> Batch:
    """Put values of all kinds into a batch."""
    batch = Batch(readable=list(readable))
    lists: dict[type[Any], list[Any]] = {
        Function: batch.functions,
        ScheduleFact: batch.schedules,
        RunFact: batch.facts,
        Instance: batch.instances,
        LeaderRow: batch.seats,
        GoneInstance: batch.gone_instances,
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
    except READ_ERRORS as error:
        return build_reject(kind, item, epoch, error)


def parse_deleted(kind: ObjectKind, item: JsonObject, epoch: int) -> Value | None:
    """Read the last state of an object that was deleted, or None where that says nothing."""
    value = parse_object(kind, item, epoch)
    if isinstance(value, Reject):
        return None
    if isinstance(value, Function | ScheduleFact):
        return replace(value, is_gone=True)
    if isinstance(value, RunFact) and isinstance(value.part, JobFact | RunRequestFact):
        return replace(value, part=replace(value.part, is_gone=True))
    if isinstance(value, Instance):
        return GoneInstance(value.id)
    return replace(value, holder_id=None) if isinstance(value, LeaderRow) else value


def build_reject(kind: ObjectKind, item: JsonObject, epoch: int, error: Exception) -> Reject:
    """Build what is kept of an object that cannot be read."""
    metadata = item.get("metadata")
    known: JsonObject = metadata if isinstance(metadata, dict) else {}
    ns, name = known.get("namespace"), known.get("name")
    return Reject(
        kind=kind.value,
        key=str(known.get("uid") or f"{ns}/{name}"),
        namespace=trim(ns, 63),
        resource_name=trim(name, 253),
        resource_version=parse_version(known),
        epoch=epoch,
        document=redact_json(item),
        error=redact(f"{type(error).__name__}: {error}"),
    )


def reject_value(key: tuple[ObjectKind, str], value: Value, error: Exception) -> Reject:
    """Build what is kept of an object whose values the database refuses."""
    try:
        document = redact_json(orjson.loads(orjson.dumps(value, default=list)))
    except TypeError:  # a number of more than 64 bits
        document = {"value": redact(repr(value))}
    kind, uid = key
    return Reject(
        kind=kind.value,
        key=uid,
        namespace=None,
        resource_name=None,
        resource_version=0,
        epoch=0,
        document=document,
        error=f"the database refused it: {type(error).__name__}",
    )


def parse_version(metadata: JsonObject) -> int:
    """Read a resourceVersion; one that is not a number is older than any."""
    try:
        return int(metadata.get("resourceVersion", 0))
    except (TypeError, ValueError):
        return 0


@dataclass(frozen=True, slots=True)
class Absence:
    """A complete list of a kind, consistent at its version: what is older and not listed is gone."""

    kind: ObjectKind
    version: Version
    listed: frozenset[str]
