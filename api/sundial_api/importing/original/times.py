"""Which instants do the original's times mean? Those without an offset are of its own zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sundial_api.importing.original.rows import OddValue
from sundial_clock.instants import EARLIEST, LATEST


def parse_time(text: str | None, zone: ZoneInfo, what: str, fold: int = 0) -> datetime | None:
    """Read a timestamp as Postgres writes it, None for null; one that occurs twice is the first, or `fold`.

    Raises OddValue for what is not between 1970 and 9000.
    """
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        instant = (read if read.tzinfo else read.replace(tzinfo=zone, fold=fold)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise OddValue(f"{what} is no time", text) from None
    if EARLIEST <= instant < LATEST:
        return instant
    raise OddValue(f"{what} is not between 1970 and 9000", text)


def parse_end(text: str | None, started_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Read when something ended that began at an instant: of an hour that occurs twice, the one that fits."""
    ended_at = parse_time(text, zone, "completed_at")
    if ended_at is not None and ended_at < started_at:
        return parse_time(text, zone, "completed_at", fold=1)
    return ended_at
