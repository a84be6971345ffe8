"""The custom resources as last seen: metadata that matters, spec and status as raw JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sundial_clock.instants import LATEST, parse_instant
from sundial_core.resources import gitops, names
from sundial_core.resources.managed_fields import Writing, parse_writings
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.readable import keep_readable, keep_readable_of_function, keep_readable_of_run

MAX_MESSAGE_CHARS = 300
"""How much of what people write in an annotation is shown in a status."""

INSTANTS = re.compile(r"\d{4}-\d\d-\d\d[Tt ][0-9:.]{5,20}(?:[Zz]|[+-]\d\d:\d\d)")
MAX_CANCEL_CHARS = 8192
"""How much of an annotation is read for slots to cancel, its end: over 200, twice as many as may wait."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The runtime switch: open-ended without `until`; `unreadable` is the value where it does not parse.

    `by` and `reason` are what its author wrote beside it, for people.
    """

    until: datetime | None = None
    unreadable: str | None = None
    by: str = ""
    reason: str = ""

    def is_in_effect(self, now: datetime) -> bool:
        """Tell whether starts are held back at `now`."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A ScheduledJob as last seen."""

    uid: str
    resource_version: int
    ns: str
    name: str
    generation: int
    created_at: datetime
    writings: tuple[Writing, ...]
    """What managedFields says of users."""
    pause: Pause | None
    is_deleting: bool
    spec: JsonObject
    status: JsonObject
    """What can be read of the stored status."""
    cancelled: frozenset[datetime] = frozenset()
    """Slots that somebody does not want to wait any longer."""
    pause_text: str | None = None
    """The annotation that `pause` was read from, if there is one."""
    unreadable: JsonObject = field(default_factory=dict)
    """The fields of the status of which something was left out."""


@dataclass(frozen=True, slots=True)
class TaskFunction:
    """A TaskFunction as last seen; `unreadable` as for a ScheduledJob."""

    uid: str
    resource_version: int
    ns: str
    name: str
    generation: int
    created_at: datetime
    spec: JsonObject
    status: JsonObject
    unreadable: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScheduledJobRun:
    """A ScheduledJobRun as last seen."""

    uid: str
    resource_version: int
    ns: str
    name: str
    generation: int
    created_at: datetime
    is_deleting: bool
    is_restored: bool
    """It came from a backup."""
    is_managed: bool
    """A tool would create it again if it were deleted."""
    spec: JsonObject
    status: JsonObject
    """What can be read of the stored status."""
    unreadable: JsonObject = field(default_factory=dict)
    """The fields of the status of which something was left out."""

    @property
    def parent_name(self) -> str:
        """The name of the ScheduledJob that it is for."""
        return str(self.spec.get("scheduledJobName", ""))


def parse_scheduled_job(item: JsonObject) -> ScheduledJob:
    """Read a ScheduledJob from its JSON; raises KeyError or ValueError when it is not one."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    created_at = parse_instant(metadata["creationTimestamp"])
    status, unreadable = keep_readable(item.get("status") or {}, created_at)
    return ScheduledJob(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        ns=metadata["namespace"],
        name=metadata["name"],
        generation=int(metadata["generation"]),
        created_at=created_at,
        writings=parse_writings(metadata),
        pause=read_pause(annotations),
        is_deleting="deletionTimestamp" in metadata,
        spec=item.get("spec") or {},
        status=status,
        cancelled=parse_cancelled(annotations.get(names.CANCEL, "")),
        pause_text=annotations.get(names.PAUSED),
        unreadable=unreadable,
    )


def parse_task_function(item: JsonObject) -> TaskFunction:
    """Read a TaskFunction from its JSON; raises KeyError or ValueError when it is not one."""
    metadata = item["metadata"]
    status, unreadable = keep_readable_of_function(item.get("status") or {})
    return TaskFunction(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        ns=metadata["namespace"],
        name=metadata["name"],
        generation=int(metadata["generation"]),
        created_at=parse_instant(metadata["creationTimestamp"]),
        spec=item.get("spec") or {},
        status=status,
        unreadable=unreadable,
    )


def parse_scheduled_job_run(item: JsonObject) -> ScheduledJobRun:
    """Read a ScheduledJobRun from its JSON; raises KeyError or ValueError when it is not one."""
    metadata = item["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    status, unreadable = keep_readable_of_run(item.get("status") or {})
    return ScheduledJobRun(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        ns=metadata["namespace"],
        name=metadata["name"],
        generation=int(metadata["generation"]),
        created_at=parse_instant(metadata["creationTimestamp"]),
        is_deleting="deletionTimestamp" in metadata,
        is_restored=names.RESTORE in labels or names.RESTORE in annotations,
        is_managed=gitops.is_managed(labels, annotations),
        spec=item.get("spec") or {},
        status=status,
        unreadable=unreadable,
    )


def read_pause(annotations: Mapping[str, str]) -> Pause | None:
    """Read the pause that an object's annotations ask for, with who wants it and why."""
    pause = parse_pause(annotations.get(names.PAUSED))
    if pause is None:
        return None
    by, reason = (annotations.get(name, "") for name in (names.PAUSED_BY, names.PAUSED_REASON))
    return replace(pause, by=by[:MAX_MESSAGE_CHARS], reason=reason[:MAX_MESSAGE_CHARS])


def parse_pause(text: str | None) -> Pause | None:
    """Read the pause annotation: "true", "false" or an RFC 3339 instant; anything else pauses too.

    An instant at the end of the calendar means for ever: nothing can be counted from it.
    """
    if text is None or text == "false":
        return None
    if text == "true":
        return Pause()
    try:
        until = parse_instant(text)
    except ValueError:
        return Pause(unreadable=text[:100])
    return Pause(until=until if until <= LATEST else None)


def parse_cancelled(text: str) -> frozenset[datetime]:
    """Read the slots that are not to wait any longer: instants with commas between; others name no slot."""
    found = set()
    for word in INSTANTS.findall(text[-MAX_CANCEL_CHARS:]):
        with suppress(ValueError):
            found.add(parse_instant(word))
    return frozenset(found)


def controller_uid(metadata: Mapping[str, Any]) -> str:
    """Read by whose UID an object is controlled; empty without a controller."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""
