"""Was a task told to stop? A cancellation that only came up from below is a failure."""

from __future__ import annotations

import asyncio


def is_told_to_stop() -> bool:
    """Tell whether somebody ends our task."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
