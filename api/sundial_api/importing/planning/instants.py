"""When would a job run next, there and here? The original's own library says the one, our clock the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sundial_api.http.schedule_config import ConfigError, JobType, check_schedule
from sundial_api.importing.original.rows import OddValue
from sundial_api.importing.planning.schedules import OriginalSchedule
from sundial_clock.instants import RESOLUTION
from sundial_core.resources.raw import JsonObject

OLD, NEW = "the original", "Sundial"


@dataclass(frozen=True, slots=True)
class InstantComparison:
    """The next instants of a job by the original and by Sundial, in UTC."""

    old: Sequence[datetime] = ()
    new: Sequence[datetime] = ()

    @property
    def differences(self) -> list[tuple[datetime, str]]:
        """Name each instant that only one of them has, and which, as far as both were asked."""
        until = min((one[-1] for one in (self.old, self.new) if one), default=None)
        told = sorted(set(self.old) ^ set(self.new))
        return [(one, OLD if one in self.old else NEW) for one in told if until and one <= until]


def compare_instants(
    schedule: OriginalSchedule, built: JsonObject, name: str, now: datetime, count: int
) -> InstantComparison:
    """Compare the next instants after `now`; `name` is namespace/name. Raises OddValue.

    The original is asked for no more than Sundial has: its library looks for an instant that never comes
    until the year 9999.
    """
    try:
        new = check_schedule(built, name, now).slots_after(now, count)
    except ConfigError as error:
        raise OddValue(f"schedule_config: {error}") from error
    if not new:
        raise OddValue("the schedule names no instant in the next ten years")
    return InstantComparison(list(_list_old(schedule, now, len(new))), new)


def _list_old(schedule: OriginalSchedule, now: datetime, count: int) -> Iterator[datetime]:
    trigger, previous = build_trigger(schedule, now), None
    after = now + RESOLUTION
    for _ in range(count):
        fired = trigger.get_next_fire_time(previous, after)
        if fired is None:
            return
        yield fired.astimezone(UTC)
        previous, after = fired, fired


def build_trigger(schedule: OriginalSchedule, now: datetime) -> BaseTrigger:
    """Build the trigger that the original makes of its row; raises OddValue for what it refuses."""
    window = {"start_date": schedule.start, "end_date": schedule.end, "timezone": schedule.zone}
    try:
        if schedule.kind is JobType.INTERVAL:
            periods = {name: int(value) for name, value in schedule.config.items()}
            first = schedule.start or now + timedelta(**periods)
            return IntervalTrigger(**periods, **window | {"start_date": first})
        if "expression" in schedule.config:
            return CronTrigger.from_crontab(schedule.config["expression"], schedule.zone)
        return CronTrigger(**schedule.config, **window)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise OddValue("the original's scheduler refuses schedule_config", error) from error
