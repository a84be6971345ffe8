"""What does a ScheduledJob or a TaskFunction look like as a row? Read from raw JSON, tolerantly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from sundial_api.http.job_fields import JOB_FIELDS
from sundial_api.http.schedule_config import show_schedule_config
from sundial_api.mirror.projection.api_values import name_last_status
from sundial_api.mirror.projection.edit_signatures import is_signed
from sundial_api.mirror.projection.sanitize import (
    clean_json,
    fit_instant,
    parse_uuid,
    plain,
    quote,
    trim,
)
from sundial_api.mirror.projection.versions import Version
from sundial_clock.instants import format_instant
from sundial_core.resources.gitops import find_gitops_owner
from sundial_core.resources.managed_fields import UserWrite, find_newest_write, parse_user_writes
from sundial_core.resources.names import CREATED_BY, UPDATED_BY
from sundial_core.resources.objects import read_pause
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.readable import MAX_ENTRIES
from sundial_core.status.counters import limit_count

PROJECTION = 1
"""How much this release reads of an object, as a number that rises with the columns: a row with a lower one
is written again at the next list, though its object has not changed."""

MAX_OWNER_CHARS = 253
MAX_PAUSE_CHARS = 300

MAX_OUT_OF_ORDER = 400
"""Of how many slots it is kept that the cursor is wrong about them: more than the operator writes."""

RECENT_KEPT = 20
"""How many of the newest slots the operator keeps in a status; older ones are only kept for active runs."""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A row of `scheduled_jobs` as far as the object tells; the ids of functions are given by the store."""

    id: str
    namespace: str
    resource_name: str
    name: str
    description: str | None
    job_type_id: int
    schedule_config: JsonObject
    time_zone: str
    schedule: JsonObject
    schedule_text: str | None
    task_args: Any
    concurrency_policy: str
    max_instances: int
    max_queued: int
    own_timeout_seconds: int | None
    retry_count: int
    retry_delay_seconds: int
    suspended: bool
    paused_until: str | None
    pause_reason: str | None
    managed_by: JsonObject | None
    is_ready: bool | None
    ready_reason: str | None
    ready_message: str | None
    next_run_time: str | None
    last_run_time: str | None
    last_status: str | None
    consecutive_failures: int
    active_count: int
    queued_count: int
    started_slots: int
    skipped_slots: int
    missed_slots: int
    created_by: str | None
    updated_by: str | None
    created_at: str
    updated_at: str
    etag: str
    generation: int
    resource_version: int
    epoch: int
    cursor: str | None
    active_runs: list[str]
    active_omitted: JsonObject | None
    recent_slots: list[JsonObject]
    out_of_order: list[str]
    """Where the cursor is wrong: slots before it that wait, and slots after it that have a verdict."""
    projection: int = PROJECTION


@dataclass(frozen=True, slots=True)
class ScheduleFact:
    """A ScheduledJob as last seen; `function_name` is empty when it has a template of its own.

    `newest` is the newest edit, known when the fact is dated; until then the row was last updated when it was
    created. Spec and annotations are the object's own.
    """

    row: ScheduleRow
    function_name: str
    is_gone: bool = False
    newest: UserWrite | None = None
    writes: tuple[UserWrite, ...] = ()
    spec: JsonObject = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        """The version of the object."""
        return Version(self.row.epoch, self.row.resource_version)

    @property
    def manager(self) -> str:
        """The field manager of the newest edit; empty where that is not known."""
        return self.newest.manager if self.newest is not None else ""

    def date(self, now: datetime) -> ScheduleFact:
        """Say when a user last wrote it, and with what, of what managedFields tell as much as is possible."""
        newest = find_newest_write(self.writes, now)
        if newest is None:
            return self
        row = replace(self.row, updated_at=format_instant(newest.at))
        return replace(self, newest=newest, row=row)


