"""What Jobs and Pods say about runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_job_item,
    build_observed,
)

from sundial_core.resources import names
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.runs.jobs import parse_job, parse_outcome, select_newest_attempts
from sundial_core.runs.pods import ObservedPod, parse_pod
from sundial_core.runs.start_timeouts import read_run
from sundial_core.runs.state import MAX_RELEASE_AGE, build_lost_run, build_run


def conditions(*kinds: str, **more: Any) -> dict[str, Any]:
    true = {"status": "True", "lastTransitionTime": "2026-01-01T00:00:07Z", "message": "said"} | more
    return {"conditions": [true | {"type": kind} for kind in kinds]}


@pytest.mark.parametrize(
    ("status", "phase", "is_released"),
    [
        pytest.param({}, Phase.PENDING, False, id="new"),
        pytest.param({"active": 1, "ready": 0}, Phase.PENDING, False, id="not ready"),
        pytest.param({"active": 1, "ready": 1}, Phase.RUNNING, False, id="ready"),
        pytest.param({"terminating": 1}, Phase.RUNNING, False, id="terminating"),
        pytest.param(conditions("Complete"), Phase.SUCCEEDED, True, id="Complete"),
        pytest.param(conditions("SuccessCriteriaMet"), Phase.SUCCEEDED, False, id="success, Pods not gone"),
        pytest.param(
            conditions("SuccessCriteriaMet", "Complete"), Phase.SUCCEEDED, True, id="both of success"
        ),
        pytest.param(conditions("Failed"), Phase.FAILED, True, id="Failed"),
        pytest.param(conditions("FailureTarget"), Phase.FAILED, False, id="failure, Pods not gone"),
        pytest.param(conditions("FailureTarget", "Failed"), Phase.FAILED, True, id="both of failure"),
        pytest.param(conditions("Failed", reason="DeadlineExceeded"), Phase.TIMED_OUT, True, id="deadline"),
        pytest.param(
            conditions("FailureTarget", reason="DeadlineExceeded"),
            Phase.TIMED_OUT,
            False,
            id="on a dead node",
        ),
        pytest.param(
            conditions("Failed", status="False"), Phase.PENDING, False, id="a condition that is false"
        ),
        pytest.param(conditions("Suspended"), Phase.PENDING, False, id="a condition that is no result"),
    ],
)
def test_conditions_of_a_job(status: dict[str, Any], phase: Phase, is_released: bool) -> None:  # noqa: FBT001
    outcome = parse_outcome(status, at(0))
    assert (outcome.phase, outcome.released_at is not None) == (phase, is_released)
    assert (outcome.result_at is not None) == phase.is_result


def test_a_job_is_read_from_its_marks() -> None:
    job = parse_job(build_job_item(10, created=12, attempt=2))
    assert (job.run_id, job.trigger, job.attempt) == (names.build_run_id(UID, at(10)), Trigger.SCHEDULE, 2)
    assert (job.slot, job.created_at, job.owner_uid) == (at(10), at(12), UID)
    assert (job.name, job.ns, job.resource_version) == (
        names.build_job_name("tick", job.run_id, 2),
        "team",
        20,
    )


def test_the_newest_attempt_speaks_for_its_run() -> None:
    jobs = [build_observed(10, attempt=2), build_observed(10, attempt=3), build_observed(10, attempt=1)]
    assert [job.attempt for job in select_newest_attempts([*jobs, build_observed(20)]).values()] == [3, 1]


def test_a_condition_without_a_time_counts_from_the_creation() -> None:
    outcome = parse_outcome({"conditions": [{"type": "Failed", "status": "True"}]}, at(3))
    assert (outcome.result_at, outcome.released_at) == (at(3), at(3))


@pytest.mark.parametrize(
    ("condition", "after", "holds"),
    [
        pytest.param("", 9999, True, id="active"),
        pytest.param("Complete", 0, False, id="ended"),
        pytest.param("Failed", 0, False, id="failed"),
        pytest.param("FailureTarget", 299, True, id="Pods not gone"),
        pytest.param("FailureTarget", 300, False, id="Pods not gone for five minutes"),
        pytest.param("SuccessCriteriaMet", 299, True, id="success, Pods not gone"),
    ],
)
def test_a_run_holds_its_place_until_its_pods_are_gone(condition: str, after: float, holds: bool) -> None:  # noqa: FBT001
    assert MAX_RELEASE_AGE.total_seconds() == 300
    run = build_run(build_observed(10, condition, ended=15), (), at(15 + after))
    assert run.counts_as_active is holds


def pod(started: bool = False, failure: tuple[str, str] | None = None) -> ObservedPod:  # noqa: FBT001, FBT002
    return ObservedPod("pod", 1, UID, "job", started, failure)


@pytest.mark.parametrize(
    ("condition", "pods", "phase", "reason"),
    [
        pytest.param("", [], Phase.PENDING, "", id="no Pod"),
        pytest.param("", [pod()], Phase.PENDING, "", id="a Pod that waits"),
        pytest.param("", [pod(started=True)], Phase.RUNNING, "", id="a Pod that runs"),
        pytest.param("Complete", [pod(started=True)], Phase.SUCCEEDED, "", id="success says nothing more"),
        pytest.param("Failed", [], Phase.FAILED, "BackoffLimitExceeded", id="failed, Pod gone"),
        pytest.param(
            "Failed", [pod(), pod(failure=("OOMKilled", "x"))], Phase.FAILED, "OOMKilled", id="failed"
        ),
    ],
)
def test_a_run_is_told_by_its_job_and_pods(
    condition: str, pods: list[ObservedPod], phase: Phase, reason: str
) -> None:
    why = "BackoffLimitExceeded" if condition == "Failed" else ""
    run = build_run(build_observed(10, condition, reason=why), pods, at(30))
    assert (run.phase, run.reason, run.started_at) == (phase, reason, at(10))


@pytest.mark.parametrize(
    ("condition", "phase", "completed"),
    [
        pytest.param("", Phase.CANCELLED, 30, id="without a result it was cancelled"),
        pytest.param("Complete", Phase.SUCCEEDED, 15, id="success stands"),
        pytest.param("FailureTarget", Phase.FAILED, 15, id="failure stands, and holds no place"),
    ],
)
def test_a_run_whose_job_is_gone(condition: str, phase: Phase, completed: float) -> None:
    run = build_lost_run(build_run(build_observed(10, condition), (), at(20)), at(30))
    assert (run.phase, run.completed_at, run.counts_as_active) == (phase, at(completed), False)
    assert run.reason == ("JobDeleted" if phase is Phase.CANCELLED else "")


@pytest.mark.parametrize(
    ("state", "has_started", "failure"),
    [
        pytest.param({"waiting": {"reason": "ContainerCreating"}}, False, None, id="waiting"),
        pytest.param({"running": {}}, True, None, id="running"),
        pytest.param({"terminated": {"exitCode": 0}}, True, None, id="ended well"),
        pytest.param(
            {"terminated": {"exitCode": 3}}, True, ("Error", "container main exited with code 3"), id="failed"
        ),
        pytest.param(
            {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "secret"}},
            True,
            ("OOMKilled", "container main exited with code 137 (OOMKilled)"),
            id="killed",
        ),
        pytest.param(
            {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file: x"}},
            True,
            ("StartError", "container main exited with code 128 (StartError: no such file: x)"),
            id="never ran",
        ),
    ],
)
def test_pods_are_read_without_what_they_wrote(
    state: dict[str, Any], has_started: Any, failure: tuple[str, str] | None
) -> None:
    owner = [{"controller": True, "uid": "job"}]
    labels = {names.SCHEDULED_JOB_UID: UID}
    metadata = {"uid": "pod", "resourceVersion": "3", "labels": labels, "ownerReferences": owner}
    found = parse_pod(
        {"metadata": metadata, "status": {"containerStatuses": [{"name": "main", "state": state}]}}
    )
    assert (found.has_started, found.failure) == (has_started, failure)
    assert (found.job_uid, found.owner_uid, found.resource_version) == ("job", UID, 3)


PODS: tuple[tuple[ObservedPod, ...], ...] = (
    (),
    (ObservedPod("pod", 3, UID, "job", has_started=True, failure=None),),
    (),
)


@pytest.mark.parametrize(
    ("condition", "is_kept"),
    [
        pytest.param("", True, id="active"),
        pytest.param("Complete", True, id="over"),
        pytest.param("FailureTarget", False, id="its Pods are not gone: that is not waited for for ever"),
    ],
)
def test_a_job_is_read_once_unless_time_changes_its_run(condition: str, is_kept: object) -> None:
    job = build_observed(10, condition)
    first = read_run(job, (), at(20))
    assert (read_run(job, (), at(21)) is first) is is_kept
    assert read_run(replace(job, name="other"), (), at(21)).job_name == "other"


def test_a_job_is_read_anew_with_other_pods() -> None:
    job = build_observed(10)
    assert [read_run(job, pods, at(20)).phase for pods in PODS] == ["Pending", "Running", "Pending"]
