"""Schedules in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_clock.schedule import compile_schedule
from sundial_clock.spec import CronFields, Interval, Schedule

CREATED = datetime.fromisoformat("2026-01-01T00:00:00Z")


def text(**spec: Any) -> str:
    return compile_schedule(Schedule(**spec), name="team/job", created_at=CREATED).text


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/7 * * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ("7/15 * * * *", "Every 15 minutes from minute 7"),
        ("0 * * * *", "Every hour"),
        ("30 * * * *", "At minute 30 of every hour"),
        ("15,45 * * * *", "Every 30 minutes from minute 15"),
        ("0 */2 * * *", "Every 2 hours"),
        ("0 */5 * * *", "At 00:00, 05:00, 10:00, 15:00 and 20:00, every day"),
        ("30 */2 * * *", "At minute 30 of hours 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 22"),
        ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:59, Monday to Friday"),
        ("0 9 * * *", "At 09:00, every day"),
        ("0 9,12,18 * * *", "At 09:00, 12:00 and 18:00, every day"),
        ("0 9 * * 1-5", "At 09:00, Monday to Friday"),
        ("0 9 * * MON,WED,FRI", "At 09:00, Monday, Wednesday and Friday"),
        ("0 9 * * 0,6", "At 09:00, Saturday and Sunday"),
        ("0 9 1 * *", "At 09:00, on the 1st of the month"),
        ("0 9 1,15 * *", "At 09:00, on the 1st and the 15th of the month"),
        ("0 9 1-7 * *", "At 09:00, on the 1st to 7th of the month"),
        ("0 9 */10 * *", "At 09:00, on the 1st, the 11th, the 21st and the 31st of the month"),
        ("0 9 L * *", "At 09:00, on the last day of the month"),
        ("0 9 LW * *", "At 09:00, on the last working day (Monday to Friday) of the month"),
        ("0 9 15W * *", "At 09:00, on the working day (Monday to Friday) nearest the 15th of the month"),
        ("0 9 * * 5#3", "At 09:00, on the third Friday of the month"),
        ("0 9 * * L5", "At 09:00, on the last Friday of the month"),
        ("0 0 13 * 5", "At 00:00, on the 13th of the month or on Friday"),
        ("0 0 1 1 *", "At 00:00, on the 1st of the month, in January"),
        ("0 0 1 */3 *", "At 00:00, on the 1st of the month, in January, April, July and October"),
        ("0 0 1 JAN-MAR *", "At 00:00, on the 1st of the month, in January to March"),
        ("0 0 29 2 *", "At 00:00, on the 29th of the month, in February"),
        ("0 0 30 2 *", "At 00:00, on the 30th of the month, in February"),
        ("*/10 * * * * *", "Every 10 seconds"),
        ("* * * * * *", "Every second"),
        ("15,45 * * * * *", "Every 30 seconds from second 15"),
        ("30 0 9 * * *", "At 09:00:30, every day"),
        ("* * 9 * * *", "Every second from 09:00 to 09:59"),
        ("*/10 30 9 * * *", "At 09:30:00, 09:30:10, 09:30:20, 09:30:30, 09:30:40 and 09:30:50, every day"),
        ("0 0 0 1 1 * 2027-2029", "At 00:00, on the 1st of the month, in January, in 2027 to 2029"),
        ("@hourly", "Every hour"),
        ("@daily", "At 00:00, every day"),
        ("@weekly", "At 00:00, Sunday"),
        ("@monthly", "At 00:00, on the 1st of the month"),
        ("@yearly", "At 00:00, on the 1st of the month, in January"),
        ("H * * * *", "At minute 52 of every hour"),
        ("H H * * *", "At 08:52, every day"),
        ("H/15 * * * *", "Every 15 minutes from minute 7"),
        ("0-29 * * * *", "At minutes 0 to 29 of every hour"),
        ("0,1,2,5 9 * * *", "At 09:00, 09:01, 09:02 and 09:05, every day"),
        ("5 9-17 * * *", "Every hour from 09:05 to 17:05"),
        ("0 9-17 * * *", "Every hour from 09:00 to 17:00"),
        ("0 8-18/2 * * *", "At 08:00, 10:00, 12:00, 14:00, 16:00 and 18:00, every day"),
        ("*/20 */3 * * *", "Every 20 minutes of hours 0, 3, 6, 9, 12, 15, 18 and 21"),
        ("0 0 * 6 *", "At 00:00, in June"),
        ("* * 1 1 *", "Every minute, on the 1st of the month, in January"),
        ("0 9 1 * 1", "At 09:00, on the 1st of the month or on Monday"),
        ("0 22-23 * * *", "At 22:00 and 23:00, every day"),
        ("5,35 9,17,19,20 * * *", "Every 30 minutes from minute 5 of hours 9, 17, 19 and 20"),
        ("1-50/7 * * * *", "At minutes 1, 8, 15, 22, 29, 36, 43 and 50 of every hour"),
        (
            "0 0 2-20/3 * *",
            "At 00:00, on the 2nd, the 5th, the 8th, the 11th, the 14th, the 17th and the 20th of the month",
        ),
    ],
)
def test_cron(cron: str, expected: str) -> None:
    assert text(cron=cron) == f"{expected} (UTC)"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hour": 9, "day_of_week": "mon-fri"}, "At 09:00, Monday to Friday"),
        ({"day": 13, "day_of_week": "fri"}, "At 00:00, on the 13th of the month, but only on Friday"),
        ({"week": 10}, "At 00:00, in ISO week 10"),
        ({"week": "*/2", "day_of_week": "mon"}, "At 00:00, Monday, in ISO weeks 1 to 53 in steps of 2"),
        ({"day": "1st mon,last"}, "At 00:00, on the first Monday of the month and the last day of the month"),
        ({"second": "*/10"}, "Every 10 seconds"),
        ({"hour": 8, "second": 30}, "At second 30 from 08:00 to 08:59"),
        ({"second": 5, "minute": "*/15"}, "At second 5 of minutes 0, 15, 30 and 45 of every hour"),
        ({"year": "2030-2032"}, "At 00:00, on the 1st of the month, in January, in 2030 to 2032"),
    ],
)
def test_fields(fields: dict[str, Any], expected: str) -> None:
    assert text(cron_fields=CronFields(**fields)) == f"{expected} (UTC)"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"cron": "0 9 * * 1-5", "time_zone": "Africa/Cairo"}, "At 09:00, Monday to Friday (Africa/Cairo)"),
        ({"interval": Interval(seconds=10)}, "Every 10 seconds"),
        ({"interval": Interval(hours=1)}, "Every hour"),
        ({"interval": Interval(days=1, hours=2)}, "Every 1 day and 2 hours"),
        (
            {"interval": Interval(minutes=90), "anchor": CREATED},
            "Every 90 minutes from 2026-01-01 00:00:00 UTC",
        ),
        ({"at": datetime.fromisoformat("2026-12-01T10:00:00+02:00")}, "Once at 2026-12-01 08:00:00 UTC"),
        ({"at": datetime.fromisoformat("2026-12-01T08:00:00.5Z")}, "Once at 2026-12-01 08:00:00.500000 UTC"),
        ({"cron": "@hourly", "starts_at": CREATED}, "Every hour (UTC), from 2026-01-01 00:00:00 UTC"),
        ({"cron": "@hourly", "ends_at": CREATED}, "Every hour (UTC), until 2026-01-01 00:00:00 UTC"),
    ],
)
def test_zone_interval_and_window(spec: dict[str, Any], expected: str) -> None:
    assert text(**spec) == expected


def part(low: int, high: int, *named: str) -> st.SearchStrategy[str]:
    values = st.lists(st.integers(low, high), min_size=1, max_size=9, unique=True)
    listed = values.map(lambda found: ",".join(map(str, found)))
    return st.one_of(
        st.just("*"), listed, st.integers(1, 30).map("*/{}".format), st.sampled_from(["*", *named])
    )


crons = st.tuples(
    part(0, 59),
    part(0, 59, "H/7"),
    part(0, 23, "9-17"),
    part(1, 31, "LW", ",".join(f"{day}W" for day in range(1, 16))),
    part(1, 12, "JAN-MAR"),
    part(0, 7, "5#3", ",".join(f"L{day}" for day in range(7))),
    part(1970, 2099),
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(cron=crons.filter(lambda cron: len(cron) <= 256))
def test_words_are_always_there_and_never_too_many(cron: str) -> None:
    words = text(cron=cron, time_zone="America/Argentina/ComodRivadavia", starts_at=CREATED, ends_at=CREATED)
    assert words.startswith(("At ", "Every "))
    assert len(words) <= 512
    assert words.isprintable()
