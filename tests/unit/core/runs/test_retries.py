"""Whether a failed run is tried again, and when: the newest Job alone tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
    read_seconds,
    read_verdicts,
)

from sundial_core.decision.decide import Decision
from sundial_core.decision.remembered import Remembered
from sundial_core.resources import names
from sundial_core.resources.specs import Retry
from sundial_core.runs.retries import find_next_attempt
from sundial_core.runs.state import build_lost_run, build_run

TWICE = {"retry": {"count": 2, "delaySeconds": 30}}
RUN = names.build_run_id(UID, at(10))
USED_UP = {names.RETRIES_USED: "2"}
DISRUPTED_OFTEN = {names.DISRUPTIONS: "3", names.RETRIES_USED: "0"}


def ended(reason: str) -> dict[str, str]:
    return {names.ENDED: reason}


@pytest.mark.parametrize(
    ("condition", "reason", "marks", "count", "expected"),
    [
        pytest.param("Complete", "", {}, 2, None, id="success"),
        pytest.param("", "", {}, 2, None, id="still active"),
        pytest.param("Failed", "BackoffLimitExceeded", {}, 2, (2, 1, 0), id="failure"),
        pytest.param("Failed", "DeadlineExceeded", {}, 2, (2, 1, 0), id="timeout"),
        pytest.param("Failed", "BackoffLimitExceeded", {}, 0, None, id="count 0"),
        pytest.param("Failed", "BackoffLimitExceeded", USED_UP, 2, None, id="count used up"),
        pytest.param("Failed", "PodFailurePolicy", {}, 2, (2, 0, 1), id="disruption is free"),
        pytest.param("Failed", "PodFailurePolicy", USED_UP, 2, (4, 2, 1), id="disruption after all retries"),
        pytest.param("Failed", "PodFailurePolicy", {}, 0, None, id="disruption with count 0"),
        pytest.param(
            "Failed", "PodFailurePolicy", DISRUPTED_OFTEN, 2, (5, 1, 3), id="fourth disruption counts"
        ),
        pytest.param(
            "Failed",
            "PodFailurePolicy",
            DISRUPTED_OFTEN | USED_UP,
            2,
            None,
            id="fourth disruption at the end",
        ),
        pytest.param("Failed", "DeadlineExceeded", ended("StartTimeout"), 2, (2, 1, 0), id="never started"),
        pytest.param("Failed", "DeadlineExceeded", ended("Replaced"), 2, None, id="replaced"),
        pytest.param("Failed", "DeadlineExceeded", ended("Cancelled"), 2, None, id="cancelled"),
        pytest.param("Failed", "DeadlineExceeded", ended("RetriesStopped"), 2, None, id="stopped"),
    ],
)
def test_what_follows_an_attempt(
    condition: str, reason: str, marks: dict[str, str], count: int, expected: tuple[int, int, int] | None
) -> None:
    before = sum(int(marks.get(name, 0)) for name in (names.RETRIES_USED, names.DISRUPTIONS))
    job = build_observed(10, condition, reason=reason, marks=marks, attempt=1 + before)
    following = find_next_attempt(job, Retry(count=count))
    found = following and (following.number, following.retries_used, following.disruptions)
    assert found == expected


def test_an_attempt_that_was_deleted_is_not_tried_again_though_a_finalizer_keeps_its_job() -> None:
    job = build_observed(10, "Failed", reason="DeadlineExceeded")
    assert find_next_attempt(job, Retry(count=2)) is not None
    assert find_next_attempt(replace(job, is_deleting=True), Retry(count=2)) is None


@pytest.mark.parametrize(
    ("condition", "due"),
    [
        pytest.param("FailureTarget+Failed", 15 + 30, id="from the end of its Pods"),
        pytest.param("FailureTarget", 15 + 300 + 30, id="from five minutes after a result on a dead node"),
    ],
)
def test_the_delay_counts(condition: str, due: float) -> None:
    following = find_next_attempt(build_observed(10, condition), Retry(count=1, delay_seconds=30))
    assert following is not None
    assert following.due_at == at(due)


@pytest.mark.parametrize(
    ("condition", "now", "reason"),
    [
        pytest.param("FailureTarget", 314, None, id="its Pods may be gone soon"),
        pytest.param("FailureTarget", 315, "PodUnreachable", id="on a dead node"),
        pytest.param("FailureTarget+Failed", 315, None, id="its Pods are gone"),
    ],
)
def test_a_run_whose_pods_are_not_known_to_be_gone_says_so(
    condition: str, now: float, reason: str | None
) -> None:
    spec = build_spec(retry={"count": 1, "delaySeconds": 3600}, schedule={"at": "2026-01-01T00:00:10Z"})
    status = look(build_scheduled_job(spec), now, (build_observed(10, condition),)).status
    assert status is not None
    assert status["active"][0].get("reason") == reason


def decide_at(now: float, memory: Remembered | None = None, **how: Any) -> Decision:
    """Decide `now` seconds after the creation about a run that failed at 15."""
    spec = build_spec(**TWICE, **how.pop("spec", {}), schedule={"at": "2026-01-01T00:00:10Z"})
    return look(build_scheduled_job(spec, **how), now, (build_observed(10, "Failed"),), memory)


def test_a_run_waits_for_its_next_attempt_and_keeps_its_place() -> None:
    decision = decide_at(20)
    assert decision.status is not None
    (entry,) = decision.status["active"]
    assert (entry["phase"], read_seconds(entry["retryAt"])) == ("Waiting", 45)
    assert (decision.retries, decision.requeue_at) == ((), at(45))
    assert "lastResult" not in decision.status
    assert read_verdicts(decision.status) == ["10 Started"]


def test_the_next_attempt_starts_when_it_is_due_and_once() -> None:
    (following,) = decide_at(45).retries
    assert (following.number, following.after.run_id) == (2, RUN)
    assert decide_at(46, Remembered(retrying=frozenset({RUN}))).retries == ()


def test_suspension_stops_further_attempts() -> None:
    first = decide_at(20)
    decision = decide_at(46, spec={"suspend": True}, status=first.status, changed=21)
    assert [(one.job.run_id, one.reason) for one in decision.endings] == [(RUN, "RetriesStopped")]
    assert decision.retries == ()
    assert read_verdicts(decision.status) == ["10 Started Failed RetriesStopped"]


def test_a_result_that_is_stored_is_final_whatever_the_retry_rule_becomes() -> None:
    job = build_observed(10, "Failed")
    once = build_spec(schedule={"at": "2026-01-01T00:00:10Z"})
    status = look(build_scheduled_job(once), 20, (job,)).status
    decision = decide_at(60, status=status)
    assert (decision.retries, decision.endings) == ((), ())
    assert read_verdicts(decision.status) == ["10 Started Failed"]


def test_the_last_failure_is_the_result() -> None:
    spec = build_spec(**TWICE, schedule={"at": "2026-01-01T00:00:10Z"})
    jobs = (
        build_observed(10, "Failed"),
        build_observed(10, "Failed", attempt=2, created=45, marks={names.RETRIES_USED: "1"}),
        build_observed(10, "Failed", attempt=3, created=80, marks=USED_UP),
    )
    decision = look(build_scheduled_job(spec), 90, jobs)
    assert read_verdicts(decision.status) == ["10 Started Failed"]
    assert decision.status is not None
    assert decision.status["consecutiveFailures"] == 1
    assert decision.status["counters"] == {"verdicts": {"started": 1}}


def test_the_newest_attempt_deleted_ends_the_run_while_older_jobs_stay() -> None:
    first = build_observed(10, "Failed")
    second = build_observed(10, attempt=2, created=45, marks={names.RETRIES_USED: "1"})
    spec = build_spec(**TWICE)
    status = look(build_scheduled_job(spec), 46, (first, second)).status
    lost = build_lost_run(build_run(second, (), at(48)), at(48))
    job = build_scheduled_job(spec, status=status)
    decision = look(job, 49, (first,), Remembered(decided_until=at(46), lost={RUN: lost}))
    assert (decision.retries, read_verdicts(decision.status)[0]) == ((), "10 Started Cancelled JobDeleted")


def test_a_restart_after_the_newest_attempt_was_deleted_reads_it_before_anything_is_concluded() -> None:
    first = build_observed(10, "Failed")
    second = build_observed(10, attempt=2, created=45, marks={names.RETRIES_USED: "1"})
    spec = build_spec(**TWICE)
    status = look(build_scheduled_job(spec), 46, (first, second)).status
    decision = look(build_scheduled_job(spec, status=status), 49, (first,))
    assert (decision.retries, [run.job_name for run in decision.missing]) == ((), [second.name])
