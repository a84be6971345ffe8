"""Rows for tests of the database: each builder gives a complete row, and takes what the test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FAMILY = UUID("5d0ab6a5-6d7e-4a0e-9a52-0d5bd5a9a3c1")


def numbered(number: int) -> UUID:
    """Return a UUID that is the same for the same number."""
    return uuid5(FAMILY, str(number))


def function_row(number: int = 2, **changes: Any) -> dict[str, Any]:
    """Build a row of task_functions."""
    row: dict[str, Any] = {
        "id": number,
        "namespace": "default",
        "resource_name": f"function-{number}",
        "uid": numbered(number),
        "name": f"function_{number}",
        "display_name": f"Function {number}",
        "handler_path": "tasks.reports.build",
        "handler_type": "celery_task",
        "created_at": NOON,
        "updated_at": NOON,
        "resource_version": 10,
    }
    return row | changes


def job_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduled_jobs."""
    row: dict[str, Any] = {
        "id": numbered(number),
        "namespace": "default",
        "resource_name": f"job-{number}",
        "name": f"Job {number}",
        "task_function_id": 1,
        "job_type_id": 2,
        "schedule_config": {"expression": "0 9 * * *"},
        "created_at": NOON,
        "updated_at": NOON,
        "resource_version": 10,
    }
    return row | changes


def execution_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduled_job_executions: number minutes after noon, of job 1, a success of 30 s."""
    started = NOON + timedelta(minutes=number)
    row: dict[str, Any] = {
        "id": numbered(1_000_000 + number),
        "job_id": numbered(1),
        "namespace": "default",
        "status": "success",
        "phase": "Succeeded",
        "started_at": started,
        "completed_at": started + timedelta(seconds=30),
        "triggered_by": "scheduler",
        "attempt": 1,
    }
    return row | changes


def running_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of an execution that has not ended."""
    return execution_row(number, status="running", phase="Running", completed_at=None) | changes


def slot_row(minute: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduler_slots: one slot, so many minutes after noon, of job 1."""
    slot = NOON + timedelta(minutes=minute)
    row: dict[str, Any] = {
        "job_id": numbered(1),
        "first_slot": slot,
        "last_slot": slot,
        "verdict": "Missed",
        "reason": "TooLate",
    }
    return row | changes


def instance_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduler_instances."""
    row: dict[str, Any] = {
        "id": numbered(number),
        "hostname": f"sundial-{number}",
        "pid": 1,
        "last_heartbeat": NOON,
        "started_at": NOON,
        "version": "0.1.0",
    }
    return row | changes


def change_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduled_job_changes: of job 1, so many minutes after noon."""
    row: dict[str, Any] = {
        "id": numbered(2_000_000 + number),
        "job_id": numbered(1),
        "namespace": "default",
        "kind": "changed",
        "seen_at": NOON + timedelta(minutes=number),
    }
    return row | changes


def log_tail_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduled_job_log_tails: of an execution of job 1, wanted and due."""
    row: dict[str, Any] = {
        "execution_id": numbered(1_000_000 + number),
        "attempt": 1,
        "pod_uid": f"pod-{number}",
        "job_id": numbered(1),
        "namespace": "default",
        "ended_at": NOON + timedelta(minutes=number),
        "wanted_at": NOON + timedelta(minutes=number),
        "due_at": NOON + timedelta(minutes=number),
    }
    return row | changes


def quarantine_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Build a row of scheduler_quarantine."""
    row: dict[str, Any] = {
        "kind": "Job",
        "key": str(numbered(number)),
        "document": {"metadata": {"name": "odd"}},
        "error": "metadata.uid: missing",
        "first_seen": NOON,
        "last_seen": NOON,
    }
    return row | changes
