"""Instants as RFC 3339 text and back, their bounds, and their resolution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Between these two an instant can be counted from without leaving the calendar."""

RESOLUTION = timedelta(microseconds=1)
"""`instant - RESOLUTION` is just before the instant."""


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 date-time as an aware instant in UTC; its letters may be small.

    Raises ValueError when the text is not a date-time or has no offset.
    """
    instant = datetime.fromisoformat(text if text[-1:] != "z" else text.upper())
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone offset; write e.g. 2026-01-01T09:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the calendar in UTC") from None


def format_instant(instant: datetime) -> str:
    """Write an aware instant in UTC with `Z`; a fraction only when there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_micro_time(instant: datetime) -> str:
    """Write an instant as Kubernetes' MicroTime: UTC with exactly six digits of a second."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
