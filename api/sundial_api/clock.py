"""The wall clock: the one place of the API that reads it; everything else is told the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present, aware, in UTC."""


def read_clock() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)
