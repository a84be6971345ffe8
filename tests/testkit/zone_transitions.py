"""Where the offset of a zone changes: what its file says, and what the clock finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module, resources

from sundial_clock.zones import Stretch, load_zone, offset_at, stretches_between


def naive(text: str) -> datetime:
    """Parse an instant of a zone's wall clock or of UTC, without an offset."""
    return datetime.fromisoformat(text)


def read_transitions(name: str) -> list[tuple[datetime, timedelta]]:
    """Read where a zone file says that the offset changes since 1900, and to what."""
    reader = import_module("zoneinfo._zoneinfo").ZoneInfo  # the one in C hides its transitions
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        zone = reader.from_file(data, key=name)
    instants = [
        datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in zone._trans_utc if at > -2208988800
    ]
    offsets = [offset_at(zone, at) for at in instants]
    before = [offset_at(zone, at - timedelta(seconds=1)) for at in instants]
    return [(at, new) for at, new, old in zip(instants, offsets, before, strict=True) if new != old]


def is_change(stretch: Stretch) -> bool:
    """Tell whether a stretch begins with a change of the offset."""
    return stretch.offset != stretch.before and stretch.since == stretch.start


def find_changes(name: str, low: datetime, high: datetime) -> list[tuple[datetime, timedelta]]:
    """Find the changes of a zone's offset in a span of UTC, as the clock knows them."""
    stretches = stretches_between(load_zone(name), low, high)
    return [(stretch.since, stretch.offset) for stretch in stretches if is_change(stretch)]
