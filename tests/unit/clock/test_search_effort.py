"""How much a search looks at: sparse schedules cost what lies around their slots, and no year is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sundial_clock import cron_fields, wallclock, zones
from sundial_clock.schedule import compile_schedule
from sundial_clock.spec import CronFields, DstPolicy, Schedule
from sundial_clock.wallclock import DayRule, DaySet, find_twin

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SPARSE = [
    CronFields(week="53", day_of_week="sun"),
    CronFields(year="*/10"),
    CronFields(month=2, day=29),
]


@pytest.mark.parametrize("fields", SPARSE, ids=str)
def test_a_zone_is_asked_only_about_the_years_around_slots(fields: CronFields) -> None:
    schedule = compile_schedule(
        Schedule(cron_fields=fields, time_zone="Africa/Cairo"), name="team/tick", created_at=NOW
    )
    zones._stretches_of_year.cache_clear()
    slots = schedule.slots_after(NOW, 100)
    assert len(slots) == 100
    assert zones._stretches_of_year.cache_info().misses <= 2 * len(slots) + 2


def test_the_days_of_a_month_are_found_once_for_all_years_of_one_kind() -> None:
    schedule = compile_schedule(
        Schedule(cron_fields=CronFields(week="53", day_of_week="sun")), name="team/tick", created_at=NOW
    )
    wallclock._days_in.cache_clear()
    assert len(schedule.slots_after(NOW, 100)) == 100
    assert wallclock._days_in.cache_info().misses <= 21 * 12


@given(st.integers(1801, 9990), st.integers(1, 12))
def test_twin_years_have_one_calendar(year: int, month: int) -> None:
    twin = find_twin(year)
    assert 2000 <= twin < 2400
    for day in (1, 2, 3, 27, 28, 29, 30, 31):
        assert _describe(year, month, day) == _describe(twin, month, day)


def _describe(year: int, month: int, day: int) -> tuple[int, int] | None:
    try:
        found = date(year, month, day).isocalendar()
    except ValueError:
        return None
    return found.week, found.weekday


@given(st.integers(1801, 9990), st.integers(1, 12), st.sets(st.integers(1, 53)), st.sets(st.integers(0, 6)))
def test_days_by_week_and_weekday_are_those_of_the_year_itself(
    year: int, month: int, weeks: set[int], weekdays: set[int]
) -> None:
    rule = DayRule(weekdays=DaySet(frozenset(weekdays)), weeks=frozenset(weeks))
    days = [day for day in range(1, 32) if (found := _describe(year, month, day)) and found[0] in weeks]
    expected = [day for day in days if date(year, month, day).weekday() in weekdays]
    assert list(rule.days_in(year, month)) == expected


@pytest.mark.parametrize("dst", DstPolicy)
def test_a_time_that_no_year_shows_ends_the_search(dst: DstPolicy) -> None:
    """The last Sunday of March at 02:30 is always lost in Berlin: Once makes it up, Literal never fires."""
    schedule = compile_schedule(
        Schedule(
            cron_fields=CronFields(month=3, day="last sun", hour=2, minute=30),
            time_zone="Europe/Berlin",
            dst=dst,
        ),
        name="team/tick",
        created_at=NOW,
    )
    found = schedule.slots_after(NOW, 3)
    made_up = [datetime(2027, 3, 28, 1), datetime(2028, 3, 26, 1), datetime(2029, 3, 25, 1)]  # noqa: DTZ001
    assert [slot.replace(tzinfo=None) for slot in found] == (made_up if dst is DstPolicy.ONCE else [])


def test_long_lists_of_years_are_not_kept() -> None:
    cron_fields._parse_field_once.cache_clear()
    cron_fields.parse_cron_fields(CronFields(year="1970-9999", hour="1-3"))
    kept = cron_fields._parse_field_once.cache_info().currsize
    assert kept == len(cron_fields.FIELDS) - 1
