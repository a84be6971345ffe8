"""APScheduler's fields: golden rows, refusals, and APScheduler itself as the oracle in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_clock.spec import CronFields, Schedule

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday, and never a slot itself
TICK = timedelta(microseconds=1)


def compiled(fields: dict[str, Any]) -> CompiledSchedule:
    spec = Schedule(cron_fields=CronFields(**fields))
    return compile_schedule(spec, name="team/job", created_at=START)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"hour": "9"}, "2026-01-01 09:00:00|2026-01-02 09:00:00", id="smaller fields are 0"),
        pytest.param({"hour": 9}, "2026-01-01 09:00:00|2026-01-02 09:00:00", id="number"),
        pytest.param({"day": "1"}, "2026-02-01 00:00:00|2026-03-01 00:00:00", id="midnight of the first"),
        pytest.param({"month": 3}, "2026-03-01 00:00:00|2027-03-01 00:00:00", id="day 1 below month"),
        pytest.param({"year": 2028}, "2028-01-01 00:00:00", id="1 January below year"),
        pytest.param({"minute": 30}, "2026-01-01 00:30:00|2026-01-01 01:30:00", id="larger fields are *"),
        pytest.param({"second": "*/30"}, "2026-01-01 00:00:30|2026-01-01 00:01:00", id="every 30 seconds"),
        pytest.param({"hour": 8, "second": 30}, "2026-01-01 08:00:30|2026-01-01 08:01:30", id="between is *"),
        pytest.param({"week": 10}, "2026-03-02 00:00:00|2026-03-03 00:00:00", id="every day of ISO week 10"),
        pytest.param({"week": 53}, "2026-12-28 00:00:00", id="ISO week 53"),
        pytest.param(
            {"year": 2027, "week": 53}, "2027-01-01 00:00:00|2027-01-02 00:00:00", id="the year is the date's"
        ),
        pytest.param({"day_of_week": "0"}, "2026-01-05 00:00:00|2026-01-12 00:00:00", id="Monday is 0"),
        pytest.param({"day_of_week": "fri-SUN"}, "2026-01-02 00:00:00|2026-01-03 00:00:00", id="names"),
        pytest.param({"day_of_week": "*/3"}, "2026-01-04 00:00:00|2026-01-05 00:00:00", id="Mon, Thu, Sun"),
        pytest.param(
            {"day": 13, "day_of_week": "fri"}, "2026-02-13 00:00:00|2026-03-13 00:00:00", id="both match"
        ),
        pytest.param({"day": "last"}, "2026-01-31 00:00:00|2026-02-28 00:00:00", id="last"),
        pytest.param({"day": "last fri"}, "2026-01-30 00:00:00|2026-02-27 00:00:00", id="last fri"),
        pytest.param({"day": "1st mon, 3RD Wed"}, "2026-01-05 00:00:00|2026-01-21 00:00:00", id="1st mon"),
        pytest.param({"day": "5th sat"}, "2026-01-31 00:00:00|2026-05-30 00:00:00", id="5th sat"),
        pytest.param(
            {"hour": "8-18/5"}, "2026-01-01 08:00:00|2026-01-01 13:00:00|2026-01-01 18:00:00", id="a-b/c"
        ),
        pytest.param({"hour": "20/3"}, "2026-01-01 20:00:00|2026-01-01 23:00:00", id="a/c"),
        pytest.param({"hour": " 1 , 2 "}, "2026-01-01 01:00:00|2026-01-01 02:00:00", id="blanks"),
        pytest.param({"month": "feb", "day": 30}, "", id="30 February"),
    ],
)
def test_named_slots(fields: dict[str, Any], expected: str) -> None:
    wanted = expected.split("|") if expected else []
    slots = compiled(fields).slots_after(START, len(wanted) or 3)
    assert [f"{slot:%Y-%m-%d %H:%M:%S}" for slot in slots] == wanted


@pytest.mark.parametrize(
    ("fields", "path", "word"),
    [
        pytest.param({}, "", "at least one", id="no field"),
        pytest.param({"hour": None}, "", "at least one", id="only null"),
        pytest.param({"hour": "24"}, ".hour", "0 to 23", id="hour 24"),
        pytest.param({"hour": -1}, ".hour", "something like", id="negative"),
        pytest.param({"hour": ""}, ".hour", "something like", id="empty"),
        pytest.param({"hour": "1,,2"}, ".hour", "something like", id="empty part"),
        pytest.param({"hour": "17-9"}, ".hour", "backwards", id="reversed hours"),
        pytest.param({"hour": "\u0669"}, ".hour", "something like", id="Arabic digit"),
        pytest.param({"hour": "1 - 5"}, ".hour", "something like", id="blanks in a range"),
        pytest.param({"minute": "*/60"}, ".minute", "1 to 59", id="step wider than the field"),
        pytest.param({"minute": "*/0"}, ".minute", "1 to 59", id="step 0"),
        pytest.param({"minute": "10-20/11"}, ".minute", "1 to 10", id="step wider than the range"),
        pytest.param({"day": "0"}, ".day", "1 to 31", id="day 0"),
        pytest.param({"day": "last friday"}, ".day", "last fri", id="long name"),
        pytest.param({"day": "lastly"}, ".day", "last fri", id="rubbish after last"),
        pytest.param({"day": "1st mon-fri"}, ".day", "last fri", id="rubbish after 1st mon"),
        pytest.param({"day": "6th mon"}, ".day", "last fri", id="6th"),
        pytest.param({"month": "nov-feb"}, ".month", "backwards", id="reversed months"),
        pytest.param({"month": "jan-mar/2"}, ".month", "jan-jun", id="rubbish after names"),
        pytest.param({"day_of_week": "FRI#2"}, ".dayOfWeek", "mon-fri", id="FRI#2"),
        pytest.param({"day_of_week": "mon-"}, ".dayOfWeek", "mon-fri", id="half a range"),
        pytest.param({"day_of_week": "7"}, ".dayOfWeek", "0 to 6", id="weekday 7"),
        pytest.param({"day_of_week": "fri-mon"}, ".dayOfWeek", "backwards", id="reversed weekdays"),
        pytest.param({"day_of_week": "monday"}, ".dayOfWeek", "mon-fri", id="long weekday"),
        pytest.param({"week": "54"}, ".week", "1 to 53", id="week 54"),
        pytest.param({"year": "1969"}, ".year", "1970 to 9999", id="year 1969"),
        pytest.param({"second": "H"}, ".second", "something like", id="H is for cron"),
        pytest.param({"hour": "1," * 5000 + "1"}, ".hour", "at most", id="10 KB"),
    ],
)
def test_refused(fields: dict[str, Any], path: str, word: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        compiled(fields)
    assert refusal.value.field == f"schedule.cronFields{path}"
    assert word in str(refusal.value)
    assert "write" in str(refusal.value)


def items(low: int, high: int, *named: str) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.tuples(st.one_of(st.just("*"), value.map(str), span), st.integers(0, 70))
    return st.one_of(value.map(str), span, step.map("{0[0]}/{0[1]}".format), st.sampled_from(["*", *named]))


def lists(low: int, high: int, *named: str) -> st.SearchStrategy[str | int]:
    listed = st.lists(items(low, high, *named), min_size=1, max_size=3).map(", ".join)
    return st.one_of(items(low, high, *named), listed, st.integers(low, high))


fields_of = st.fixed_dictionaries(
    {},
    optional={
        "second": lists(0, 59),
        "minute": lists(0, 59),
        "hour": lists(0, 23),
        "day": lists(1, 31, "last", "last fri", "1st mon", "5th sun"),
        "month": lists(1, 12, "jan", "feb-apr", "DEC"),
        "day_of_week": lists(0, 6, "mon", "tue-thu", "SAT-SUN", "sun-mon"),
        "week": lists(1, 53),
        "year": lists(2025, 2030),
    },
).filter(bool)


HORIZON = timedelta(days=3652)
LEAP_DAY = 1_136_160
"""Minutes from START to 29 February 2028."""


def expected_slots(fields: dict[str, Any], after: datetime, limit: int) -> list[datetime] | None:
    """Ask APScheduler for the next slots; None if it refuses the fields."""
    try:
        trigger = CronTrigger(timezone=UTC, end_date=after + HORIZON, **fields)
    except ValueError:
        return None
    slots: list[datetime] = []
    while len(slots) < limit and (slot := trigger.get_next_fire_time(None, (slots or [after])[-1] + TICK)):
        slots.append(slot)
    return slots


@example(fields={"second": "*"}, minutes=LEAP_DAY)
@settings(max_examples=250, deadline=None)
@given(fields=fields_of, minutes=st.integers(0, 3_000_000))
def test_like_apscheduler(fields: dict[str, Any], minutes: int) -> None:
    after = START + timedelta(minutes=minutes)
    expected = expected_slots(fields, after, 4)
    if expected is None:
        with pytest.raises(ScheduleError):
            compiled(fields)
    else:
        found = compiled(fields).slots_after(after, 4)
        assert [slot for slot in found if slot <= after + HORIZON] == expected
