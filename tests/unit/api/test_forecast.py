"""What starts in the next hours? By quarter of an hour; bounded in work, time and length for any schedule."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from testkit.rows import numbered

from sundial_api.auth.visible_namespaces import Reach
from sundial_api.computations import Budget
from sundial_api.forecast import forecaster as module
from sundial_api.forecast import job_slots
from sundial_api.forecast.forecaster import Forecaster, Window
from sundial_api.forecast.repository import StoredSchedule
from sundial_api.forecast.schemas import Forecast
from sundial_api.http.errors import HTTPProblem
from sundial_clock.wallclock import DayRule

NOW = datetime(2026, 11, 1, 12, 7, tzinfo=UTC)
PLENTY = Budget(seconds=3600.0)
FULL = ",".join(map(str, range(60)))[:64].rstrip(",")
HOSTILE: list[dict[str, Any]] = [
    {"cronFields": {"week": "53", "dayOfWeek": "sun"}},
    {"cronFields": {"week": "53", "dayOfWeek": "sun", "year": "9998"}},
    {"cronFields": {"day": "1st mon,2nd tue,3rd wed,last fri,last", "week": "1,53", "second": FULL}},
    {"cron": "* * * 29 2 * 2096"},
    {"cron": "0 0 31 2 *"},
    {"cron": "* * * * * * *"},
    {"interval": {"seconds": 1}},
    {"interval": {"weeks": 5200}, "anchor": "1970-01-01T00:00:00Z"},
    {"interval": {"seconds": 1}, "anchor": "8999-01-01T00:00:00Z"},
    {"cron": "H H(0-5) * * *", "timeZone": "America/Scoresbysund", "dst": "Literal"},
    {"at": "9989-01-01T00:00:00Z"},
]


def stored(number: int, schedule: Any, **changes: Any) -> StoredSchedule:
    row: dict[str, Any] = {
        "id": numbered(number),
        "name": f"Job {number}",
        "namespace": "team",
        "resource_name": f"job-{number}",
        "etag": f"etag-{number}",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "paused_until": None,
        "schedule": json.dumps(schedule) if schedule is not None else None,
        "config": None,
        "job_type_id": 2,
        "time_zone": "UTC",
    }
    return StoredSchedule(**(row | changes))


def foresee(*jobs: StoredSchedule, hours: int = 24, own: Forecaster | None = None) -> Forecast:
    return (own or Forecaster()).describe(jobs, Window.of(NOW, hours), PLENTY)


def starts(forecast: Forecast, number: int = 1) -> dict[datetime, int]:
    """Give how many slots a job has in which quarter of an hour, by when that began."""
    job = next(job for job in forecast.jobs if job.job_id == numbered(number))
    quarter = timedelta(minutes=15)
    return {forecast.first_quarter + q.quarter * quarter: q.count for q in job.quarters}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param({"cron": "0 9 * * *"}, {at("02 09:00"): 1}, id="once a day"),
        pytest.param(
            {"cron": "0 9 * * *", "timeZone": "Africa/Cairo"}, {at("02 07:00"): 1}, id="in the job's zone"
        ),
        pytest.param({"cron": "7,8 12 * * *"}, {at("01 12:00"): 1, at("02 12:00"): 1}, id="now is no more"),
        pytest.param({"cron": "8,9,15 12 1 11 *"}, {at("01 12:00"): 2, at("01 12:15"): 1}, id="quarters"),
        pytest.param(
            {"interval": {"hours": 10}},
            {at("01 14:00"): 1, at("02 00:00"): 1, at("02 10:00"): 1},
            id="from its creation",
        ),
        pytest.param(
            {"interval": {"hours": 20}, "anchor": "2026-10-31T20:30:00Z"},
            {at("01 16:30"): 1},
            id="from its anchor",
        ),
        pytest.param({"at": "2026-11-01T20:00:00Z"}, {at("01 20:00"): 1}, id="once"),
        pytest.param(
            {"cron": "0 * * * *", "startsAt": "2026-11-02T11:00:00Z", "endsAt": "2026-11-02T11:30:00Z"},
            {at("02 11:00"): 1},
            id="within its window",
        ),
    ],
)
def test_slots_are_told_by_quarter_of_an_hour(schedule: Any, expected: dict[datetime, int]) -> None:
    forecast = foresee(stored(1, schedule))
    assert starts(forecast) == expected
    assert sum(forecast.counts) == sum(expected.values()) == forecast.jobs[0].count
    assert (forecast.first_quarter, len(forecast.counts)) == (at("01 12:00"), 97)


def test_a_clock_change_is_decided_as_the_jobs_policy_says() -> None:
    gap = {"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}
    now = datetime(2027, 3, 28, 0, 0, tzinfo=UTC)
    for policy, count in (("Once", 1), ("Literal", 0)):
        jobs = [stored(1, gap | {"dst": policy})]
        assert sum(Forecaster().describe(jobs, Window.of(now, 4), PLENTY).counts) == count, policy


def test_a_pause_that_ends_leaves_out_what_is_before() -> None:
    paused = stored(1, {"cron": "0 * * * *"}, paused_until=at("02 10:00"))
    assert starts(foresee(paused)) == {at("02 11:00"): 1, at("02 12:00"): 1}


def test_a_row_of_before_is_read_by_its_config() -> None:
    old = stored(1, None, config='{"hour": "9"}', time_zone="Africa/Cairo")
    assert starts(foresee(old)) == {at("02 07:00"): 1}


def test_jobs_that_start_all_the_time_are_told_apart() -> None:
    forecast = foresee(
        stored(1, {"cron": "* * * * *"}),
        stored(2, {"interval": {"seconds": 1}}),
        stored(3, {"cron": "*/15 * * * *"}),
    )
    assert [(job.name, job.slots_per_day) for job in forecast.constant_jobs] == [
        ("Job 1", 1440),
        ("Job 2", 86_400),
    ]
    assert [job.name for job in forecast.jobs] == ["Job 3"]
    assert sum(forecast.counts) == 96


def test_an_unusable_schedule_hurts_only_its_job() -> None:
    odd = [{"cron": "not cron"}, {}, [], 7, {"at": 5}, {"cron": "0 9 * * *", "timeZone": "Mars/Olympus"}]
    jobs = [stored(number, schedule) for number, schedule in enumerate(odd, 2)]
    forecast = foresee(stored(1, {"cron": "0 9 * * *"}), *jobs)
    assert [job.name for job in forecast.jobs] == ["Job 1"]
    assert {(job.name, job.reason) for job in forecast.unknown_jobs} == {
        (job.name, "Unusable") for job in jobs
    }
    assert forecast.is_complete is False


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Note each month that a schedule is looked at for."""
    months: list[tuple[int, int]] = []
    original = DayRule.days_in

    def note(rule: DayRule, year: int, number: int) -> list[int]:
        months.append((year, number))
        return original(rule, year, number)

    monkeypatch.setattr(DayRule, "days_in", note)
    return months


