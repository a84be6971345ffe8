"""Attempts that have no result long after their deadline: looked into, and ended only if they go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_job_item,
    build_observed,
    build_spec,
    read_seconds,
    read_verdicts,
)
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_core.resources import names
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import Retry
from sundial_core.runs.early_ends import Termination, build_termination_patch
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.overdue import Overdue, list_stuck, watch
from sundial_core.runs.retries import as_waiting, find_next_attempt
from sundial_core.runs.state import OVERDUE_AFTER, build_run, compute_overdue_at

LONG = 100_000
AT_10 = {"schedule": {"at": "2026-01-01T00:00:10Z"}}


def build_started(started: float | None, timeout: Any = 300, **marks: str) -> dict[str, Any]:
    """Build the JSON of the Job of the slot at 10, whose startTime may differ from its creation."""
    item = build_job_item(10, timeout=timeout, marks=marks)
    if started is not None:
        item["status"]["startTime"] = f"2026-01-01T00:00:{started:02}Z"
    return item


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(build_started(None), 610, id="created at 10, not started"),
        pytest.param(build_started(40), 640, id="started at 40"),
        pytest.param(build_started(40, 20), 360, id="another timeout"),
        pytest.param(
            build_started(40, 1, **{names.TIMEOUT: "20"}), 360, id="the deadline it had before its end"
        ),
        pytest.param(build_started(40, 10**15), 340 + 604_800, id="never more than a week"),
        pytest.param(build_started(40, 0), 340 + 604_800, id="a deadline that is not known"),
    ],
)
def test_it_counts_from_its_start(item: dict[str, Any], expected: float) -> None:
    assert timedelta(minutes=5) == OVERDUE_AFTER
    assert compute_overdue_at(parse_job(item)) == at(expected)


@pytest.mark.parametrize(
    ("condition", "read_at", "expected"),
    [
        pytest.param("", None, (610, False), id="not looked into"),
        pytest.param("", 400, (610, False), id="looked into before it was overdue"),
        pytest.param("", 615, (915, True), id="looked into"),
        pytest.param("Failed", None, None, id="it has failed, and waits for a retry"),
        pytest.param("FailureTarget", None, None, id="its Pods are not gone"),
        pytest.param("Complete", None, None, id="it has ended"),
    ],
)
def test_what_is_watched(condition: str, read_at: float | None, expected: tuple[float, bool] | None) -> None:
    job = build_observed(10, condition)
    run = build_run(job, (), at(620))
    read = {job.run_id: at(read_at)} if read_at is not None else {}
    found = watch({run.run_id: job}, {run.run_id: run}, read, at(620))
    seconds = [(read_seconds(one.at.isoformat()), one.is_read) for one in found]
    assert seconds == ([expected] if expected else [])


def test_it_is_looked_into_when_it_is_overdue_and_no_sooner() -> None:
    job = build_observed(10)
    run = build_run(job, (), at(20))
    assert run.overdue_at == at(610)
    assert list(watch({run.run_id: job}, {run.run_id: run}, {}, at(609))) == []
    assert len(list(watch({run.run_id: job}, {run.run_id: run}, {}, at(610)))) == 1


def test_a_run_between_two_attempts_is_not_overdue() -> None:
    job = build_observed(10, "Failed")
    following = find_next_attempt(job, Retry(count=1))
    assert following is not None
    waiting = as_waiting(build_run(job, (), at(9999)), following)
    assert list(watch({job.run_id: job}, {job.run_id: waiting}, {}, at(9999))) == []


@pytest.mark.parametrize(
    ("ended", "is_read", "expected"),
    [
        pytest.param("", True, ["Overdue"], id="it goes on"),
        pytest.param("", False, [], id="nobody knows"),
        pytest.param("Overdue", True, [], id="it is ended already"),
    ],
)
def test_what_is_ended(ended: str, is_read: Any, expected: list[str]) -> None:
    job = build_observed(10, marks={names.ENDED: ended})
    found = list_stuck([Overdue(build_run(job, (), at(620)), job, at(610), is_read)])
    assert [ending.reason for ending in found] == expected


def begin(**fields: Any) -> tuple[Cluster, Process, str]:
    """Let the slot at 10 start, and hear nothing more of its Job; nobody minds that no container starts."""
    cluster = Cluster(build_spec(**AT_10 | fields), job_seconds=LONG)
    process = Process(cluster)
    process.pass_time(12)
    cluster.mark(names.START_TIMEOUT, str(LONG))
    process.look()
    process.is_deaf = True
    (name,) = cluster.jobs
    return cluster, process, name


def read(cluster: Cluster) -> list[str]:
    return read_verdicts(cluster.item["status"])


def test_one_that_has_ended_unheard_is_concluded_as_it_ended() -> None:
    cluster, process, name = begin()
    cluster.jobs[name]["plan"]["ends"] = at(20)
    process.pass_time(590)
    assert read(cluster) == ["10 Started"]
    process.pass_time(20)
    assert read(cluster) == ["10 Started Succeeded"]


def test_one_that_is_gone_unheard_was_cancelled_by_that() -> None:
    cluster, process, name = begin()
    del cluster.jobs[name]
    process.pass_time(590)
    assert cluster.item["status"]["activeCount"] == 1
    process.pass_time(20)
    assert read(cluster) == ["10 Started Cancelled JobDeleted"]
    assert cluster.item["status"]["activeCount"] == 0


def test_one_that_goes_on_is_ended_first_and_failed_is_awaited() -> None:
    cluster, process, name = begin()
    cluster.stop_seconds = 30
    process.pass_time(620)
    assert cluster.jobs[name]["metadata"]["annotations"][names.ENDED] == "Overdue"
    assert cluster.jobs[name]["metadata"]["annotations"][names.TIMEOUT] == "300"
    assert read(cluster) == ["10 Started"]
    process.pass_time(320)
    assert read(cluster) == ["10 Started TimedOut DeadlineExceeded"]
    assert cluster.made.total() == 1


def test_what_is_ended_for_its_deadline_is_tried_again() -> None:
    cluster, process, _ = begin(retry={"count": 1, "delaySeconds": 7})
    process.is_deaf = False
    process.pass_time(620)
    assert cluster.made.total() == 2
    assert list(cluster.jobs.values())[1]["spec"]["activeDeadlineSeconds"] == 300


def test_no_answer_concludes_nothing() -> None:
    cluster, process, name = begin()
    del cluster.jobs[name]
    cluster.get_mode = "lose"
    process.pass_time(700)
    assert cluster.item["status"]["activeCount"] == 1
    cluster.get_mode = "ok"
    process.look()
    process.look()
    assert cluster.item["status"]["activeCount"] == 0


@pytest.mark.parametrize(
    ("suspend", "spec"),
    [
        pytest.param(False, {"activeDeadlineSeconds": 1}, id="running"),
        pytest.param(
            True, {"activeDeadlineSeconds": 0, "suspend": False}, id="suspended: ends without a Pod"
        ),
    ],
)
def test_how_a_job_is_ended(suspend: bool, spec: dict[str, Any]) -> None:  # noqa: FBT001
    item = build_job_item(10)
    item["spec"]["suspend"] = suspend
    assert build_termination_patch(Termination(parse_job(item), Reason.OVERDUE))["spec"] == spec
