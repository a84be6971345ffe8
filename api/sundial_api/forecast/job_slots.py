"""Which slots has a job in the next days? Bounded for any schedule: only these days are walked.

A schedule is never asked for its next slot: `{"week": "53", "day_of_week": "sun"}` has it look through years.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from sundial_api.forecast.repository import StoredSchedule
from sundial_api.http.schedule_config import check_schedule, parse_schedule_config

HORIZON = timedelta(hours=72)
"""How far is looked: longer than any question, so that what was found serves for a day."""
QUARTER = timedelta(minutes=15)
MOST_SLOTS = HORIZON // QUARTER
"""A job with more is one that starts all the time: its slots are counted and not listed."""


@dataclass(frozen=True, slots=True)
class JobSlots:
    """The slots of a job in (since, until], in Unix seconds; none where it starts all the time."""

    since: datetime
    until: datetime
    count: int
    instants: array[float]

    @property
    def is_constant(self) -> bool:
        """Tell whether the job starts all the time."""
        return self.count > MOST_SLOTS

    @property
    def slots_per_day(self) -> float:
        """How many slots it has a day."""
        return self.count / (HORIZON / timedelta(days=1))

    def covers(self, since: datetime, until: datetime) -> bool:
        """Tell whether all slots in (since, until] are known."""
        return self.since <= since and until <= self.until

    def list_between(self, after: float, until: float) -> array[float]:
        """List the slots in (after, until], in Unix seconds."""
        return self.instants[bisect_right(self.instants, after) : bisect_right(self.instants, until)]


def find_slots(job: StoredSchedule, since: datetime) -> JobSlots:
    """Find the slots of a job after an instant; raises ConfigError and whatever an odd schedule brings."""
    name = f"{job.namespace}/{job.resource_name}"
    if job.schedule is not None:
        schedule = orjson.loads(job.schedule)
    else:
        config = orjson.loads(job.config or "{}")
        schedule = parse_schedule_config(job.job_type_id, config) | {"timeZone": job.time_zone}
    compiled = check_schedule(schedule, name, job.created_at)
    until = since + HORIZON
    count = compiled.count_slots(since, until)
    slots = compiled.latest_slots(since, until, count) if count <= MOST_SLOTS else []
    return JobSlots(since, until, count, array("d", [slot.timestamp() for slot in slots]))
