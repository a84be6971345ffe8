"""What a change of a user forbids for good: that its past starts, whenever somebody hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from testkit.api_server import floor
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_clock.instants import parse_instant
from sundial_core.decision.edits import read_fields
from sundial_core.resources import names
from sundial_core.resources.managed_fields import PAUSED, SCHEDULE, SUSPEND
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.status.stored import parse_stored_status


@dataclass(frozen=True)
class Ban:
    """Up to `until` no slot starts any more, but those that counted then, or were `under_way`."""

    until: datetime
    under_way: frozenset[datetime]


def is_past_over(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether a change ends what the stored status knows of: a hold, or the schedule that there was.

    What came and went while nobody wrote a status cannot be known.
    """
    stored = parse_stored_status(after["status"])
    if stored.seen is None:
        return False
    fields = read_written(after).items()
    written = {path for path, _ in fields ^ read_written(before).items()}
    known = {path for path, _ in fields ^ stored.seen["fields"].items()}
    is_resumed = stored.suspended_reason is not None and not written.isdisjoint({SUSPEND, PAUSED} & known)
    return is_resumed or any(path.startswith(SCHEDULE) for path in written & known)


def build_ban(cluster: Cluster, process: Process) -> Ban:
    """Ban the past from now on."""
    marks = [manifest["metadata"]["annotations"] for _, manifest in cluster.landings]
    landing = {parse_instant(mark[names.SCHEDULED_FOR]) for mark in marks if names.SCHEDULED_FOR in mark}
    return Ban(floor(cluster.now), frozenset({*cluster.made_slots, *process.memory.creates, *landing}))


def check_bans(bans: list[Ban], cluster: Cluster, counted: set[datetime]) -> None:
    """Nothing of the past was started after a change: a pause that is over, another schedule, an end."""
    for ban in bans:
        started = {slot for slot in cluster.made_slots if slot <= ban.until} - ban.under_way
        assert started <= counted, (sorted(started - counted), "of the past of", ban.until)


def read_written(item: dict[str, Any]) -> dict[str, str]:
    """Read what users have written, as a status keeps it."""
    return read_fields(parse_scheduled_job(item))
