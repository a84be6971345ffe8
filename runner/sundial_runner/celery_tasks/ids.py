"""Which ids do the tasks of a run have? Known before they are sent, one for each attempt."""

from __future__ import annotations

import uuid

MOST_IDS = 30
"""A run has fewer attempts: ten retries, and three after disruptions."""


def build_task_ids(run_id: str, attempt: int) -> list[str]:
    """Build the ids of an attempt and of those before it, the newest first."""
    first = max(1, attempt - MOST_IDS + 1)
    return [build_task_id(run_id, number) for number in range(attempt, first - 1, -1)]


def build_task_id(run_id: str, attempt: int) -> str:
    """Build the id of an attempt: the first has that of the run."""
    return run_id if attempt <= 1 else str(uuid.uuid5(uuid.UUID(run_id), str(attempt)))
