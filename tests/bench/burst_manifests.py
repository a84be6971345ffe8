"""The manifests that the bench creates: the same Pod, due once, under each contestant's kind."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sundial_core.resources.names import build_run_id
from sundial_core.resources.phases import Trigger
from sundial_core.runs.manifests import Attempt, Creator, Owner
from sundial_core.runs.manifests import build_job as build_attempt

POD = {
    "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "work", "image": "busybox:1.36", "command": ["true"]}],
    }
}


def build_job(number: int) -> dict[str, Any]:
    """Return a Job of the bare loop."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"burst-{number:05d}"},
        "spec": {"template": POD},
    }


def build_marked_job(number: int) -> dict[str, Any]:
    """Return the Job that Sundial makes for a slot, but for its owner: it would have to be there."""
    due, owner = datetime(2026, 1, 2, tzinfo=UTC), Owner("burst", f"burst-{number:05d}", str(uuid.uuid4()), 1)
    attempt = Attempt(
        owner=owner,
        run_id=build_run_id(owner.uid, due),
        trigger=Trigger.SCHEDULE,
        slot=due,
        previous_slot=datetime(2026, 1, 1, tzinfo=UTC),
        attempt=1,
        args=None,
        timeout_seconds=3600,
    )
    manifest = build_attempt(attempt, {"spec": {"template": POD}}, Creator("sundial", str(uuid.uuid4()), 1))
    del manifest["metadata"]["ownerReferences"], manifest["metadata"]["namespace"]
    return manifest


def build_cron_job(number: int, due: datetime) -> dict[str, Any]:
    """Return a CronJob that is due at that minute, once a day."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"burst-{number:05d}"},
        "spec": {
            "schedule": _cron(due),
            "timeZone": "Etc/UTC",
            "jobTemplate": {"spec": {"template": POD}},
        },
    }


def build_scheduled_job(number: int, due: datetime) -> dict[str, Any]:
    """Return a ScheduledJob that is due at that minute, once a day."""
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "metadata": {"name": f"burst-{number:05d}"},
        "spec": {"schedule": {"cron": _cron(due)}, "template": {"spec": {"template": POD}}},
    }


def _cron(due: datetime) -> str:
    return f"{due.minute} {due.hour} * * *"
