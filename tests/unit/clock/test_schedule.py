"""Intervals, single slots, windows, counting, and what every kind of schedule promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_clock.spec import CronFields, DstPolicy, Interval, Schedule

CREATED = datetime.fromisoformat("2026-01-01T00:00:10Z")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "Z")


def compiled(**spec: Any) -> CompiledSchedule:
    return compile_schedule(Schedule(**spec), name="team/job", created_at=CREATED)


def written(slots: list[datetime]) -> list[str]:
    return [slot.replace(tzinfo=None).isoformat() for slot in slots]


@pytest.mark.parametrize(
    ("interval", "anchor", "after", "expected"),
    [
        pytest.param(
            {"seconds": 10}, None, "2026-01-01T00:00:10", "2026-01-01T00:00:20", id="not the creation itself"
        ),
        pytest.param(
            {"seconds": 10}, None, "2025-01-01T00:00:00", "2026-01-01T00:00:20", id="nothing before it"
        ),
        pytest.param(
            {"seconds": 10}, None, "2026-01-01T00:00:19.999999", "2026-01-01T00:00:20", id="just before"
        ),
        pytest.param(
            {"seconds": 10}, None, "2026-01-01T00:00:20", "2026-01-01T00:00:30", id="strictly after"
        ),
        pytest.param(
            {"hours": 1}, "2026-01-01T00:30:00", "2026-01-01T00:00:00", "2026-01-01T00:30:00", id="the anchor"
        ),
        pytest.param(
            {"hours": 1}, "2026-01-01T00:30:00", "2026-01-01T00:30:00", "2026-01-01T01:30:00", id="after it"
        ),
        pytest.param(
            {"hours": 1},
            "2030-01-01T00:30:00",
            "2026-01-01T00:00:00",
            "2030-01-01T00:30:00",
            id="an anchor ahead",
        ),
        pytest.param(
            {"hours": 7},
            "1999-01-01T00:00:00",
            "2026-01-01T00:00:00",
            "2026-01-01T03:00:00",
            id="no drift in 27 years",
        ),
        pytest.param(
            {"weeks": 1, "days": 1, "hours": 1, "minutes": 1, "seconds": 1},
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00",
            "2026-01-09T01:01:01",
            id="a sum",
        ),
        pytest.param(
            {"days": 1},
            "2026-03-28T01:30:00",
            "2026-03-28T12:00:00",
            "2026-03-29T01:30:00",
            id="a day is 24 hours",
        ),
        pytest.param(
            {"minutes": 1},
            "2026-01-01T00:00:00.250000",
            "2026-01-01T00:00:01",
            "2026-01-01T00:01:00.250000",
            id="a fraction stays",
        ),
        pytest.param(
            {"days": 3000},
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00",
            "2034-03-20T00:00:00",
            id="eight years",
        ),
        pytest.param(
            {"days": 4000}, "2026-01-01T00:00:00", "2026-01-01T00:00:00", None, id="beyond ten years"
        ),
        pytest.param(
            {"weeks": 10_000_000},
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00",
            None,
            id="beyond the calendar",
        ),
    ],
)
def test_interval(interval: dict[str, int], anchor: str | None, after: str, expected: str | None) -> None:
    schedule = compiled(interval=Interval(**interval), anchor=anchor and at(anchor))
    assert schedule.next_slot(at(after)) == (expected and at(expected))


@pytest.mark.parametrize(
    ("spec", "after", "expected"),
    [
        pytest.param(
            {"at": at("2026-05-01T08:00:00.5")},
            "2026-05-01T08:00:00",
            ["2026-05-01T08:00:00.500000"],
            id="at",
        ),
        pytest.param({"at": at("2026-05-01T08:00:00")}, "2026-05-01T08:00:00", [], id="at has passed"),
        pytest.param(
            {"at": at("2026-05-01T08:00:00"), "ends_at": at("2026-05-01T07:59:59")},
            "2026-01-01T00:00:00",
            [],
            id="at outside the window",
        ),
        pytest.param(
            {
                "cron": "0 9 * * *",
                "starts_at": at("2026-05-01T09:00:00"),
                "ends_at": at("2026-05-02T09:00:00"),
            },
            "2026-01-01T00:00:00",
            ["2026-05-01T09:00:00", "2026-05-02T09:00:00"],
            id="both ends count",
        ),
        pytest.param(
            {
                "cron": "0 9 * * *",
                "starts_at": at("2026-05-01T09:00:00.1"),
                "ends_at": at("2026-05-02T08:59:59.9"),
            },
            "2026-01-01T00:00:00",
            [],
            id="neither end reached",
        ),
        pytest.param(
            {
                "interval": Interval(hours=5),
                "anchor": at("2026-01-01T00:00:00"),
                "starts_at": at("2026-01-01T05:00:00"),
                "ends_at": at("2026-01-01T10:00:00"),
            },
            "2025-01-01T00:00:00",
            ["2026-01-01T05:00:00", "2026-01-01T10:00:00"],
            id="interval in a window",
        ),
        pytest.param(
            {"cron": "0 9 * * *", "ends_at": at("2026-05-02T09:00:00")},
            "2026-05-02T09:00:00",
            [],
            id="past the window",
        ),
        pytest.param(
            {"cron": "0 0 1 1 *", "starts_at": at("2036-06-01T00:00:00")},
            "2026-01-01T00:00:00",
            [],
            id="a window beyond ten years",
        ),
        pytest.param(
            {
                "cron": "@daily",
                "starts_at": datetime(1, 1, 1, tzinfo=UTC),
                "ends_at": datetime(9999, 12, 31, tzinfo=UTC),
            },
            "2026-01-01T12:00:00",
            ["2026-01-02T00:00:00"],
            id="the widest window",
        ),
    ],
)
def test_window(spec: dict[str, Any], after: str, expected: list[str]) -> None:
    assert written(compiled(**spec).slots_after(at(after), len(expected) or 3)) == expected


@pytest.mark.parametrize(
    ("spec", "field", "word"),
    [
        pytest.param({}, "schedule", "exactly one", id="no kind"),
        pytest.param({"cron": "@daily", "at": CREATED}, "schedule", "exactly one", id="two kinds"),
        pytest.param(
            {"cron": "@daily", "anchor": CREATED}, "schedule.anchor", "only with interval", id="anchor"
        ),
        pytest.param(
            {"interval": Interval()}, "schedule.interval", "at least one second", id="empty interval"
        ),
        pytest.param(
            {"interval": Interval(hours=1, minutes=-1)},
            "schedule.interval.minutes",
            "0 or more",
            id="negative",
        ),
        pytest.param({"interval": Interval(days=10**12)}, "schedule.interval", "calendar", id="endless"),
        pytest.param({"at": datetime(2026, 1, 1)}, "schedule.at", "end it with Z", id="at without a zone"),  # noqa: DTZ001
        pytest.param(
            {"at": datetime(1, 1, 1, tzinfo=UTC)}, "schedule.at", "write 1801", id="at in the year 1"
        ),
        pytest.param(
            {"interval": Interval(days=1), "anchor": datetime(9999, 1, 1, tzinfo=UTC)},
            "schedule.anchor",
            "write",
            id="far anchor",
        ),
        pytest.param(
            {"cron": "@daily", "starts_at": CREATED.replace(tzinfo=None)},
            "schedule.startsAt",
            "end it with Z",
            id="startsAt",
        ),
        pytest.param({"cron": "@daily", "time_zone": "Local"}, "schedule.timeZone", "IANA", id="zone"),
        pytest.param({"cron": "@never"}, "schedule.cron", "@daily", id="cron"),
        pytest.param(
            {"cron_fields": CronFields(hour="25")}, "schedule.cronFields.hour", "0 to 23", id="field"
        ),
    ],
)
def test_refused(spec: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        compiled(**spec)
    assert refusal.value.field == field
    assert word in str(refusal.value)


def test_instants_need_a_zone() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        compiled(cron="@daily").next_slot(at("2026-01-01T00:00:00").replace(tzinfo=None))


def test_any_zone_is_taken_and_utc_is_given() -> None:
    schedule = compiled(cron="0 9 * * *")
    assert schedule.next_slot(datetime.fromisoformat("2026-01-01T13:59:00+05:00")) == at(
        "2026-01-01T09:00:00"
    )
    assert schedule.next_slot(CREATED).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize("year", [1, 1700, 1900, 1969, 2098, 2200, 9988, 9999])
def test_far_years_do_not_fail(year: int) -> None:
    after = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    for spec in (
        {"cron": "0 9 29 2 *"},
        {"cron": "0 9 * * *", "time_zone": "Africa/Cairo"},
        {"interval": Interval(days=1)},
    ):
        slot = compiled(**spec).next_slot(after)
        assert slot is None or slot > after


def test_a_million_slots_are_counted_by_the_day() -> None:
    schedule = compiled(cron="* * * * * *", time_zone="Europe/Berlin")
    assert schedule.count_slots(at("2026-01-01T00:00:00"), at("2036-01-01T00:00:00")) == 3652 * 86_400
    latest = schedule.latest_slots(at("2026-01-01T00:00:00"), at("2036-01-01T00:00:00"), 2)
    assert written(latest) == ["2035-12-31T23:59:59", "2036-01-01T00:00:00"]


def test_an_interval_is_counted_by_division() -> None:
    schedule = compiled(interval=Interval(seconds=1), anchor=at("2000-01-01T00:00:00"))
    assert schedule.count_slots(at("1999-01-01T00:00:00"), at("2100-01-01T00:00:00")) == 36_525 * 86_400 + 1


@pytest.mark.parametrize("limit", [0, -1])
def test_no_slots_are_asked_for(limit: int) -> None:
    for spec in ({"cron": "@daily"}, {"interval": Interval(days=1)}, {"at": CREATED}):
        schedule = compiled(**spec)
        assert schedule.slots_after(at("2025-01-01T00:00:00"), limit) == []
        assert schedule.latest_slots(at("2025-01-01T00:00:00"), at("2027-01-01T00:00:00"), limit) == []


def test_an_empty_span_holds_nothing() -> None:
    for spec in ({"cron": "* * * * *"}, {"interval": Interval(seconds=1)}, {"at": CREATED}):
        schedule = compiled(**spec)
        assert schedule.count_slots(at("2027-01-01T00:00:00"), at("2026-01-01T00:00:00")) == 0
        assert schedule.latest_slots(at("2027-01-01T00:00:00"), at("2026-01-01T00:00:00"), 5) == []


crons = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "0 9 * * 1-5", "30 2 * * *", "0 0 L * *", "* * 2 * * *", "0 0 29 2 *"]
)
specs = st.one_of(
    st.fixed_dictionaries(
        {"cron": crons, "dst": st.sampled_from(DstPolicy)},
        optional={
            "time_zone": st.sampled_from(
                ["Africa/Cairo", "Australia/Lord_Howe", "America/Nuuk", "Europe/Dublin"]
            )
        },
    ),
    st.fixed_dictionaries({"interval": st.integers(1, 10**7).map(lambda seconds: Interval(seconds=seconds))}),
)
instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=150, deadline=None)
@given(spec=specs, after=instants, within=st.floats(0, 1))
def test_asking_from_any_instant_is_iterating(spec: dict[str, Any], after: datetime, within: float) -> None:
    schedule = compiled(**spec)
    slots = schedule.slots_after(after, 6)
    assert all(earlier < later for earlier, later in zip([after, *slots], slots, strict=False))
    for earlier, later in zip([after, *slots], slots, strict=False):
        between = earlier + (later - earlier - timedelta(microseconds=1)) * within
        assert schedule.next_slot(between) == later
        assert schedule.next_slot(later - timedelta(microseconds=1)) == later


@settings(max_examples=150, deadline=None)
@given(spec=specs, after=instants, hours=st.floats(0, 72), limit=st.integers(1, 9))
def test_counting_and_the_newest_agree_with_walking(
    spec: dict[str, Any], after: datetime, hours: float, limit: int
) -> None:
    schedule, until = compiled(**spec), after + timedelta(hours=hours)
    every = schedule.latest_slots(after, until, 1_000_000)
    assert schedule.count_slots(after, until) == len(every)
    assert schedule.latest_slots(after, until, limit) == every[-limit:]
    assert schedule.slots_after(after, min(len(every), 50)) == every[:50]
    middle = after + timedelta(hours=hours / 2)
    assert schedule.count_slots(after, middle) + schedule.count_slots(middle, until) == len(every)


@pytest.mark.parametrize(
    ("instant", "is_slot", "before"),
    [
        ("2026-01-01T09:00:00Z", True, "2025-12-31T09:00:00Z"),
        ("2026-01-01T09:00:00.5Z", False, "2026-01-01T09:00:00Z"),
        ("2026-01-01T08:59:59Z", False, "2025-12-31T09:00:00Z"),
        ("2025-12-01T09:00:00Z", True, None),
        ("2025-11-30T09:00:00Z", False, None),
        ("0001-01-01T00:00:00Z", False, None),
        ("2030-01-01T00:00:00Z", False, "2026-02-01T09:00:00Z"),
        ("9999-12-31T23:59:59Z", False, None),
    ],
)
def test_whether_an_instant_is_a_slot_and_which_is_before(
    instant: str, is_slot: object, before: str | None
) -> None:
    window = {"starts_at": at("2025-12-01T00:00:00"), "ends_at": at("2026-02-01T10:00:00")}
    spec = Schedule(cron="0 9 * * *", **window)
    schedule = compile_schedule(spec, name="a/b", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    found = schedule.previous_slot(parse_instant(instant))
    assert schedule.is_slot(parse_instant(instant)) is is_slot
    assert (format_instant(found) if found else None) == before
