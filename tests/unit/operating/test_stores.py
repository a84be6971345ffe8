"""What the operator's stores tell of Jobs that are not what they say, and what it does after a read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from testkit.scheduled_job_runs import MANUAL, RUN_UID, build_request_item
from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_item,
    build_job_item,
    build_scheduled_job,
)

from sundial_core.decision.installation import InstallationState
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.resources import names
from sundial_core.runs.custody import Custody
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.manifests import Creator
from sundial_core.runs.state import build_run
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.inputs.stores import Stores
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.job_writes import JobWriter
from sundial_operator.outputs.run_request_statuses import RunRequestStatusWriter
from sundial_operator.outputs.write_queue import WriteQueue
from sundial_operator.reconcile.doubts import Doubts
from sundial_operator.reconcile.reconciler import Installation, Reconciler
from sundial_operator.reconcile.rivals import Rivals
from sundial_operator.settings import OperatorSettings

OTHER = "5b1f6d2e-0000-4000-8000-000000000000"
NOT_FOUND = ApiError(404, "NotFound", "not found")


class Desk:
    """The stores with a schedule and the Job of its slot at 10, and an API server that gives one answer."""

    def __init__(self, answer: dict[str, Any] | Exception | None = None) -> None:
        self.answer = answer
        self.woken: list[str] = []
        self.lost: list[ObservedJob] = []
        metrics, self.delay_queue = Metrics(), DelayQueue()
        self.observed = Stores(self.woken.append, self.lost.append, metrics)
        self.observed.schedules.put(build_item())
        self.observed.jobs.put(build_job_item(10))
        client: Any = self
        creator: Any = None
        self.writer = WriteQueue(limit=1)
        self.effects = JobWriter(client, self.writer, creator, self.observed, self.delay_queue, metrics)
        self.memory = ScheduleMemory(UID)
        self.memory.observe(build_scheduled_job(), self.jobs)
        self.woken.clear()

    @property
    def jobs(self) -> tuple[ObservedJob, ...]:
        return self.observed.jobs_of(UID)

    async def get(self, *_: object) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer

    async def read(self) -> None:
        """Read the Job uncached."""
        await self.effects._read(self.memory, "team", build_run(self.jobs[0], (), at(12)))


def change(version: int = 21, **metadata: Any) -> dict[str, Any]:
    """Give the JSON of the Job as somebody has changed it."""
    item = build_job_item(10, version=version)
    return item | {"metadata": item["metadata"] | metadata}


async def test_a_job_that_is_there_goes_into_the_store() -> None:
    desk = Desk(build_job_item(10, "Complete", version=21))
    await desk.read()
    assert desk.jobs[0].result_at == at(15)
    assert UID in desk.woken


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(NOT_FOUND, id="not there"),
        pytest.param(change(uid="another", labels={}, ownerReferences=[]), id="somebody else's"),
    ],
)
async def test_a_job_that_is_gone_leaves_the_store(answer: Any) -> None:
    desk = Desk(answer)
    await desk.read()
    assert (desk.jobs, len(desk.observed.jobs)) == ((), 0)
    assert [run.reason for run in desk.memory.lost.values()] == ["JobDeleted"]
    assert UID in desk.woken


async def test_a_job_that_the_store_does_not_take_is_not_read_again_at_once() -> None:
    desk = Desk(build_job_item(10))
    run = build_run(desk.jobs[0], (), at(12))
    desk.observed.jobs.remove(build_job_item(10))
    desk.woken.clear()
    await desk.effects._read(desk.memory, "team", run)
    assert (desk.jobs, desk.woken, QueueKey(Task.RECONCILE, UID) in desk.delay_queue) == ((), [], True)


async def test_a_read_without_an_answer_is_tried_again() -> None:
    desk = Desk(ApiUnreachable("timed out"))
    await desk.read()
    assert (len(desk.jobs), desk.memory.lost) == (1, {})
    assert QueueKey(Task.RECONCILE, UID) in desk.delay_queue


@pytest.mark.parametrize(
    ("references", "there"),
    [
        pytest.param([{"controller": True, "uid": OTHER}], 1, id="another controller"),
        pytest.param([], 0, id="none"),
    ],
)
def test_a_job_that_changes_hands_is_lost_for_the_one_before(references: list[Any], there: int) -> None:
    desk = Desk()
    desk.observed.jobs.put(change(ownerReferences=references))
    assert desk.jobs == ()
    assert len(desk.observed.jobs_of(OTHER)) == there
    assert [job.owner_uid for job in desk.lost] == [UID]
    assert UID in desk.woken


def test_a_mark_that_is_no_good_does_not_hide_the_end_of_a_job() -> None:
    desk = Desk()
    item = build_job_item(10, "Complete", version=21, marks={names.RETRIES_USED: "abc"})
    desk.observed.jobs.put(item)
    assert desk.jobs[0].result_at == at(15)
    desk.observed.jobs.put(change(22, annotations=None, labels=None))
    assert desk.jobs[0].named_for == ""


@pytest.mark.parametrize(("ns", "expected"), [("team", 1), ("elsewhere", 0)])
def test_a_pod_of_another_namespace_is_no_pod_of_a_job(ns: str, expected: int) -> None:
    desk = Desk()
    metadata = {
        "uid": "pod",
        "resourceVersion": "5",
        "namespace": ns,
        "labels": {names.SCHEDULED_JOB_UID: UID},
        "ownerReferences": [{"controller": True, "uid": desk.jobs[0].uid}],
    }
    desk.observed.pods.put({"metadata": metadata, "status": {}})
    assert len(desk.observed.pods_of(desk.jobs)[desk.jobs[0].uid]) == expected


def test_the_cap_counts_what_may_be_ours() -> None:
    desk = Desk()
    assert desk.observed.may_be_ours(desk.jobs[0])
    assert desk.observed.may_be_ours(MANUAL)
    assert not desk.observed.may_be_ours(parse_job(change(namespace="elsewhere")))
    desk.observed.schedules.remove(build_item())
    assert not desk.observed.may_be_ours(desk.jobs[0])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, 1, id="its own Job"),
        pytest.param({"name": "copy"}, 0, id="a copy"),
        pytest.param({"namespace": "elsewhere"}, 0, id="elsewhere"),
    ],
)
def test_one_whose_schedule_is_gone_is_told_by_its_own_job_only(changes: Any, expected: int) -> None:
    desk = Desk()
    item = build_job_item(None, run_id=RUN_UID, trigger="manual", created=12)
    desk.observed.jobs.put(item | {"metadata": item["metadata"] | changes})
    desk.observed.run_requests.put(build_request_item())
    client: Any = desk
    asking = RunRequestStatusWriter(client, desk.writer, DelayQueue(), desk.observed)
    (request,) = desk.observed.run_requests
    assert len(asking._list_jobs(request, UID)) == expected


def test_what_is_doubtful_is_logged_once_and_counted_as_long_as_it_is_there() -> None:
    doubts, parent = Doubts(), build_scheduled_job()
    marked = parse_job(build_job_item(10, marks={names.RETRIES_USED: "abc"}))
    found = Custody((marked,), (parse_job(change(name="copy", uid="copy")),))
    with capture_logs() as logs:
        doubts.note(parent, found)
        doubts.note(parent, found)
    events = sorted((line["event"], line["job"], line["marks"]) for line in logs)
    assert events == [
        ("a Job is not ours", "copy", ()),
        ("marks of a Job were changed", marked.name, (names.RETRIES_USED,)),
    ]
    assert len(doubts) == 2
    doubts.note(parent, Custody())
    assert len(doubts) == 0


def test_a_schedule_that_is_gone_has_no_doubtful_jobs() -> None:
    doubts, parent = Doubts(), build_scheduled_job()
    doubts.note(parent, Custody(strangers=(parse_job(change(name="copy")),)))
    doubts.forget(parent.uid)
    assert len(doubts) == 0


def test_another_installation_is_told_of_once_and_counted_while_its_jobs_are_there() -> None:
    rivals, parent = Rivals("sundial-system.sundial", at(9)), build_scheduled_job()
    job = parse_job(build_job_item(10, created=10))
    own, other = (replace(job, installation=one) for one in ("sundial-system.sundial", "other.sundial"))
    with capture_logs() as logs:
        rivals.note(parent.uid, [own])
        rivals.note(parent.uid, [replace(other, created_at=at(9))])
        assert (len(rivals), logs) == (0, [])
        rivals.note(parent.uid, [own, other])
        rivals.note("another", [other])
        assert (len(rivals), [line["installation"] for line in logs]) == (1, ["other.sundial"])
    rivals.forget("another")
    assert len(rivals) == 1
    rivals.note(parent.uid, [own])
    assert len(rivals) == 0


def test_a_status_that_cannot_be_read_is_logged_once() -> None:
    odd = build_item(status={"lastResult": "odd"})
    observed = Stores(lambda _: None, lambda _: None, Metrics())
    with capture_logs() as logs:
        for version in ("11", "12"):
            observed.schedules.put(odd | {"metadata": odd["metadata"] | {"resourceVersion": version}})
    assert [(line["event"], line["fields"]) for line in logs] == [("a status cannot be read", ["lastResult"])]


async def test_the_cap_does_not_count_what_nobody_deletes() -> None:
    nobody: Any = None
    one = Installation(
        OperatorSettings(), lambda: Creator("team.x", "one", 1), lambda: LIMITS, InstallationState
    )
    reconciler = Reconciler(nobody, WriteQueue(limit=0), Metrics(), one)
    reconciler.observed.schedules.put(build_item())
    forged = build_job_item(None, "Complete", run_id="forged", trigger="manual", created=1)
    honest = build_job_item(10, "Complete")
    for item in (forged, honest):
        reconciler.observed.jobs.put(item)
    reconciler.reconcile(UID)
    reconciler.cap._most = 0
    reconciler.cap.sweep()
    assert reconciler.cap.get_excess(UID) == {honest["metadata"]["uid"]}
