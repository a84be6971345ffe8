"""The runner's exit code 78: what cannot be run is not tried again, and its run says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.mirror_facts import build_pod_item
from testkit.scheduled_jobs import (
    UID,
    at,
    build_job_item,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    read_verdicts,
)

from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.specs import Retry
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import ObservedPod, parse_pod
from sundial_core.runs.retries import find_next_attempt
from sundial_core.runs.state import build_run

AGAIN = Retry(count=3, delay_seconds=0)
PLAIN = build_observed(10, "Failed", reason="BackoffLimitExceeded", ended=15)
CALLED = replace(PLAIN, has_runner=True)
MOUNT = [{"name": "sundial-runner", "mountPath": "/sundial"}]


def pod(code: int | None) -> ObservedPod:
    said = ("Error", f"container main exited with code {code}") if code else None
    has_started = code is not None
    return ObservedPod("pod", 1, UID, PLAIN.uid, has_started, said, runner="r", runner_exit_code=code)


@pytest.mark.parametrize(
    ("job", "code", "due"),
    [
        pytest.param(CALLED, 78, None, id="what cannot be run"),
        pytest.param(CALLED, 1, 15, id="another failure, at once"),
        pytest.param(CALLED, None, 25, id="its Pod has not been seen to end"),
        pytest.param(PLAIN, None, 15, id="a container's own code"),
    ],
)
def test_whether_it_is_tried_again(job: ObservedJob, code: int | None, due: float | None) -> None:
    following = find_next_attempt(job, AGAIN, (pod(code),))
    assert (following.due_at if following else None) == (at(due) if due is not None else None)


def test_a_timeout_is_tried_again_whatever_the_code() -> None:
    job = replace(build_observed(10, "Failed", reason="DeadlineExceeded"), has_runner=True)
    assert find_next_attempt(job, AGAIN, (pod(78),)) is not None
    assert build_run(job, (pod(78),), at(30)).reason == "DeadlineExceeded"


def test_a_retry_that_waits_longer_anyway_does_not_wait_for_the_pod() -> None:
    following = find_next_attempt(CALLED, Retry(count=1, delay_seconds=60), ())
    assert following is not None
    assert following.due_at == at(75)


def see(job: ObservedJob, *pods: ObservedPod) -> Decision:
    how: dict[str, Any] = {"retry": {"count": 3, "delaySeconds": 0}}
    schedule = build_scheduled_job(build_spec(schedule={"at": "2026-01-01T00:00:10Z"}, **how))
    snapshot = Snapshot(schedule, build_plan(schedule), (job,), Remembered(), {job.uid: pods})
    return decide(snapshot, at(30), Limits(timedelta(seconds=600)))


def test_the_run_says_what_is_wrong_and_where_to_look() -> None:
    found = see(CALLED, pod(78))
    assert found.retries == ()
    assert read_verdicts(found.status) == ["10 Started Failed NotRunnable"]
    assert found.status is not None
    message = found.status["recentSlots"][0]["message"]
    assert "exited with code 78" in message
    assert message.endswith(f"kubectl logs job/{CALLED.name}")


def test_another_failure_is_followed_by_an_attempt() -> None:
    assert [following.number for following in see(CALLED, pod(1)).retries] == [2]


def build_item(**container: Any) -> dict[str, Any]:
    """Build a Pod of two containers that have ended, main with the code 78."""
    item = build_pod_item(build_job_item(10))
    item["spec"] |= {
        "volumes": [{"name": "sundial-runner", "configMap": {"name": "sundial-runner-1"}}],
        "containers": [{"name": "side"}, {"name": "main", **container}],
    }
    ends = {"side": 0, "main": 78}
    states = [{"name": n, "state": {"terminated": {"exitCode": code}}} for n, code in ends.items()]
    item["status"] = {"phase": "Failed", "containerStatuses": states}
    return item


def test_the_code_is_that_of_the_container_with_the_runner() -> None:
    seen = parse_pod(build_item(volumeMounts=MOUNT))
    assert (seen.runner, seen.runner_exit_code) == ("sundial-runner-1", 78)


def test_a_container_of_the_users_own_may_end_with_any_code() -> None:
    seen = parse_pod(build_item())
    assert (seen.runner, seen.runner_exit_code) == ("", None)


def test_one_that_has_not_ended_has_no_code() -> None:
    item = build_item(volumeMounts=MOUNT)
    item["status"]["containerStatuses"][1]["state"] = {"running": {}}
    assert parse_pod(item).runner_exit_code is None
