"""How long a ScheduledJobRun is kept, what its status says, and what its ScheduledJob shows of it."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    MANUAL,
    RUN_UID,
    RUNNING,
    SEEN,
    STARTED,
    ask,
    build_parent,
    build_request,
    build_run_marks,
    complete,
    ended,
    follow,
    name_job,
    tell,
    tell_status,
)
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    read_condition,
)

from sundial_clock.instants import format_instant
from sundial_core.resources.statuses import ScheduledJobRunStatus

QUEUE = {"concurrency": {"policy": "Queue"}}


@pytest.mark.parametrize(
    ("spec", "how", "now", "expected"),
    [
        pytest.param({}, {}, 9999, "-", id="no ttl"),
        pytest.param({"ttlSecondsAfterFinished": 60}, {}, 79, "-", id="not yet"),
        pytest.param({"ttlSecondsAfterFinished": 60}, {}, 80, "deleted", id="its time has come"),
        pytest.param({"ttlSecondsAfterFinished": 0}, {}, 20, "deleted", id="at once"),
        pytest.param(
            {"ttlSecondsAfterFinished": 0},
            {"annotations": {"argocd.argoproj.io/tracking-id": "x"}},
            9999,
            "-",
            id="kept for Argo CD",
        ),
        pytest.param({"ttlSecondsAfterFinished": 0}, {"is_deleting": True}, 99, "-", id="being deleted"),
        pytest.param({"ttlSecondsAfterFinished": 0}, {"status": SEEN}, 99, "starts", id="not over"),
    ],
)
def test_time_to_live(spec: dict[str, Any], how: dict[str, Any], now: float, expected: str) -> None:
    request = build_request(spec, **({"status": complete(STARTED, 20)} | how))
    assert tell(ask(request, now=now)) == expected


def test_the_end_of_its_time_is_looked_at() -> None:
    request = build_request({"ttlSecondsAfterFinished": 60}, status=complete(STARTED, 20))
    assert ask(request, now=30).requeue_at == at(80)


def test_the_status_says_what_became_of_it() -> None:
    request = build_request()
    started = follow(request, ask(request, now=13, jobs=(MANUAL,)))
    assert started.status["startedAt"] == format_instant(at(12))
    status = follow(started, ask(started, now=20, jobs=(ended(),))).status
    assert (status["runId"], status["jobName"], status["scheduledJobUid"]) == (RUN_UID, name_job(), UID)
    assert (read_condition(status, "Started"), read_condition(status, "Complete")) == (
        ("True", "Started"),
        ("True", "Succeeded"),
    )
    assert (status["startedAt"], status["completedAt"]) == (format_instant(at(12)), format_instant(at(18)))
    ScheduledJobRunStatus.model_validate(status)


def test_a_refusal_is_complete_and_never_started() -> None:
    status = ask(build_request(), jobs=(RUNNING,)).run_requests.statuses[RUN_UID]
    assert read_condition(status, "Started") == ("False", "AlreadyActive")
    assert read_condition(status, "Complete") == ("True", "AlreadyActive")
    assert ("runId" in status, status["completedAt"]) == (False, format_instant(at(13)))


@pytest.mark.parametrize(
    ("jobs", "parent"),
    [
        pytest.param((MANUAL,), {}, id="started"),
        pytest.param((RUNNING,), QUEUE, id="waiting for a place"),
        pytest.param((), {"taskFunctionRef": {"name": "missing"}}, id="waiting for a function"),
    ],
)
def test_nothing_is_said_twice(jobs: Any, parent: dict[str, Any]) -> None:
    request, job = build_request(), build_parent(**parent)
    first = follow(request, ask(request, jobs=jobs, job=job))
    assert tell(ask(first, now=15, jobs=jobs, job=job)) == "-"


def test_a_retry_names_the_newest_job_and_keeps_the_first_start() -> None:
    parent = build_parent(retry={"count": 1, "delaySeconds": 60})
    request = build_request(status=STARTED)
    between = follow(request, ask(request, now=20, jobs=(ended("Failed"),), job=parent))
    assert tell_status(between.status) == "Started"
    second = build_observed(None, **build_run_marks(attempt=2, created=80))
    status = ask(between, now=81, jobs=(ended("Failed"), second), job=parent).run_requests.statuses[RUN_UID]
    assert (status["jobName"], status["startedAt"]) == (name_job(2), format_instant(at(12)))


def test_a_suspended_schedule_retries_what_a_person_asked_for() -> None:
    parent = build_parent(suspend=True, retry={"count": 1, "delaySeconds": 0})
    decision = ask(build_request(status=STARTED), now=20, jobs=(ended("Failed"),), job=parent)
    assert [one.number for one in decision.retries] == [2]


@pytest.mark.parametrize(
    ("status", "is_shown", "expected"),
    [
        pytest.param(complete(STARTED), True, 1, id="both have its end"),
        pytest.param(STARTED, True, 0, id="its own status does not"),
        pytest.param(complete(STARTED), False, 0, id="the schedule's does not"),
    ],
)
def test_its_jobs_stay_until_its_end_is_stored(status: dict[str, Any], is_shown: Any, expected: int) -> None:
    entry = {"runId": RUN_UID, "verdict": "Started", "trigger": "manual", "startedAt": format_instant(at(12))}
    stored = {
        "cursor": format_instant(at(0)),
        "recentSlots": [entry | {"result": "Succeeded"}] if is_shown else [],
    }
    parent = build_parent(status=stored, history={"successful": 0}, suspend=True)
    decision = ask(build_request(status=status), now=2000, jobs=(ended(),), job=parent)
    assert len(decision.deletes.jobs) == expected


def test_the_jobs_of_one_that_was_deleted_go_like_others() -> None:
    entry = {"runId": RUN_UID, "verdict": "Started", "trigger": "manual", "startedAt": format_instant(at(12))}
    stored = {"cursor": format_instant(at(0)), "recentSlots": [entry | {"result": "Succeeded"}]}
    parent = build_parent(status=stored, history={"successful": 0}, suspend=True)
    assert len(ask(now=2000, jobs=(ended(),), job=parent).deletes.jobs) == 1


def test_the_schedule_shows_it_but_no_slot() -> None:
    decision = ask(build_request(status=STARTED), now=20, jobs=(ended(),))
    assert decision.status is not None
    (entry,) = decision.status["recentSlots"]
    assert (entry["trigger"], entry["runId"], entry["result"]) == ("manual", RUN_UID, "Succeeded")
    assert (decision.status["lastResult"], decision.status["lastRunTime"]) == (
        "Succeeded",
        format_instant(at(12)),
    )
    assert decision.status["cursor"] == format_instant(at(0))
    assert "counters" not in decision.status
    assert "lastScheduleTime" not in decision.status


def test_what_was_shown_is_not_counted_again() -> None:
    first = ask(now=20, jobs=(ended("Failed"),)).status
    again = ask(now=30, jobs=(ended("Failed"),), job=build_parent(status=first)).status
    assert (first or {})["consecutiveFailures"] == (again or {})["consecutiveFailures"] == 1


def test_its_entry_stays_as_long_as_its_jobs() -> None:
    def slots(count: int) -> list[dict[str, Any]]:
        said = {"verdict": "Missed", "reason": "TooLate"}
        return [said | {"slot": format_instant(at(600 * n))} for n in range(count, 0, -1)]

    shown = (ask(now=20, jobs=(ended(),)).status or {})["recentSlots"]
    stored = {
        "cursor": format_instant(at(18_000)),
        "effectiveFrom": format_instant(at(0)),
        "recentSlots": [*slots(30), *shown],
    }
    for jobs, expected in (((ended(),), 1), ((), 0)):
        status = ask(now=18_001, jobs=jobs, job=build_parent(status=stored)).status or {}
        assert sum("runId" in entry for entry in status["recentSlots"]) == expected


def test_a_manual_run_does_not_hide_missed_slots() -> None:
    job = build_observed(None, **build_run_marks(created=700))
    status = ask(now=701, jobs=(job,), job=build_parent(status=ask(now=700).status)).status
    assert read_condition(status, "MissedRuns") == ("True", "SlotsMissed")