@pytest.mark.parametrize("schedule", HOSTILE, ids=json.dumps)
def test_the_work_for_any_schedule_is_bounded(schedule: Any, walked: list[tuple[int, int]]) -> None:
    slots = job_slots.find_slots(stored(1, schedule), NOW)
    assert len(walked) <= 8
    assert len(slots.instants) <= job_slots.MOST_SLOTS


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Note for which jobs slots are looked for."""
    ids: list[UUID] = []

    def note(job: StoredSchedule, since: datetime) -> job_slots.JobSlots:
        ids.append(job.id)
        return job_slots.find_slots(job, since)

    monkeypatch.setattr(module, "find_slots", note)
    return ids


def test_what_was_found_is_kept_until_the_job_is_edited(found: list[UUID]) -> None:
    own, job = Forecaster(), stored(1, {"cron": "0 9 * * *"})
    first = foresee(job, own=own)
    assert (foresee(job, own=own), len(found)) == (first, 1)
    changed = foresee(stored(1, {"cron": "0 10 * * *"}), own=own)
    assert (len(found), starts(changed)) == (2, {at("02 10:00"): 1})
    foresee(stored(1, {"cron": "0 10 * * *"}, etag="another"), own=own)
    assert len(found) == 3


def test_what_was_found_is_looked_for_again_when_its_days_have_passed(found: list[UUID]) -> None:
    own, job = Forecaster(), stored(1, {"cron": "0 9 * * *"})
    for days, times in ((0, 1), (1, 1), (1.9, 1), (2.1, 2), (1, 3)):
        own.describe([job], Window.of(NOW + timedelta(days=days), 24), PLENTY)
        assert len(found) == times, days


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch, found: list[UUID]) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    own, jobs = Forecaster(), [stored(number, {"cron": "0 9 * * *"}) for number in range(3)]
    for _ in range(2):
        foresee(*jobs, own=own)
    assert len(found) == 6


def test_what_time_did_not_suffice_for_is_told_and_found_next_time() -> None:
    own, jobs = Forecaster(), [stored(number, {"cron": "0 9 * * *"}) for number in range(3)]
    window, none = Window.of(NOW, 24), Budget(seconds=-1.0)
    nothing = own.describe(jobs, window, none)
    assert [job.reason for job in nothing.unknown_jobs] == ["TimeUp"] * 3
    assert (nothing.jobs, nothing.is_complete) == ([], False)
    own.describe(jobs[:2], window, PLENTY)
    more = own.describe(jobs, window, none)
    assert (len(more.jobs), [job.name for job in more.unknown_jobs]) == (2, ["Job 2"])


def test_lists_are_bounded_and_counts_are_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LISTED", 2)
    hourly = [stored(number, {"cron": f"{number} * * * *"}) for number in (20, 10, 30)]
    minutely = [stored(number, {"cron": "* * * * *"}) for number in range(40, 44)]
    odd = [stored(number, {}) for number in range(50, 55)]
    forecast = foresee(*hourly, *minutely, *odd, hours=1)
    assert [job.name for job in forecast.jobs] == ["Job 10", "Job 20"]
    assert (sum(forecast.counts), forecast.omitted_jobs) == (3, 1)
    assert (len(forecast.constant_jobs), forecast.omitted_constant_jobs) == (2, 2)
    assert (len(forecast.unknown_jobs), forecast.omitted_unknown_jobs) == (2, 3)


def test_jobs_that_are_listed_have_a_bounded_number_of_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUARTERS", 50)
    forecast = foresee(*(stored(number, {"cron": "0 * * * *"}) for number in range(3)))
    assert (len(forecast.jobs), forecast.omitted_jobs, sum(forecast.counts)) == (2, 1, 72)


def test_more_jobs_than_are_looked_at_make_it_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_JOBS", 2)
    jobs = [stored(number, {"cron": "0 9 * * *"}) for number in range(3)]
    assert foresee(*jobs[:2]).is_complete is True
    forecast = foresee(*jobs)
    assert (sum(forecast.counts), forecast.is_complete) == (2, False)


async def test_forecasts_take_turns_and_the_thread_of_who_left_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def find_slowly(job: StoredSchedule, since: datetime) -> job_slots.JobSlots:
        has_begun.set()
        assert may_end.wait(30)
        return job_slots.find_slots(job, since)

    monkeypatch.setattr(module, "find_slots", find_slowly)
    own, jobs, window = Forecaster(), [stored(1, {"cron": "0 9 * * *"})], Window.of(NOW, 24)
    first = asyncio.create_task(own.foresee(jobs, window, Reach()))
    await asyncio.to_thread(has_begun.wait, 30)
    first.cancel()
    await asyncio.wait([first])
    with pytest.raises(HTTPProblem, match="try again") as refused:
        await own.foresee(jobs, window, Reach())
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    may_end.set()
    assert json.loads(await own.foresee(jobs, window, Reach()))["isComplete"] is True
    found_so_far = Reach(("team",), is_complete=False)
    assert json.loads(await own.foresee(jobs, window, found_so_far))["isComplete"] is False
