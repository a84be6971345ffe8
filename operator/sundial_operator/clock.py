"""The operator's clock."""

from __future__ import annotations

from datetime import UTC, datetime


def read_clock() -> datetime:
    """Read the wall clock, in UTC: the only place where the operator does."""
    return datetime.now(UTC)
