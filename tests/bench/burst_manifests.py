"""The manifests that the bench creates: the same Pod, due once, under each contestant's kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
