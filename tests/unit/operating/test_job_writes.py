"""What becomes of writes that fail or are refused, and of those whose owner is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_item,
    build_job_item,
    build_plan,
    build_scheduled_job,
    look,
)

from sundial_core.decision.decide import Decision
from sundial_core.decision.job_creation import CreateOutcome, Postponed
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.resources import names
from sundial_core.resources.reasons import Reason
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.state import build_run
from sundial_kube.errors import ApiError
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.inputs.stores import Stores
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.job_writes import MAX_QUICK_READS, JobWriter
from sundial_operator.outputs.lanes import Reply
from sundial_operator.outputs.write_queue import WriteQueue

RUN = names.build_run_id(UID, at(10))
KEY = QueueKey(Task.CREATE, UID, RUN)


class Desk:
    """A schedule whose slot is being created, by a creator that fails unless it has a reply."""

    def __init__(self, item: dict[str, Any] | None, reply: Reply | None = None) -> None:
        self.creates = 0
        self.enqueued: list[str] = []
        self.found: dict[str, Any] = {}
        self.reply = reply
        self.refusal: Exception | None = None
        self.delay_queue = DelayQueue()
        self.writer, metrics = WriteQueue(limit=1), Metrics()
        observed = Stores(self.enqueued.append, lambda _: None, metrics)
        if item is not None:
            observed.schedules.put(item)
        itself: Any = self
        self.effects = JobWriter(itself, self.writer, itself, observed, self.delay_queue, metrics)
        self.memory = ScheduleMemory(UID)
        job = build_scheduled_job()
        self.memory.adopt_plan((1, "", 0), build_plan(job))
        self.memory.remember(job, look(job, 10), at(10))

    async def get(self, *_: object) -> dict[str, Any]:
        return self.found

    async def patch(self, *_: object) -> dict[str, Any]:
        assert self.refusal is not None
        raise self.refusal

    async def create(self, *_: object) -> tuple[CreateOutcome, Reply]:
        self.creates += 1
        if self.reply is None:
            raise KeyError("metadata")
        return Postponed(1), self.reply

    async def start(self) -> None:
        self.effects._start(self.memory, RUN)
        await self.writer.drain(1)


async def test_a_create_that_fails_in_an_unforeseen_way_is_tried_again() -> None:
    desk = Desk(build_item())
    await desk.start()
    assert (desk.creates, KEY in desk.delay_queue) == (1, True)


@pytest.mark.parametrize(("reply", "slow"), [(Reply.UNANSWERED, 1), (Reply.ANSWERED, 0)])
async def test_the_writer_is_told_whether_a_create_was_answered(reply: Reply, slow: int) -> None:
    desk = Desk(build_item(), reply)
    await desk.start()
    assert (desk.writer.slow_namespaces, KEY in desk.delay_queue) == (slow, True)


@pytest.mark.parametrize(
    ("status", "seconds"), [pytest.param(409, 1, id="changed meanwhile"), pytest.param(500, 10, id="trouble")]
)
async def test_an_end_that_was_refused_is_asked_for_again(status: int, seconds: int) -> None:
    desk = Desk(build_item())
    desk.refusal = ApiError(status, "Refused", "not now")
    ending = Termination(parse_job(build_job_item(10)), Reason.REPLACED)
    desk.memory.ending.add(ending.job.uid)
    before = read_clock()
    await desk.effects._end(desk.memory, ending)
    due = desk.delay_queue._due[QueueKey(Task.RECONCILE, UID)]
    assert before <= due - timedelta(seconds=seconds) <= read_clock()
    assert desk.memory.ending == set()


async def test_creates_wait_in_the_lane_of_their_namespace() -> None:
    desk = Desk(build_item())
    for _ in range(2):
        desk.effects._start(desk.memory, RUN)
    assert (desk.writer.count_waiting("team"), len(desk.writer)) == (1, 2)
    await desk.writer.drain(1)


@pytest.mark.parametrize("item", [None, "deleting"])
async def test_nothing_is_created_for_a_schedule_that_is_gone(item: str | None) -> None:
    deleting = build_item()
    deleting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    desk = Desk(deleting if item else None)
    await desk.start()
    assert (desk.creates, KEY in desk.delay_queue) == (0, False)


@pytest.mark.parametrize("is_told_later", [True, False])
async def test_a_status_that_is_due_stays_due_while_starts_are_told_later(is_told_later: Any) -> None:
    desk, key = Desk(build_item()), QueueKey(Task.STATUS, UID)
    desk.delay_queue.set(key, at(10))
    desk.effects.apply(desk.memory, build_scheduled_job(), Decision(is_told_later=is_told_later))
    assert (key in desk.delay_queue) is is_told_later


@pytest.mark.parametrize(
    ("times", "at_once"), [(1, True), (MAX_QUICK_READS, True), (MAX_QUICK_READS + 1, False)]
)
async def test_a_job_that_is_read_again_and_again_for_nothing_is_read_at_leisure(
    times: int, at_once: Any
) -> None:
    desk = Desk(build_item())
    desk.found = item = build_job_item(10)
    desk.memory.observe(build_scheduled_job(), ())
    desk.memory.times_read[RUN] = times
    desk.enqueued.clear()
    await desk.effects._read(desk.memory, "team", build_run(parse_job(item), (), at(11)))
    desk.enqueued.remove(UID)  # that the Job was put into the store
    assert (UID in desk.enqueued, QueueKey(Task.RECONCILE, UID) in desk.delay_queue) == (at_once, not at_once)
