"""Whether an attempt starts in time, and what is said when it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_job_item,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.resources.plans import Plan, Problem
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.pods import ObservedPod, parse_pod
from sundial_core.runs.start_timeouts import (
    describe_wait,
    explain_refusal,
    explain_wait,
    find_silent,
    with_start_failure,
)
from sundial_core.runs.state import build_run, compute_start_timeout

PULL = ("ErrImagePull", "no such image")


def pod(wait: tuple[str, str] | None = None, *, started: bool = False) -> ObservedPod:
    return ObservedPod("pod", 1, UID, "job", started, None, wait)


def see(now: float, job: ObservedJob, *pods: ObservedPod) -> Decision:
    """Look at a schedule that has one Job, with these Pods."""
    schedule = build_scheduled_job(build_spec(schedule={"at": "2026-01-01T00:00:10Z"}))
    snapshot = Snapshot(schedule, build_plan(schedule), (job,), Remembered(), {job.uid: pods})
    return decide(snapshot, at(now), Limits(timedelta(seconds=600)))


@pytest.mark.parametrize(
    ("suspend", "started", "now", "is_late"),
    [
        pytest.param(False, None, 251, True, id="never started"),
        pytest.param(False, 10, 251, True, id="started when it was created"),
        pytest.param(True, None, 9_999, False, id="suspended"),
        pytest.param(False, 200, 251, False, id="resumed a moment ago"),
        pytest.param(False, 200, 441, True, id="resumed long ago"),
    ],
)
def test_a_suspended_job_need_not_start(
    suspend: bool,  # noqa: FBT001
    started: float | None,
    now: float,
    is_late: bool,  # noqa: FBT001
) -> None:
    item = build_job_item(10)
    item["spec"] = item["spec"] | {"suspend": suspend, "activeDeadlineSeconds": 300}
    item["status"] = {"startTime": format_instant(at(started))} if started is not None else {}
    endings = see(now, parse_job(item), pod()).endings
    assert bool(endings) is is_late


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        pytest.param(1, 1, id="never none"),
        pytest.param(5, 4, id="80 %"),
        pytest.param(300, 240, id="80 % of the default"),
        pytest.param(749, 599, id="just under ten minutes"),
        pytest.param(86400, 600, id="ten minutes"),
    ],
)
def test_the_default_is_the_smaller_of_ten_minutes_and_80_percent(timeout: int, expected: int) -> None:
    assert compute_start_timeout(timeout) == expected


def test_a_job_known_by_the_answer_to_its_create_only_is_not_late() -> None:
    answer = build_job_item(10)
    del answer["spec"]
    assert see(400, parse_job(answer)).endings == ()
    assert len(see(400, parse_job(build_job_item(10))).endings) == 1


LIMIT = {names.START_TIMEOUT: "30"}


@pytest.mark.parametrize(
    ("job", "pods", "now", "expected"),
    [
        pytest.param(build_observed(10), [pod(PULL)], 249.9, None, id="there is time"),
        pytest.param(build_observed(10), [pod(PULL)], 250, "ErrImagePull: no such image", id="over"),
        pytest.param(build_observed(10, timeout=50), [pod()], 50, "no container started in time", id="80 %"),
        pytest.param(build_observed(10, marks=LIMIT), [pod(PULL)], 39.9, None, id="as asked for, before"),
        pytest.param(build_observed(10, marks=LIMIT), [pod(("Unschedulable", ""))], 40, "Unschedulable"),
        pytest.param(build_observed(10), [], 250, "", id="no Pod: its events have to tell"),
        pytest.param(build_observed(10), [pod(started=True)], 999, None, id="it has started"),
        pytest.param(build_observed(10, ready=True), [], 999, None, id="it is ready"),
        pytest.param(build_observed(10, "Failed"), [pod(PULL)], 999, None, id="it has ended"),
        pytest.param(
            build_observed(10, marks={names.ENDED: "StartTimeout"}), [pod(PULL)], 999, None, id="is ending"
        ),
    ],
)
def test_an_attempt_that_has_not_started_in_time_is_ended(
    job: ObservedJob, pods: list[ObservedPod], now: float, expected: str | None
) -> None:
    found = [(one.reason, one.message) for one in see(now, job, *pods).endings]
    assert found == ([] if expected is None else [("StartTimeout", expected)])


def test_it_is_looked_at_again_when_its_time_is_over() -> None:
    assert see(20, build_observed(10), pod(PULL)).requeue_at == at(250)
    assert see(20, build_observed(10), pod(started=True)).requeue_at == at(610)


def test_an_attempt_that_did_not_start_is_tried_again() -> None:
    marks = {names.ENDED: "StartTimeout", names.TIMEOUT: "300"}
    job = build_observed(10, "Failed", reason="DeadlineExceeded", marks=marks, ended=15)
    spec = build_spec(schedule={"at": "2026-01-01T00:00:10Z"}, retry={"count": 1, "delaySeconds": 30})
    assert [one.number for one in look(build_scheduled_job(spec), 45, (job,)).retries] == [2]
    last = look(build_scheduled_job(build_spec(schedule=spec["schedule"])), 45, (job,))
    assert read_verdicts(last.status) == ["10 Started Failed StartFailed"]


@pytest.mark.parametrize(
    ("status", "pods", "expected"),
    [
        pytest.param({"failed": 1}, [pod(PULL)], ("StartFailed", "ErrImagePull: no such image"), id="never"),
        pytest.param({"failed": 1}, [pod()], ("StartFailed", "no container started in time"), id="no word"),
        pytest.param({}, [], ("StartFailed", "no container started in time"), id="there was no Pod"),
        pytest.param({"failed": 1}, [], ("DeadlineExceeded", ""), id="nobody knows its Pod any more"),
        pytest.param({"failed": 1}, [pod(started=True)], ("DeadlineExceeded", ""), id="it had started"),
    ],
)
def test_a_deadline_that_passes_before_the_start(
    status: dict[str, int], pods: list[ObservedPod], expected: tuple[str, str]
) -> None:
    job = build_observed(10, "Failed", reason="DeadlineExceeded", counts=status)
    run = with_start_failure(build_run(job, pods, at(400)), job, tuple(pods))
    assert (run.reason, run.message) == expected


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}


def unscheduled(status: str) -> dict[str, Any]:
    return {"type": "PodScheduled", "status": status, "reason": "Unschedulable", "message": "no room"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"conditions": [unscheduled("False")]}, ("Unschedulable", "no room"), id="no node"),
        pytest.param({"conditions": [unscheduled("True")]}, None, id="it has a node"),
        pytest.param(
            {"containerStatuses": [waiting("ContainerCreating")]}, ("ContainerCreating", ""), id="creating"
        ),
        pytest.param(
            {"containerStatuses": [waiting("PodInitializing"), waiting(*PULL)]}, PULL, id="one of two"
        ),
        pytest.param(
            {
                "initContainerStatuses": [waiting("ImagePullBackOff", "Back-off")],
                "containerStatuses": [waiting("PodInitializing")],
            },
            ("ImagePullBackOff", "Back-off"),
            id="an init container",
        ),
        pytest.param(
            {"containerStatuses": [waiting("ErrImagePull", "x" * 999)]},
            ("ErrImagePull", "x" * 297 + "..."),
            id="a long message",
        ),
    ],
)
def test_what_a_pod_waits_for(status: dict[str, Any], expected: tuple[str, str] | None) -> None:
    metadata = {
        "uid": "pod",
        "resourceVersion": "3",
        "labels": {names.SCHEDULED_JOB_UID: UID},
        "ownerReferences": [{"controller": True, "uid": "job"}],
    }
    assert parse_pod({"metadata": metadata, "status": status}).wait == expected


def test_of_several_pods_one_that_says_why_speaks() -> None:
    assert describe_wait((pod(), pod(PULL))) == "ErrImagePull: no such image"


def event(reason: str, when: str | None, message: str) -> dict[str, Any]:
    return {"reason": reason, "lastTimestamp": when, "message": message}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "no container started in time", id="no events"),
        pytest.param(
            [event("SuccessfulCreate", "2026-01-01T00:00:10Z", "Created pod")],
            "no container started in time",
            id="nothing was refused",
        ),
        pytest.param(
            [
                event("FailedCreate", "2026-01-01T00:00:12Z", "exceeded quota: pods"),
                event("FailedCreate", "2026-01-01T00:00:11Z", "older"),
                event("FailedCreate", None, "without a time"),
            ],
            "FailedCreate: exceeded quota: pods",
            id="the newest refusal",
        ),
    ],
)
def test_events_say_why_there_is_no_pod(events: list[dict[str, Any]], expected: str) -> None:
    assert explain_refusal(events) == expected


@pytest.mark.parametrize(("seconds", "is_fine"), [(49, True), (50, False)])
def test_the_start_timeout_is_less_than_the_timeout(seconds: int, is_fine: Any) -> None:
    plan = build_plan(build_scheduled_job(build_spec(timeoutSeconds=50, startTimeoutSeconds=seconds)))
    assert isinstance(plan, Plan if is_fine else Problem)


def test_a_job_carries_its_start_timeout() -> None:
    spec = build_spec(startTimeoutSeconds=7)
    (attempt,) = look(build_scheduled_job(spec), 10).starts
    assert attempt.start_timeout_seconds == 7


SILENT = ObservedPod("pod", 1, UID, "job", False, None, ("ContainerCreating", ""), ns="team")


@pytest.mark.parametrize(
    ("pods", "is_found"),
    [
        pytest.param((pod(PULL), SILENT), True, id="creating"),
        pytest.param((pod(("PodInitializing", "")),), True, id="initializing"),
        pytest.param((pod(PULL),), False, id="it says why itself"),
        pytest.param((pod(),), False, id="nothing said"),
        pytest.param((), False, id="no Pod"),
    ],
)
def test_a_pod_that_says_only_that_it_begins_is_silent(pods: tuple[ObservedPod, ...], is_found: bool) -> None:  # noqa: FBT001
    assert (find_silent(pods) is not None) is is_found


def warn(message: str, seen: str = "2026-01-01T00:00:20Z", **fields: str) -> dict[str, Any]:
    return {"type": "Warning", "reason": "FailedMount", "message": message, "lastTimestamp": seen} | fields


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "", id="none"),
        pytest.param([warn("Pulling image", type="Normal")], "", id="no warning"),
        pytest.param([warn('secret "x" not found')], 'FailedMount: secret "x" not found', id="a secret"),
        pytest.param(
            [warn("new", "2026-01-01T00:00:30Z"), warn("old")], "FailedMount: new", id="the newest warning"
        ),
        pytest.param([warn("password=s3cret")], "FailedMount: password=[redacted]", id="what looks secret"),
    ],
)
def test_what_a_silent_pod_waits_for_is_its_newest_warning(events: list[Any], expected: str) -> None:
    assert explain_wait(SILENT, events) == expected


def test_a_runner_that_is_missing_is_told_with_what_to_do() -> None:
    event = warn('MountVolume.SetUp failed for volume "x" : configmap "sundial-runner-0123456789" not found')
    told = explain_wait(SILENT, [event])
    assert told.startswith("the ConfigMap sundial-runner-0123456789, which has the runner, is missing")
    assert told.endswith("`sundial-operator runner-manifest -n team` prints")
