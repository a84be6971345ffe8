"""What a preview tells: of a schedule, of a job, and of what an edit would make of a job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from sundial_api.computations import Budget
from sundial_api.http.arabic.catalogue import ARABIC
from sundial_api.http.errors import Invalids
from sundial_api.previews.schemas import PreviewRequest, PreviewResponse
from sundial_api.previews.service import preview, read_subject
from sundial_clock.sentences import Language

NOW = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC)
ENDLESS = Budget(1, lambda: 0.0)
SUNDAYS = {"week": "53", "day_of_week": "sun"}


def build_job(**schedule: Any) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": "tick", "creationTimestamp": "2026-11-01T00:07:00Z"}
    return {"metadata": metadata, "spec": {"schedule": schedule}}


def look(
    body: dict[str, Any], job: dict[str, Any] | None = None, budget: Budget = ENDLESS
) -> PreviewResponse:
    asked = PreviewRequest.model_validate(body)
    subject = read_subject(asked, job, "Africa/Cairo", NOW)
    return preview(subject, asked.count, NOW, Language.ENGLISH, budget)


def list_times(answer: PreviewResponse) -> list[str]:
    return [f"{slot.at:%H:%M:%S}" for slot in answer.slots]


def test_interval_of_a_job_runs_when_the_job_does() -> None:
    stored = build_job(interval={"minutes": 10})
    assert list_times(look({"count": 3}, stored)) == ["12:07:00", "12:17:00", "12:27:00"]


def test_interval_without_a_job_counts_from_now() -> None:
    answer = look({"jobTypeId": 1, "scheduleConfig": {"minutes": 10}, "count": 2})
    assert list_times(answer) == ["12:10:30", "12:20:30"]


def test_another_interval_keeps_the_anchor_of_its_job() -> None:
    asked = {"jobTypeId": 1, "scheduleConfig": {"minutes": 30}, "count": 2}
    assert list_times(look(asked, build_job(interval={"minutes": 10}))) == ["12:07:00", "12:37:00"]
    anchored = build_job(interval={"minutes": 10}, anchor="2026-11-01T00:03:00Z")
    assert list_times(look(asked, anchored)) == ["12:03:00", "12:33:00"]


def test_window_clock_policy_and_zone_of_a_job_hold() -> None:
    window = {"startsAt": "2027-01-01T00:00:00Z", "endsAt": "2027-01-02T00:00:00Z"}
    stored = build_job(cron="0 9 * * *", timeZone="Europe/Berlin", dst="Literal", **window)
    answer = look({"count": 5}, stored)
    assert [slot.local for slot in answer.slots] == ["2027-01-01T09:00:00+01:00"]
    assert (answer.time_zone, answer.is_complete) == ("Europe/Berlin", True)
    edited = look({"jobTypeId": 2, "scheduleConfig": {"hour": 10}, "timeZone": "Africa/Cairo"}, stored)
    assert [slot.local for slot in edited.slots] == ["2027-01-01T10:00:00+02:00"]


def test_job_without_a_zone_is_read_in_utc() -> None:
    assert look({}, build_job(cron="0 9 * * *")).time_zone == "UTC"


def test_hash_of_a_job_is_that_of_its_name() -> None:
    one = look({"count": 1}, build_job(cron="H H * * *"))
    other = look({"count": 1, "jobTypeId": 2, "scheduleConfig": {"expression": "H H * * *"}})
    assert one.slots[0].local[11:16] != other.slots[0].local[11:16]


@pytest.mark.parametrize(
    ("schedule", "is_warned"),
    [
        ({"jobTypeId": 2, "scheduleConfig": {"expression": "H h * * *"}}, True),
        ({"jobTypeId": 2, "scheduleConfig": {"expression": "0 H(1-5)/2 * * *"}}, True),
        ({"jobTypeId": 2, "scheduleConfig": {"expression": "0 9 * * THU"}}, False),
        ({"jobTypeId": 2, "scheduleConfig": {"expression": "@hourly"}}, False),
        ({"jobTypeId": 2, "scheduleConfig": {"hour": 9}}, False),
        ({"jobTypeId": 1, "scheduleConfig": {"hours": 9}}, False),
    ],
)
def test_times_that_depend_on_a_name_are_an_example(schedule: dict[str, Any], *, is_warned: bool) -> None:
    warnings = [warning for warning in look(schedule).warnings if warning.english.startswith("H stands for")]
    assert bool(warnings) is is_warned
    assert all("`H`" not in ARABIC.render(warning) for warning in warnings)
    of_job = look(schedule, build_job(cron="0 0 * * *"))
    assert not [warning for warning in of_job.warnings if warning.english.startswith("H stands for")]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, ["jobTypeId", "scheduleConfig"]),
        ({"jobTypeId": 1}, ["scheduleConfig"]),
        ({"scheduleConfig": {"hours": 1}}, ["jobTypeId"]),
    ],
    ids=str,
)
def test_what_is_needed_is_named(body: dict[str, Any], missing: list[str]) -> None:
    with pytest.raises(Invalids) as refused:
        look(body)
    assert [(error.loc, error.type) for error in refused.value.errors] == [
        (("body", name), "missing") for name in missing
    ]


def test_search_ends_with_its_budget_and_says_so() -> None:
    ticks = count()
    answer = look(
        {"jobTypeId": 2, "scheduleConfig": SUNDAYS, "count": 100}, budget=Budget(4, lambda: next(ticks))
    )
    assert (len(answer.slots), answer.is_complete) == (3, False)
    assert str(answer.warnings[0]) == "the search took too long and was ended: later slots are missing here"


def test_search_that_ended_at_once_does_not_say_that_a_job_never_runs() -> None:
    ticks = count()
    answer = look({"jobTypeId": 2, "scheduleConfig": SUNDAYS}, budget=Budget(1, lambda: next(ticks)))
    assert (answer.slots, answer.is_complete, len(answer.warnings)) == ([], False, 1)


def test_schedule_without_more_slots_is_complete() -> None:
    answer = look({"jobTypeId": 2, "scheduleConfig": {"year": 2027}, "count": 5})
    assert (len(answer.slots), answer.is_complete) == (1, True)
    assert answer.slots[0].at - NOW > timedelta(days=30)
    never = look({"jobTypeId": 2, "scheduleConfig": {"year": 2020}})
    assert never.is_complete
    assert [str(warning) for warning in never.warnings] == [
        "no slot in the next ten years: the job would never run"
    ]
