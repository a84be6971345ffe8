"""What does a job of the frontend look like as a resource, and what does an edit change of it?

Values in, values out: the contract's fields on one side, raw JSON of ScheduledJobs on the other.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sundial_api.http.job_fields import JOB_FIELDS
from sundial_api.http.schedule_config import KINDS
from sundial_api.mirror.projection.edit_signatures import sign_state
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS

PAUSE_MARKS = (names.PAUSED, names.PAUSED_BY, names.PAUSED_REASON)

MAX_SLUG_CHARS = 41
RUN_SECONDS = 3600
"""How long a ScheduledJobRun of the API stays after its end; with an Idempotency-Key:"""
REPEATABLE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and when."""

    uid: UUID
    name: str
    now: datetime

    def sign(self) -> dict[str, str]:
        """Build the marks of a change."""
        return {
            names.UPDATED_BY: str(self.uid),
            names.UPDATED_AT: format_instant(self.now.replace(microsecond=0)),
        }


def build_scheduled_job(
    ns: str, name: str, spec: JsonObject, author: Author, digest: str | None = None
) -> JsonObject:
    """Build a new ScheduledJob; a digest of the request is kept where that had an Idempotency-Key."""
    marks = {names.CREATED_BY: str(author.uid)} | author.sign()
    marks |= {} if digest is None else {names.REQUEST_DIGEST: digest}
    made = {
        "apiVersion": SCHEDULED_JOBS.api_version,
        "kind": SCHEDULED_JOBS.kind,
        "metadata": {"namespace": ns, "name": name, "annotations": marks},
        "spec": spec,
    }
    return sign_state(None, made)


def build_run(job: JsonObject, name: str, author: Author, seconds: int) -> JsonObject:
    """Build a ScheduledJobRun that somebody asks for; it is deleted so many seconds after its end."""
    return {
        "apiVersion": SCHEDULED_JOB_RUNS.api_version,
        "kind": SCHEDULED_JOB_RUNS.kind,
        "metadata": {
            "namespace": job["metadata"]["namespace"],
            "name": name,
            "annotations": {names.CREATED_BY: str(author.uid)},
        },
        "spec": {
            "scheduledJobName": job["metadata"]["name"],
            "source": "manual",
            "requestedBy": author.name[:253],
            "ttlSecondsAfterFinished": seconds,
        },
    }


def order_run(run: JsonObject, slot: datetime | None, reason: str | None) -> JsonObject:
    """Say in a copy of a ScheduledJobRun for which slot it is, and why it was asked for."""
    said = {"scheduledFor": format_instant(slot) if slot else None, "reason": reason}
    return run | {"spec": run["spec"] | {name: value for name, value in said.items() if value is not None}}


def build_slug(text: str) -> str:
    """Build the readable part of a resource's name: ASCII letters, digits and dashes, else `job`."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:MAX_SLUG_CHARS].strip("-")
    return slug or "job"


def write_fields(spec: JsonObject, values: Mapping[str, Any]) -> JsonObject:
    """Write the contract's fields into a copy of a spec; None removes one."""
    written: JsonObject = copy.deepcopy(spec)
    for field, value in values.items():
        JOB_FIELDS[field].put(written, value)
    return written


def write_schedule(spec: JsonObject, schedule: JsonObject) -> JsonObject:
    """Write when a job runs; zone, clock-change policy and window stay, an interval keeps its anchor."""
    old = spec.get("schedule") or {}
    kept = {name: value for name, value in old.items() if name not in KINDS}
    anchor = {"anchor": old["anchor"]} if "interval" in schedule and "anchor" in old else {}
    return spec | {"schedule": kept | anchor | schedule}


def enable(item: JsonObject) -> JsonObject:
    """Clear suspension and pause of a copy of a ScheduledJob."""
    changed: JsonObject = copy.deepcopy(item)
    if changed["spec"].get("suspend"):
        del changed["spec"]["suspend"]
    annotations = changed["metadata"].get("annotations") or {}
    changed["metadata"]["annotations"] = {
        name: value for name, value in annotations.items() if name not in PAUSE_MARKS
    }
    return changed


def suspend(item: JsonObject) -> JsonObject:
    """Suspend a copy of a ScheduledJob."""
    changed: JsonObject = copy.deepcopy(item)
    changed["spec"]["suspend"] = True
    return changed


def pause(item: JsonObject, author: Author) -> JsonObject:
    """Pause a copy of a ScheduledJob by its annotation, which GitOps tools leave alone."""
    changed: JsonObject = copy.deepcopy(item)
    marks = {names.PAUSED: "true", names.PAUSED_BY: author.name, names.PAUSED_REASON: "disabled in the API"}
    changed["metadata"]["annotations"] = (changed["metadata"].get("annotations") or {}) | marks
    return changed


def sign(old: JsonObject, new: JsonObject, author: Author) -> JsonObject:
    """Note in a copy of a ScheduledJob who changed it last, and what was left."""
    metadata = new["metadata"] | {"annotations": (new["metadata"].get("annotations") or {}) | author.sign()}
    return sign_state(old, new | {"metadata": metadata})
