"""scheduleConfig into spec.schedule and back: nothing is lost, and what cannot be used is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sundial_api.http.schedule_config import (
    ConfigError,
    JobType,
    check_schedule,
    is_same_config,
    parse_schedule_config,
    show_schedule_config,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH_WAYS = [
    pytest.param(JobType.INTERVAL, {"hours": 1, "minutes": 0, "seconds": 0}, "Every hour", id="form"),
    pytest.param(JobType.INTERVAL, {"weeks": 1, "days": 2}, "Every 1 week and 2 days", id="weeks"),
    pytest.param(
        JobType.INTERVAL,
        {"minutes": 5, "anchor": "2026-01-01T00:02:00Z"},
        "Every 5 minutes from 2026-01-01 00:02:00 UTC",
        id="anchor",
    ),
    pytest.param(JobType.CRON, {"hour": "9"}, "At 09:00, every day (UTC)", id="hour as text"),
    pytest.param(
        JobType.CRON, {"day_of_week": "mon-fri", "hour": 9}, "At 09:00, Monday to Friday (UTC)", id="weekday"
    ),
    pytest.param(
        JobType.CRON, {"day": "1"}, "At 00:00, on the 1st of the month (UTC)", id="first of the month"
    ),
    pytest.param(
        JobType.CRON, {"expression": "0 9 * * 1-5"}, "At 09:00, Monday to Friday (UTC)", id="expression"
    ),
    pytest.param(JobType.ONCE, {"at": "2026-12-01T08:00:00Z"}, "Once at 2026-12-01 08:00:00 UTC", id="once"),
]
REFUSED = [
    pytest.param(1, {}, "", "the period is zero", id="empty interval"),
    pytest.param(1, {"hours": None}, "", "the period is zero", id="null is absent"),
    pytest.param(1, {"hours": 0, "minutes": 0}, "", "the period is zero", id="zero"),
    pytest.param(1, {"hours": -1}, "hours", "write a whole number from 0", id="negative"),
    pytest.param(1, {"hours": 1.5}, "hours", "write a whole number from 0", id="fraction"),
    pytest.param(1, {"hours": True}, "hours", "write a whole number from 0", id="boolean"),
    pytest.param(1, {"hour": 1}, "hour", "does not belong to an interval", id="field of cron"),
    pytest.param(1, {"hours": 10**11}, "", "longer than the calendar", id="too long"),
    pytest.param(2, {}, "", "set at least one field", id="empty cron"),
    pytest.param(2, {"hour": "25"}, "hour", "write 0 to 23", id="hour out of range"),
    pytest.param(2, {"dayOfWeek": "xx"}, "day_of_week", "something like mon-fri", id="unknown weekday"),
    pytest.param(2, {"hour": 9.5}, "hour", "write a number or a text", id="fraction of an hour"),
    pytest.param(2, {"hour": True}, "hour", "write a number or a text", id="true as an hour"),
    pytest.param(2, {"hour": [1]}, "hour", "write a number or a text", id="list"),
    pytest.param(2, {"expression": "0 25 * * *"}, "expression", "write 0 to 23", id="expression"),
    pytest.param(2, {"expression": 5}, "expression", "is not a text", id="expression not text"),
    pytest.param(2, {"expression": "0 9 * * *", "hour": 9}, "hour", "does not belong", id="both dialects"),
    pytest.param(3, {}, "at", "set the instant", id="no instant"),
    pytest.param(3, {"at": "tomorrow"}, "at", "such as 2026-12-01T08:00:00Z", id="no date"),
    pytest.param(4, {}, "", "there is no such job type", id="unknown type"),
]


def read(job_type: int, config: dict[str, Any], zone: str = "UTC") -> str:
    schedule = parse_schedule_config(job_type, config) | {"timeZone": zone}
    return check_schedule(schedule, "team/job", NOW).text


@pytest.mark.parametrize(("job_type", "config", "text"), BOTH_WAYS)
def test_config_survives_both_ways_and_means_what_it_says(
    job_type: JobType, config: dict[str, Any], text: str
) -> None:
    assert show_schedule_config(parse_schedule_config(job_type, config)) == (job_type, config)
    assert read(job_type, config) == text


@pytest.mark.parametrize(("job_type", "config", "field", "message"), REFUSED)
def test_unusable_config_names_its_field(
    job_type: int, config: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(job_type, config)
    assert caught.value.field == field


@pytest.mark.parametrize("hours", ["2", 2.0, "2.0"], ids=repr)
def test_whole_number_in_any_form_is_one_in_an_interval(hours: Any) -> None:
    assert json.dumps(parse_schedule_config(1, {"hours": hours})) == '{"interval": {"hours": 2}}'


def test_fraction_of_zero_is_none_in_a_cron_field_and_text_stays_text() -> None:
    read_back = parse_schedule_config(2, {"hour": 9.0, "minute": "5"})
    assert json.dumps(read_back) == '{"cronFields": {"hour": 9, "minute": "5"}}'


def test_unknown_zone_is_named() -> None:
    with pytest.raises(ConfigError, match="IANA") as caught:
        read(1, {"hours": 1}, zone="Mars")
    assert caught.value.field == "timeZone"


@pytest.mark.parametrize("schedule", [{}, {"interval": 5}, {"cronFields": "x"}, {"moon": "full"}], ids=str)
def test_schedule_of_an_unknown_kind_is_not_shown(schedule: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="none of the kinds"):
        show_schedule_config(schedule)


SAME = [
    pytest.param(1, {"hours": 1, "minutes": 0, "seconds": 0}, {"hours": 1}, id="zero periods"),
    pytest.param(1, {"hours": 1}, {"hours": 1, "minutes": 0}, id="zero periods in the object"),
    pytest.param(1, {"hours": "1"}, {"hours": 1}, id="digits"),
    pytest.param(1, {"hours": 1, "days": None}, {"hours": 1}, id="null"),
    pytest.param(1, {"hours": 1}, {"hours": 1, "anchor": "2026-01-01T00:00:00Z"}, id="anchor is kept"),
    pytest.param(
        1,
        {"hours": 1, "anchor": "2026-01-01T00:00:00.000Z"},
        {"hours": 1, "anchor": "2026-01-01T02:00:00+02:00"},
        id="same anchor",
    ),
    pytest.param(2, {"hour": "9"}, {"hour": 9}, id="cron digits"),
    pytest.param(2, {"hour": 9.0}, {"hour": "9"}, id="cron fraction of zero"),
    pytest.param(2, {"dayOfWeek": "mon"}, {"day_of_week": "mon"}, id="either case"),
    pytest.param(3, {"at": "2026-12-01T08:00:00.000Z"}, {"at": "2026-12-01T08:00:00Z"}, id="same instant"),
]
DIFFERENT = [
    pytest.param(1, {"hours": True}, {"hours": 1}, id="true"),
    pytest.param(1, {"minutes": 60}, {"hours": 1}, id="another form of a period"),
    pytest.param(1, {"hours": 1, "odd": 0}, {"hours": 1}, id="a key that is not known"),
    pytest.param(
        1,
        {"hours": 1, "anchor": "2026-01-02T00:00:00Z"},
        {"hours": 1, "anchor": "2026-01-01T00:00:00Z"},
        id="anchor",
    ),
    pytest.param(2, {"hour": False}, {"hour": 0}, id="false"),
    pytest.param(2, {"hour": "9", "minute": 0}, {"hour": "9"}, id="a zero of cron"),
    pytest.param(2, {"expression": "@daily"}, {"expression": "@hourly"}, id="expression"),
    pytest.param(3, {"at": 5}, {"at": "2026-12-01T08:00:00Z"}, id="no text"),
]


@pytest.mark.parametrize(("job_type", "wanted", "shown"), SAME)
def test_config_that_says_the_same(job_type: int, wanted: dict[str, Any], shown: dict[str, Any]) -> None:
    assert is_same_config(job_type, wanted, shown)


@pytest.mark.parametrize(("job_type", "wanted", "shown"), DIFFERENT)
def test_config_that_says_something_else(
    job_type: int, wanted: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert not is_same_config(job_type, wanted, shown)
