"""When a schedule is looked at again although nothing has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
    read_condition,
    read_seconds,
)

from sundial_clock.instants import format_instant

FAR = {"cron": "0 0 0 1 1 * 2037,2057"}
"""Slots of which each is more than ten years after what comes before it."""

MONTH = 30 * 86400
END_OF_TIME = "9999-12-31T23:59:59.999999Z"
RUNNING = build_observed(10)
ENDLESS_QUEUE = {
    "schedule": {"interval": {"seconds": 10}, "endsAt": END_OF_TIME},
    "concurrency": {"policy": "Queue"},
}


def compute_requeue(now: float, *jobs: Any, paused: str | None = None, **fields: Any) -> float | None:
    """Look at a schedule, and again after its status was stored; both must say the same."""
    spec = build_spec(**fields)
    first = look(build_scheduled_job(spec, paused=paused), now, jobs)
    again = look(build_scheduled_job(spec, paused=paused, status=first.status), now, jobs)
    return read_seconds(format_instant(again.requeue_at)) if again.requeue_at else None


@pytest.mark.parametrize(
    ("now", "jobs", "fields", "expected"),
    [
        pytest.param(3, (), {}, 10, id="the next slot"),
        pytest.param(10, (), {}, 20, id="never the slot that was just decided"),
        pytest.param(3, (), {"suspend": True}, None, id="suspended"),
        pytest.param(3, (), {"paused": "true"}, None, id="paused"),
        pytest.param(3, (), {"paused": "rubbish"}, None, id="paused by rubbish"),
        pytest.param(3, (), {"paused": "2026-01-01T00:00:33Z"}, 33, id="the end of a pause"),
        pytest.param(3, (), {"paused": "2026-01-01T00:00:02Z"}, 10, id="a pause that is over"),
        pytest.param(3, (), {"template": None}, None, id="a spec that is no good"),
        pytest.param(3, (), {"schedule": {"at": "2026-01-01T00:00:02Z"}}, None, id="no more slots"),
        pytest.param(3, (), {"schedule": FAR}, 3 + MONTH, id="no slot in ten years, but later"),
        pytest.param(3, (), {"schedule": {"at": "2037-01-01T00:00:00Z"}}, 3 + MONTH, id="one instant, later"),
        pytest.param(3, (), {"schedule": FAR, "suspend": True}, None, id="later, suspended"),
        pytest.param(3, (), {"schedule": FAR | {"endsAt": "2026-01-01T00:00:03Z"}}, None, id="past its end"),
        pytest.param(3, (), {"paused": END_OF_TIME}, None, id="paused to the end of the calendar"),
        pytest.param(21, (RUNNING,), ENDLESS_QUEUE, 30, id="a slot waits, to the end of the calendar"),
    ],
)
def test_time_alone_wakes(
    now: float, jobs: tuple[Any, ...], fields: dict[str, Any], expected: float | None
) -> None:
    assert compute_requeue(now, *jobs, **fields) == expected


def test_a_run_that_does_not_release_its_place_wakes_after_five_minutes() -> None:
    at_30 = {"schedule": {"at": "2026-01-01T00:00:30Z"}}
    assert compute_requeue(36, build_observed(30, "FailureTarget", ended=35), **at_30) == 335


def test_a_job_that_may_go_later_wakes() -> None:
    at_30 = {"schedule": {"at": "2026-01-01T00:00:30Z"}, "history": {"successful": 0}}
    assert compute_requeue(36, build_observed(30, "Complete", ended=35), **at_30) == 635


def test_a_slot_more_than_ten_years_ahead_is_seen_in_time_and_starts() -> None:
    job, now = build_scheduled_job(build_spec(schedule=FAR)), 3.0
    seen = []
    while not (decision := look(job, now)).starts:
        seen.append(read_condition(decision.status, "Ready"))
        job = replace(job, status=decision.status or {})
        assert decision.requeue_at is not None
        now = (decision.requeue_at - at(0)).total_seconds()
    assert [attempt.slot for attempt in decision.starts] == [datetime(2037, 1, 1, tzinfo=UTC)]
    assert list(dict.fromkeys(seen)) == [("False", "NeverFires"), ("True", "Scheduled")]