def read_schedule(item: JsonObject, epoch: int) -> ScheduleFact:
    """Read a ScheduledJob; raises KeyError, TypeError, ValueError or AttributeError when it is not one."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    kind, config = show_schedule_config(spec["schedule"])
    active = (status.get("active") or ())[: MAX_ENTRIES["active"]]
    concurrency = spec.get("concurrency") or {}
    fields = {name: field.read(spec) for name, field in JOB_FIELDS.items()}
    row = ScheduleRow(
        id=metadata["uid"],
        namespace=metadata["namespace"],
        resource_name=metadata["name"],
        name=trim(fields["name"], 253) or metadata["name"],
        description=trim(fields["description"], 1000),
        job_type_id=kind,
        schedule_config=clean_json(config),
        time_zone=fields["time_zone"],
        schedule=clean_json(spec["schedule"]),
        schedule_text=status.get("scheduleText"),
        task_args=clean_json(fields["task_args"]),
        concurrency_policy=concurrency.get("policy", "Forbid"),
        max_instances=int(fields["max_instances"]),
        max_queued=int(concurrency.get("maxQueued") or 1),
        own_timeout_seconds=JOB_FIELDS["timeout_seconds"].find(spec),
        retry_count=int(fields["retry_count"]),
        retry_delay_seconds=int(fields["retry_delay_seconds"]),
        suspended=bool(spec.get("suspend")),
        **_parse_pause(annotations),
        managed_by=_parse_owner(metadata.get("labels") or {}, annotations),
        **_parse_ready(status),
        **_parse_runs(status, len(active)),
        **_parse_counters(status),
        created_by=parse_uuid(annotations.get(CREATED_BY)),
        updated_by=parse_uuid(annotations.get(UPDATED_BY)) if is_signed(metadata) else None,
        created_at=metadata["creationTimestamp"],
        updated_at=metadata["creationTimestamp"],
        etag=build_etag(metadata),
        generation=int(metadata["generation"]),
        resource_version=int(metadata["resourceVersion"]),
        epoch=epoch,
        cursor=fit_instant(status.get("cursor")),
        active_runs=[entry["runId"] for entry in active if entry.get("runId")],
        active_omitted=clean_json(status.get("activeOmitted")),
        recent_slots=clean_json((status.get("recentSlots") or [])[: MAX_ENTRIES["recentSlots"]]),
        out_of_order=list_out_of_order(status),
    )
    function_name = (spec.get("taskFunctionRef") or {}).get("name", "")
    writes = parse_user_writes(metadata)
    return ScheduleFact(row, function_name, writes=writes, spec=spec, annotations=annotations)


def _parse_runs(status: JsonObject, active: int) -> dict[str, Any]:
    """Read what runs next, what ran last, and how much runs or waits now."""
    return {
        "next_run_time": fit_instant(status.get("nextRunTime")),
        "last_run_time": fit_instant(status.get("lastRunTime")),
        "last_status": name_last_status(status.get("lastResult"), active),
        "consecutive_failures": int(status.get("consecutiveFailures", 0)),
        "active_count": int(status.get("activeCount", 0)),
        "queued_count": len(status.get("queued") or ()),
    }


def _parse_pause(annotations: Mapping[str, str]) -> dict[str, Any]:
    """Read until when a job is paused, and why; one without an end, or with an odd one, never ends."""
    pause = read_pause(annotations)
    if pause is None:
        return {"paused_until": None, "pause_reason": None}
    until = pause.until.isoformat() if pause.until else "infinity"
    return {"paused_until": until, "pause_reason": quote(pause.reason, MAX_PAUSE_CHARS)}


def _parse_owner(labels: Mapping[str, str], annotations: Mapping[str, str]) -> JsonObject | None:
    """Read which tool looks after a job, and which application of it its marks claim."""
    owner = find_gitops_owner(labels, annotations)
    return {"tool": owner.tool, "name": quote(owner.name, MAX_OWNER_CHARS)} if owner is not None else None


def _parse_ready(status: JsonObject) -> dict[str, Any]:
    ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), None)
    if ready is None:
        return {"is_ready": None, "ready_reason": None, "ready_message": None}
    return {
        "is_ready": ready["status"] == "True",
        "ready_reason": trim(ready.get("reason"), 253),
        "ready_message": trim(ready.get("message"), 65_536),
    }


def _parse_counters(status: JsonObject) -> dict[str, Any]:
    """Read how many slots were started, skipped and missed."""
    verdicts = (status.get("counters") or {}).get("verdicts") or {}
    skipped, missed = (sum((verdicts.get(name) or {}).values()) for name in ("skipped", "missed"))
    return {
        "started_slots": limit_count(verdicts.get("started", 0)),
        "skipped_slots": limit_count(skipped),
        "missed_slots": limit_count(missed),
    }


def list_out_of_order(status: JsonObject) -> list[str]:
    """List the slots at or before the cursor that wait for a place, and those after it that have an entry."""
    cursor = plain(status.get("cursor") or "")
    entries = {name: (status.get(name) or ())[: MAX_ENTRIES[name]] for name in ("queued", "recentSlots")}
    waiting = [entry.get("slot") or "" for entry in entries["queued"]]
    told = [entry.get("slot") or "" for entry in entries["recentSlots"] if _is_of_slot(entry)]
    odd = [slot for slot in waiting if plain(slot) <= cursor] + [s for s in told if plain(s) > cursor]
    return [instant for slot in odd[:MAX_OUT_OF_ORDER] if (instant := fit_instant(slot)) is not None]


def _is_of_slot(entry: JsonObject) -> bool:
    return "runId" in entry and entry.get("trigger", Trigger.SCHEDULE) == Trigger.SCHEDULE


def build_etag(metadata: JsonObject) -> str:
    """Build what changes with every edit, and with no run: of the generation and of our annotations."""
    annotations = metadata.get("annotations") or {}
    own = {name: annotations[name] for name in annotations if name.startswith("sundial.dev/")}
    text = orjson.dumps([metadata["uid"], metadata["generation"], own], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]
