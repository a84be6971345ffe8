"""What the bench of scale creates: schedules of every kind that are not due for days, and finished Jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.phases import Trigger
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_job,
)

FUNCTIONS = 50
ZONES = ["UTC", "Africa/Cairo", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"]
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
CONTAINER = {
    "name": "report",
    "image": "registry.example/reports:1.42.0",
    "command": ["python", "-m", "reports", "--daily"],
    "env": [{"name": "REPORTS_BUCKET", "value": "reports"}, {"name": "LOG_LEVEL", "value": "info"}],
    "resources": RESOURCES,
}
TEMPLATE = {"spec": {"template": {"spec": {"serviceAccountName": "default", "containers": [CONTAINER]}}}}
LOADER = "bench.sundial.dev/loader"
"""Who manages the finished Jobs: a Job controller that found them would run them."""

NOT_BEFORE = timedelta(days=3)


def build_function(number: int) -> dict[str, Any]:
    """Return a TaskFunction that schedules share."""
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": f"function-{number}"},
        "spec": {"handler": {"container": {}}, "template": TEMPLATE},
    }


def build_schedule(number: int, now: datetime) -> dict[str, Any]:
    """Return a ScheduledJob: of each kind by turns, half of them sharing a function."""
    shared = {"taskFunctionRef": {"name": f"function-{number % FUNCTIONS}"}, "args": {"number": number}}
    work = shared if number % 2 else {"template": TEMPLATE}
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "metadata": {"name": f"schedule-{number:05d}"},
        "spec": {"schedule": choose_schedule(number, now)} | work,
    }


def choose_schedule(number: int, now: datetime) -> dict[str, Any]:
    """Choose a schedule without a slot before `now` + 2 days, in any zone."""
    day = now + NOT_BEFORE + timedelta(days=number % 20)
    minute, hour, zone = number * 7 % 60, number // 60 % 24, ZONES[number % len(ZONES)]
    if number % 4 == 1:
        return {"interval": {"hours": 72 + number % 24, "minutes": minute}}
    if number % 4 == 2:
        return {
            "cronFields": {"minute": minute, "hour": hour, "day": day.day, "month": "*"},
            "timeZone": zone,
        }
    return {"cron": f"{minute} {hour} {day.day} * *", "timeZone": zone}


def build_finished_job(parent: dict[str, Any], days_ago: int) -> dict[str, Any]:
    """Return a Job as the operator makes it, for a slot some days before its schedule was created."""
    metadata = parent["metadata"]
    slot = datetime.fromisoformat(metadata["creationTimestamp"]) - timedelta(days=days_ago)
    attempt = Attempt(
        owner=Owner(metadata["namespace"], metadata["name"], metadata["uid"], 1),
        run_id=names.build_run_id(metadata["uid"], slot),
        trigger=Trigger.SCHEDULE,
        slot=slot,
        previous_slot=slot - timedelta(days=1),
        attempt=1,
        args=None,
        timeout_seconds=300,
    )
    job = build_job(attempt, TEMPLATE, Creator("sundial-system.sundial", LOADER, 1))
    job["metadata"]["labels"].pop(names.INSTALLATION)  # the fence would refuse its term
    job["spec"]["managedBy"] = LOADER
    return job


def build_finished_status(now: datetime) -> dict[str, Any]:
    """Return the status of a Job that has succeeded."""
    ended = format_instant(now.replace(microsecond=0))
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": ended, "lastTransitionTime": ended}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    return {"status": {"startTime": ended, "completionTime": ended, "succeeded": 1, "conditions": conditions}}
