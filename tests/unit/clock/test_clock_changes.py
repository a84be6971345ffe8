"""What a clock change does to slots: a table a rule, the transition's timeline above it. Instants are UTC."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from sundial_clock.cron import parse_cron
from sundial_clock.schedule import compile_schedule
from sundial_clock.slot_sources import CalendarSlots
from sundial_clock.spec import CronFields, DstPolicy, Schedule

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def slots(cron: str | CronFields, zone: str, span: str, dst: DstPolicy = DstPolicy.ONCE) -> str:
    """Write the slots in a span `from..to`, both included, as day and time."""
    low, high = (datetime.fromisoformat(f"{end}Z") for end in span.split(".."))
    text, fields = (cron, None) if isinstance(cron, str) else (None, cron)
    spec = Schedule(cron=text, cron_fields=fields, time_zone=zone, dst=dst)
    schedule = compile_schedule(spec, name="team/job", created_at=LONG_AGO)
    found = schedule.latest_slots(low - timedelta(microseconds=1), high, 1000)
    assert schedule.count_slots(low - timedelta(microseconds=1), high) == len(found)
    return " ".join(f"{slot:%dT%H:%M:%S}".removesuffix(":00") for slot in found)


# Europe/Berlin, 29 March 2026: 01:59:59 +01:00 (00:59:59Z) is followed by 03:00:00 +02:00 (01:00Z).
@pytest.mark.parametrize(
    ("cron", "once", "literal"),
    [
        pytest.param(
            "30 2 * * *",
            "28T01:30 29T01:00 30T00:30",
            "28T01:30 30T00:30",
            id="a lost time, at the gap's end",
        ),
        pytest.param(
            "0 2 * * *", "28T01:00 29T01:00 30T00:00", "28T01:00 30T00:00", id="the gap's first instant"
        ),
        pytest.param(
            "59 2 * * *", "28T01:59 29T01:00 30T00:59", "28T01:59 30T00:59", id="the gap's last minute"
        ),
        pytest.param(
            "0 3 * * *",
            "28T02:00 29T01:00 30T01:00",
            "28T02:00 29T01:00 30T01:00",
            id="the gap's end is real",
        ),
        pytest.param("10,20,30 2 29 3 *", "29T01:00", "", id="several lost times give one slot"),
        pytest.param(
            "0 2,3 29 3 *", "29T01:00", "29T01:00", id="a lost time and a real one at the gap's end"
        ),
        pytest.param("30 2,3 29 3 *", "29T01:00 29T01:30", "29T01:30", id="a lost time, then a real one"),
        pytest.param(
            "30 1-3 29 3 *", "29T00:30 29T01:00 29T01:30", "29T00:30 29T01:30", id="a range is fixed"
        ),
        pytest.param("0-59 2 29 3 *", "29T01:00", "", id="a whole range of minutes is fixed"),
        pytest.param("H(10-20) 2 29 3 *", "29T01:00", "", id="H is fixed"),
        pytest.param("H/15 2 29 3 *", "", "", id="H/15 is stepped"),
        pytest.param("*/30 2 29 3 *", "", "", id="stepped minutes are lost"),
        pytest.param("0,30/10 2 29 3 *", "", "", id="a step in a list"),
        pytest.param("? 2 29 3 *", "", "", id="? is *"),
        pytest.param(
            "30 0-9/2 29 3 *",
            "28T23:30 29T02:30 29T04:30 29T06:30",
            "28T23:30 29T02:30 29T04:30 29T06:30",
            id="stepped hours are lost",
        ),
        pytest.param("30 2 28 3 *", "28T01:30", "28T01:30", id="the day before does not reach into the gap"),
        pytest.param("30 2 30 3 *", "30T00:30", "30T00:30", id="nor does the day after"),
        pytest.param("30 2 * * SUN", "29T01:00", "", id="the weekday of the lost time"),
        pytest.param("30 2 29 3 1", "29T01:00 30T00:30", "30T00:30", id="day or weekday in a gap"),
        pytest.param("15 30 2 29 3 *", "29T01:00", "", id="with seconds, still the gap's first instant"),
        pytest.param("*/10 30 2 29 3 *", "29T01:00", "", id="of the seconds in a gap only the first fires"),
        pytest.param("* 30 2 29 3 *", "29T01:00", "", id="seconds do not make it stepped"),
        pytest.param(
            "10 0 3 29 3 *", "29T01:00:10", "29T01:00:10", id="no lost time, no slot at the gap's end"
        ),
        pytest.param(
            "10 0 2,3 29 3 *", "29T01:00 29T01:00:10", "29T01:00:10", id="a lost time and a later second"
        ),
    ],
)
def test_gap(cron: str, once: str, literal: str) -> None:
    span = "2026-03-28T00:00:00..2026-03-30T12:00:00"
    assert slots(cron, "Europe/Berlin", span) == once
    assert slots(cron, "Europe/Berlin", span, DstPolicy.LITERAL) == literal


# Europe/Berlin, 25 October 2026: 02:59:59 +02:00 (00:59:59Z) is followed by 02:00:00 +01:00 (01:00Z).
@pytest.mark.parametrize(
    ("cron", "once", "literal"),
    [
        pytest.param(
            "30 2 * * *",
            "24T00:30 25T00:30 26T01:30",
            "24T00:30 25T00:30 25T01:30 26T01:30",
            id="a repeated time, the first time",
        ),
        pytest.param("0 2 25 10 *", "25T00:00", "25T00:00 25T01:00", id="the first of the repeated"),
        pytest.param("0 3 25 10 *", "25T02:00", "25T02:00", id="the end of the repeated hour comes once"),
        pytest.param(
            "0,30 2 25 10 *", "25T00:00 25T00:30", "25T00:00 25T00:30 25T01:00 25T01:30", id="a list is fixed"
        ),
        pytest.param(
            "20-22 2 25 10 *",
            "25T00:20 25T00:21 25T00:22",
            "25T00:20 25T00:21 25T00:22 25T01:20 25T01:21 25T01:22",
            id="a range is fixed",
        ),
        pytest.param(
            "*/30 2 25 10 *",
            "25T00:00 25T00:30 25T01:00 25T01:30",
            "25T00:00 25T00:30 25T01:00 25T01:30",
            id="stepped minutes fire on both passes",
        ),
        pytest.param(
            "0 0-5/2 25 10 *",
            "24T22:00 25T00:00 25T01:00 25T03:00",
            "24T22:00 25T00:00 25T01:00 25T03:00",
            id="stepped hours too",
        ),
        pytest.param(
            "*/20 30 2 25 10 *",
            "25T00:30 25T00:30:20 25T00:30:40",
            "25T00:30 25T00:30:20 25T00:30:40 25T01:30 25T01:30:20 25T01:30:40",
            id="seconds of a repeated minute, the first time",
        ),
    ],
)
def test_overlap(cron: str, once: str, literal: str) -> None:
    span = "2026-10-24T00:00:00..2026-10-26T12:00:00"
    assert slots(cron, "Europe/Berlin", span) == once
    assert slots(cron, "Europe/Berlin", span, DstPolicy.LITERAL) == literal


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(CronFields(hour=2, minute=30, day=29), "29T01:00", id="fixed"),
        pytest.param(CronFields(hour=2, day=29), "29T01:00", id="minutes left out are 0, not *"),
        pytest.param(CronFields(day=29, hour="2-3", minute="0"), "29T01:00", id="one slot at the gap's end"),
        pytest.param(CronFields(day=29, hour=2, minute="*/30"), "", id="stepped minutes"),
        pytest.param(CronFields(day=29, hour=2, second=30), "", id="minutes left out above seconds are *"),
    ],
)
def test_gap_with_fields(fields: CronFields, expected: str) -> None:
    assert slots(fields, "Europe/Berlin", "2026-03-29T00:00:00..2026-03-29T12:00:00") == expected


@pytest.mark.parametrize(
    ("zone", "cron", "span", "once", "literal"),
    [
        # Australia/Lord_Howe, 4 October 2026: 01:59:59 +10:30 (15:29:59Z on the 3rd), then 02:30 +11:00.
        pytest.param(
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T12:00:00..2026-10-04T20:00:00",
            "02T15:45 03T15:30 04T15:15",
            "02T15:45 04T15:15",
            id="half an hour lost",
        ),
        # Australia/Lord_Howe, 5 April 2026: 01:59:59 +11:00 (14:59:59Z on the 4th), then 01:30 +10:30.
        pytest.param(
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-03T12:00:00..2026-04-05T20:00:00",
            "03T14:45 04T14:45 05T15:15",
            "03T14:45 04T14:45 04T15:15 05T15:15",
            id="half an hour repeated",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "*/15 1 5 4 *",
            "2026-04-04T12:00:00..2026-04-05T20:00:00",
            "04T14:00 04T14:15 04T14:30 04T14:45 04T15:00 04T15:15",
            "04T14:00 04T14:15 04T14:30 04T14:45 04T15:00 04T15:15",
            id="half an hour repeated, stepped",
        ),
        # Africa/Cairo, 24 April 2026: 23:59:59 +02:00 on the 23rd (21:59:59Z), then 01:00 +03:00 on the 24th.
        pytest.param(
            "Africa/Cairo",
            "0 0 * * *",
            "2026-04-22T12:00:00..2026-04-25T00:00:00",
            "22T22:00 23T22:00 24T21:00",
            "22T22:00 24T21:00",
            id="Cairo's midnight",
        ),
        pytest.param(
            "Africa/Cairo",
            "0 0 * * FRI",
            "2026-04-22T12:00:00..2026-04-25T00:00:00",
            "23T22:00",
            "",
            id="Cairo's Friday midnight",
        ),
        pytest.param(
            "Africa/Cairo",
            "0 0 23 4 *",
            "2026-04-22T12:00:00..2026-04-25T00:00:00",
            "22T22:00",
            "22T22:00",
            id="Cairo's midnight of the day before",
        ),
        # Africa/Cairo, 29 October 2026: 23:59:59 +03:00 (20:59:59Z), then 23:00 +02:00 on the same day.
        pytest.param(
            "Africa/Cairo",
            "30 23 * * *",
            "2026-10-28T12:00:00..2026-10-30T23:00:00",
            "28T20:30 29T20:30 30T21:30",
            "28T20:30 29T20:30 29T21:30 30T21:30",
            id="Cairo's last hour twice",
        ),
        # America/Havana, 8 March 2026: 23:59:59 -05:00 (04:59:59Z), then 01:00 -04:00.
        pytest.param(
            "America/Havana",
            "30 0 * * *",
            "2026-03-07T00:00:00..2026-03-09T12:00:00",
            "07T05:30 08T05:00 09T04:30",
            "07T05:30 09T04:30",
            id="Havana's midnight",
        ),
        # America/Havana, 2 November 2025: 00:59:59 -04:00 (04:59:59Z), then 00:00 -05:00.
        pytest.param(
            "America/Havana",
            "0 0 * * *",
            "2025-11-01T00:00:00..2025-11-03T12:00:00",
            "01T04:00 02T04:00 03T05:00",
            "01T04:00 02T04:00 02T05:00 03T05:00",
            id="Havana's midnight twice",
        ),
        # America/Sao_Paulo, 4 November 2018: 23:59:59 -03:00 (02:59:59Z), then 01:00 -02:00.
        pytest.param(
            "America/Sao_Paulo",
            "0 0 * * *",
            "2018-11-03T00:00:00..2018-11-05T12:00:00",
            "03T03:00 04T03:00 05T02:00",
            "03T03:00 05T02:00",
            id="Sao Paulo's midnight",
        ),
        pytest.param(
            "America/Sao_Paulo",
            "30 23 * * *",
            "2018-02-17T00:00:00..2018-02-19T12:00:00",
            "17T01:30 18T01:30 19T02:30",
            "17T01:30 18T01:30 18T02:30 19T02:30",
            id="Sao Paulo's last hour twice",
        ),
        # Pacific/Apia, 2011: 29 December 23:59:59 -10:00 (30th 09:59:59Z), then 31 December 00:00 +14:00.
        pytest.param(
            "Pacific/Apia",
            "0 0 * * *",
            "2011-12-29T00:00:00..2012-01-01T00:00:00",
            "29T10:00 30T10:00 31T10:00",
            "29T10:00 30T10:00 31T10:00",
            id="Apia's lost midnight is the next one",
        ),
        pytest.param(
            "Pacific/Apia",
            "0 9 * * *",
            "2011-12-29T00:00:00..2012-01-01T00:00:00",
            "29T19:00 30T10:00 30T19:00 31T19:00",
            "29T19:00 30T19:00 31T19:00",
            id="Apia's lost morning",
        ),
        pytest.param(
            "Pacific/Apia",
            "0 9 30 12 *",
            "2011-12-29T00:00:00..2012-01-01T00:00:00",
            "30T10:00",
            "",
            id="Apia's lost date",
        ),
        pytest.param(
            "Pacific/Apia",
            "0 8,12,18 30 12 *",
            "2011-12-29T00:00:00..2012-01-01T00:00:00",
            "30T10:00",
            "",
            id="Apia's lost times give one slot",
        ),
        pytest.param(
            "Pacific/Apia",
            "0 9 * * FRI",
            "2011-12-29T00:00:00..2012-01-01T00:00:00",
            "30T10:00",
            "",
            id="Apia's lost Friday",
        ),
        pytest.param(
            "Pacific/Apia",
            "0 */12 * * *",
            "2011-12-29T00:00:00..2011-12-31T00:00:00",
            "29T10:00 29T22:00 30T10:00 30T22:00",
            "29T10:00 29T22:00 30T10:00 30T22:00",
            id="Apia, stepped",
        ),
        # Pacific/Chatham, 27 September 2026: 02:44:59 +12:45 (13:59:59Z on the 26th), then 03:45 +13:45.
        pytest.param(
            "Pacific/Chatham",
            "0 3 * * *",
            "2026-09-25T12:00:00..2026-09-27T20:00:00",
            "25T14:15 26T14:00 27T13:15",
            "25T14:15 27T13:15",
            id="Chatham at a quarter to",
        ),
        # Antarctica/Troll, 29 March 2026: 00:59:59 +00:00, then 03:00 +02:00: two hours.
        pytest.param(
            "Antarctica/Troll",
            "30 1,2 * * *",
            "2026-03-29T00:00:00..2026-03-29T12:00:00",
            "29T01:00",
            "",
            id="Troll loses two hours",
        ),
        # Antarctica/Troll, 25 October 2026: 02:59:59 +02:00 (00:59:59Z), then 01:00 +00:00.
        pytest.param(
            "Antarctica/Troll",
            "30 1,2 25 10 *",
            "2026-10-24T00:00:00..2026-10-25T12:00:00",
            "24T23:30 25T00:30",
            "24T23:30 25T00:30 25T01:30 25T02:30",
            id="Troll repeats two hours",
        ),
        # America/Nuuk, 28 March 2026: 22:59:59 -02:00 (00:59:59Z on the 29th), then 29 March 00:00 -01:00.
        pytest.param(
            "America/Nuuk",
            "30 23 28 3 *",
            "2026-03-28T00:00:00..2026-03-30T00:00:00",
            "29T01:00",
            "",
            id="a gap that ends the day",
        ),
        pytest.param(
            "America/Nuuk",
            "0 0 29 3 *",
            "2026-03-28T00:00:00..2026-03-30T00:00:00",
            "29T01:00",
            "29T01:00",
            id="the midnight after it",
        ),
        # Asia/Pyongyang, 4 May 2018: 23:29:59 +08:30 (14:59:59Z), then 5 May 00:00 +09:00.
        pytest.param(
            "Asia/Pyongyang",
            "45 23 * * *",
            "2018-05-03T00:00:00..2018-05-05T20:00:00",
            "03T15:15 04T15:00 05T14:45",
            "03T15:15 05T14:45",
            id="half an hour for ever",
        ),
        # Africa/Casablanca, Ramadan 2026: 15 February 02:59:59 +01:00 (01:59:59Z), then 02:00 +00:00.
        pytest.param(
            "Africa/Casablanca",
            "30 2 * * *",
            "2026-02-14T00:00:00..2026-02-16T12:00:00",
            "14T01:30 15T01:30 16T02:30",
            "14T01:30 15T01:30 15T02:30 16T02:30",
            id="Ramadan begins",
        ),
        # Africa/Casablanca, 22 March 2026: 01:59:59 +00:00, then 03:00 +01:00.
        pytest.param(
            "Africa/Casablanca",
            "30 2 * * *",
            "2026-03-21T00:00:00..2026-03-23T12:00:00",
            "21T02:30 22T02:00 23T01:30",
            "21T02:30 23T01:30",
            id="Ramadan ends",
        ),
        # Europe/Dublin, 29 March 2026: 00:59:59 +00:00, then 02:00 +01:00.
        pytest.param(
            "Europe/Dublin",
            "30 1 * * *",
            "2026-03-28T00:00:00..2026-03-30T12:00:00",
            "28T01:30 29T01:00 30T00:30",
            "28T01:30 30T00:30",
            id="negative saving",
        ),
        # Asia/Tehran, 22 March 2022: 23:59:59 +03:30 (20:29:59Z on the 21st), then 01:00 +04:30.
        pytest.param(
            "Asia/Tehran",
            "0 0 * * *",
            "2022-03-20T12:00:00..2022-03-22T21:00:00",
            "20T20:30 21T20:30 22T19:30",
            "20T20:30 22T19:30",
            id="Tehran's midnight",
        ),
        # America/St_Johns, 13 March 2011: 00:00:59 -03:30 (03:30:59Z), then 01:01 -02:30.
        pytest.param(
            "America/St_Johns",
            "30 0 * * *",
            "2011-03-12T00:00:00..2011-03-14T12:00:00",
            "12T04:00 13T03:31 14T03:00",
            "12T04:00 14T03:00",
            id="a minute past midnight",
        ),
        # America/Scoresbysund, 31 March 2024: from -01:00 to -02:00 and an hour of saving: no change.
        pytest.param(
            "America/Scoresbysund",
            "30 0 * * *",
            "2024-03-30T00:00:00..2024-04-01T12:00:00",
            "30T01:30 31T01:30 01T01:30",
            "30T01:30 31T01:30 01T01:30",
            id="two changes that cancel",
        ),
        # Asia/Kolkata and Asia/Kathmandu have no changes now, but odd offsets.
        pytest.param(
            "Asia/Kolkata",
            "0 9 * * *",
            "2026-03-28T00:00:00..2026-03-29T12:00:00",
            "28T03:30 29T03:30",
            "28T03:30 29T03:30",
            id="Kolkata",
        ),
        pytest.param(
            "Asia/Kathmandu",
            "0 9 * * *",
            "2026-03-28T00:00:00..2026-03-29T12:00:00",
            "28T03:15 29T03:15",
            "28T03:15 29T03:15",
            id="Kathmandu",
        ),
    ],
)
def test_zones(zone: str, cron: str, span: str, once: str, literal: str) -> None:
    assert slots(cron, zone, span) == once
    assert slots(cron, zone, span, DstPolicy.LITERAL) == literal


def rule_zone(rule: str) -> ZoneInfo:
    """Make a zone that has nothing but a POSIX rule."""
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = b"TZif2" + bytes(15) + counts + struct.pack(">lbb", 0, 0, 0) + b"AAA\0"
    return ZoneInfo.from_file(BytesIO(block + block + b"\n" + rule.encode() + b"\n"), key="test")


# No zone does it yet: 1 January 00:30 +01:00 (31 December 23:30Z) is followed by 31 December 23:30 +00:00.
@pytest.mark.parametrize(
    ("cron", "once", "literal"),
    [
        pytest.param("15 0 * * *", "31T23:15 02T00:15", "31T23:15 01T00:15 02T00:15", id="repeated"),
        pytest.param("45 0 * * *", "01T00:45 02T00:45", "01T00:45 02T00:45", id="just after"),
    ],
)
def test_repeated_across_the_turn_of_the_year(cron: str, once: str, literal: str) -> None:
    zone = rule_zone("AAA0BBB,J60/2,J1/0:30")
    low, high = (datetime.fromisoformat(text) for text in ("2026-12-31T12:00:00", "2027-01-02T12:00:00"))
    for dst, expected in ((DstPolicy.ONCE, once), (DstPolicy.LITERAL, literal)):
        source = CalendarSlots(parse_cron(cron, "team/job"), zone, dst)
        found = source.newest(low, high, 9)
        assert " ".join(f"{slot:%dT%H:%M}" for slot in found) == expected
        assert source.count(low, high) == len(found)
        assert source.first(found[0] + timedelta(seconds=1), high) == found[1]
