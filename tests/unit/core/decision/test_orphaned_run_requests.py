"""What becomes of a ScheduledJobRun whose ScheduledJob or TaskFunction is missing, going, or another one."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    MANUAL,
    RUN_UID,
    SEEN,
    STARTED,
    ask,
    build_parent,
    build_request,
    complete,
    ended,
    tell,
    tell_status,
)
from testkit.scheduled_jobs import at

from sundial_core.decision.remembered import Remembered
from sundial_core.decision.run_requests import decide_orphaned_run_requests
from sundial_core.resources.objects import ScheduledJobRun

ANOTHER = {"scheduledJobUid": "11111111-6f4b-4f0e-9d3c-0a1b2c3d4e5f"}


@pytest.mark.parametrize(
    ("status", "created", "now", "expected"),
    [
        pytest.param({}, 0, 1, "waits NotFound", id="not there yet"),
        pytest.param({}, 0, 3599, "waits NotFound", id="within the hour"),
        pytest.param({}, 0, 3600, "Skipped Failed NotFound", id="after an hour"),
        pytest.param(SEEN, 0, 1, "Skipped Failed ParentDeleted", id="seen, and gone"),
        pytest.param(STARTED, 0, 1, "Started Failed ParentDeleted", id="started, and gone"),
        pytest.param(complete(STARTED), 0, 1, "-", id="complete"),
    ],
)
def test_without_a_schedule(status: dict[str, Any], created: float, now: float, expected: str) -> None:
    request = build_request(status=status, created=created)
    assert tell_orphan(request, now) == expected


def tell_orphan(request: ScheduledJobRun, now: float, *jobs: Any) -> str:
    answers = decide_orphaned_run_requests([request], {}, jobs, at(now))
    return tell_status(answers.statuses[RUN_UID]) if answers.statuses else "-"


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        pytest.param(ended(), "Started Succeeded", id="that has ended"),
        pytest.param(MANUAL, "Started Failed ParentDeleted", id="that is active"),
    ],
)
def test_a_schedule_that_went_with_a_job(job: Any, expected: str) -> None:
    assert tell_orphan(build_request(status=STARTED), 20, job) == expected


def test_one_that_waits_for_its_schedule_is_looked_at_when_the_hour_is_over() -> None:
    assert decide_orphaned_run_requests([build_request(created=0)], {}, (), at(1)).requeue_at == at(3600)


@pytest.mark.parametrize("status", [ANOTHER, STARTED | ANOTHER])
def test_another_schedule_of_that_name_is_not_the_one(status: dict[str, Any]) -> None:
    assert tell(ask(build_request(status=status))).endswith("Failed ParentDeleted")


def test_what_was_decided_counts_before_it_is_stored() -> None:
    request = build_request()
    assert tell(ask(request, memory=Remembered(run_request_statuses={RUN_UID: STARTED}))) == "Started"
    gone = decide_orphaned_run_requests([request], {RUN_UID: STARTED}, (), at(20))
    assert tell_status(gone.statuses[RUN_UID]) == "Started Failed ParentDeleted"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(100, "waits TaskFunctionNotFound", id="may still be created"),
        pytest.param(3612, "Skipped Failed TaskFunctionNotFound", id="an hour later"),
    ],
)
def test_a_schedule_without_its_function(now: float, expected: str) -> None:
    parent = build_parent(taskFunctionRef={"name": "missing"})
    assert tell(ask(build_request(), now=now, job=parent)) == expected
