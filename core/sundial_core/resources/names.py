"""Labels, annotations, and the deterministic names and ids of runs and Jobs."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import datetime
from functools import lru_cache

from sundial_clock.instants import format_instant

INSTALLATION = "sundial.dev/installation"
SCHEDULED_JOB = "sundial.dev/scheduled-job"
SCHEDULED_JOB_UID = "sundial.dev/scheduled-job-uid"
RUN = "sundial.dev/run"
TRIGGER = "sundial.dev/trigger"
MANAGED_BY = "app.kubernetes.io/managed-by"

SCHEDULED_FOR = "sundial.dev/scheduled-for"
ATTEMPT = "sundial.dev/attempt"
TERM = "sundial.dev/term"
INSTANCE = "sundial.dev/instance"
GENERATION = "sundial.dev/scheduled-job-generation"
RETRIES_USED = "sundial.dev/retries-used"
DISRUPTIONS = "sundial.dev/disruptions"
ENDED = "sundial.dev/ended"
ENDED_MESSAGE = "sundial.dev/ended-message"
TIMEOUT = "sundial.dev/timeout-seconds"
"""The deadline that a Job had before it was ended early: its next attempt gets that one again."""
START_TIMEOUT = "sundial.dev/start-timeout-seconds"
CANCEL = "sundial.dev/cancel"
CELERY_TASK = "sundial.dev/celery-task"
"""The id of the Celery task that an attempt sends, unless it finds one of before; on no other Jobs."""

MEMBER = "sundial.dev/member"
HOSTNAME = "sundial.dev/hostname"
PID = "sundial.dev/pid"
VERSION = "sundial.dev/version"
STARTED_AT = "sundial.dev/started-at"
STARTS_HELD_BY = "sundial.dev/starts-held-by"
STARTS_HELD_UNTIL = "sundial.dev/starts-held-until"
FENCE = "sundial.dev/fence"

MIRRORED_UNTIL = "sundial.dev/mirrored-until"
MIRROR_STEP = "sundial.dev/mirror-step"

PAUSED = "sundial.dev/paused"
PAUSED_BY = "sundial.dev/paused-by"
PAUSED_REASON = "sundial.dev/paused-reason"

RESTORE = "velero.io/restore-name"
"""The mark of an object that Velero brought back from a backup."""

RUN_VARIABLE = "SUNDIAL_RUN_ID"
"""The variable by which a Pod's containers tell that they are of its Job's template."""

OWN_PREFIXES = ("sundial.dev/", "batch.kubernetes.io/")
"""Marks under these prefixes in a user's template are overwritten."""

MAX_LABEL_CHARS = 63
JOB_HASH_CHARACTERS = 10


def build_installation(ns: str, release: str) -> str:
    """Name an installation, as a label value: `<namespace>.<release>`, shortened with a hash past 63."""
    name = f"{ns}.{release}"
    if len(name) <= MAX_LABEL_CHARS:
        return name
    return f"{name[:52]}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


@lru_cache(maxsize=4096)
def build_run_id(scheduled_job_uid: str, slot: datetime) -> str:
    """Name the run of a slot: uuid5 of the ScheduledJob's UID and the slot in RFC 3339, UTC."""
    return str(uuid.uuid5(uuid.UUID(scheduled_job_uid), format_instant(slot)))


def is_run_of(run_id: str, scheduled_job_uid: str, slot: datetime | None) -> bool:
    """Tell whether a run is that of a slot; nothing is where the UID is none."""
    try:
        return slot is not None and run_id == build_run_id(scheduled_job_uid, slot)
    except ValueError:
        return False


def build_celery_task_id(run_id: str, attempt: int) -> str:
    """Name the Celery task of an attempt, before it is sent: attempt 1 has the id of the run."""
    return run_id if attempt <= 1 else str(uuid.uuid5(uuid.UUID(run_id), str(attempt)))


def build_job_name(scheduled_job: str, run_id: str, attempt: int) -> str:
    """Name the Job of an attempt; at most 63 characters for a ScheduledJob's name of at most 52."""
    return f"{scheduled_job}-{_hash_attempt(run_id, attempt)}"


def compute_named_for(job_name: str, run_id: str, attempt: int) -> str:
    """Find the ScheduledJob whose attempt has a Job of that name; empty when no attempt like this has."""
    scheduled_job = job_name[: -JOB_HASH_CHARACTERS - 1]
    return scheduled_job if job_name == build_job_name(scheduled_job, run_id, attempt) else ""


@lru_cache(maxsize=4096)
def _hash_attempt(run_id: str, attempt: int) -> str:
    digest = hashlib.sha256(f"{run_id}/{attempt}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()[:JOB_HASH_CHARACTERS]


def build_mirror_lease_name(release: str) -> str:
    """Name the Lease by which the mirror of a Helm release tells how far it is."""
    return f"{release}-mirror"


def build_runner_name(digest: str) -> str:
    """Name the ConfigMap that holds a runner, by the hash of that."""
    return f"sundial-runner-{digest[:10]}"


POLICY_PREFIX = "sundial-fence."


CREATED_BY = "sundial.dev/created-by"
UPDATED_BY = "sundial.dev/updated-by"
UPDATED_AT = "sundial.dev/updated-at"
UPDATED_STATE = "sundial.dev/updated-state"
"""What `updated-by` stands for: the state that its edit left."""
REQUEST_DIGEST = "sundial.dev/request-digest"
"""A digest of the request that an object was made for, keyed by its Idempotency-Key."""

IMPORTED_FROM = "sundial.dev/imported-from"
"""The id that a ScheduledJob or a TaskFunction had in the installation that it was imported from."""
