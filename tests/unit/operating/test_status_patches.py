"""When a status gets its turn: at once, after others, or again after trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    SECOND,
    UID,
    at,
    build_item,
    build_scheduled_job,
    read_seconds,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.pending_status import PendingStatus
from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_core.status.urgency import Urgency
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOBS
from sundial_kube.store import Store
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.outputs.status_patches import Pace, Source, StatusPatcher
from sundial_operator.outputs.write_queue import Priority, WriteQueue

KEY = QueueKey(Task.STATUS, UID)
WANTED = {"activeCount": 1}


@pytest.mark.parametrize(
    ("asked", "turns"),
    [
        pytest.param([0, 10], [3, 13], id="one at a time waits for what may follow"),
        pytest.param([0, 0, 0], [3, 5, 7], id="together they go one by one"),
        pytest.param([0, 0, 1], [3, 5, 7], id="the next one after those that wait"),
        pytest.param([0] * 6, [3, 5, 7, 9, 10, 10], id="none waits for longer than the longest"),
        pytest.param([0] * 6 + [9], [3, 5, 7, 9, 10, 10, 12], id="nor is held up by those that had no room"),
    ],
)
def test_turns(asked: list[int], turns: list[int]) -> None:
    pace = Pace(spacing=2 * SECOND, longest=10 * SECOND)
    given = [pace.take_turn(at(now), timedelta(seconds=3)) for now in asked]
    assert [read_seconds(format_instant(turn)) for turn in given] == turns


class Desk:
    """One ScheduledJob whose status patches the API server refuses."""

    def __init__(self) -> None:
        self.delay_queue = DelayQueue()
        self.sent: list[dict[str, Any]] = []
        self.writer, self.one = WriteQueue(limit=1), PendingStatus(UID)
        store: Store[ScheduledJob] = Store(parse_scheduled_job, lambda *_: None, lambda *_: None)
        store.put(build_item())
        source = Source(SCHEDULED_JOBS, Task.STATUS, store, lambda *_: None)
        self.statuses = StatusPatcher(self, self.writer, self.delay_queue, lambda _: None, source)  # type: ignore[arg-type]

    async def patch_status(self, *request: Any) -> dict[str, Any]:
        self.sent.append(request[-1])
        raise ApiError(503, "ServiceUnavailable", "later")

    def want(self, urgency: Urgency, version: int = 10) -> None:
        job = replace(build_scheduled_job(), resource_version=version)
        self.one.want(job, WANTED, urgency)
        self.statuses.want(self.one, urgency)

    async def send(self) -> None:
        """Take the turn, as the agenda does."""
        self.delay_queue.set(KEY, None)
        self.statuses._send_due(KEY)
        await self.writer.drain(1)


async def test_a_status_waits_in_the_lane_of_its_namespace() -> None:
    desk = Desk()
    desk.writer.submit(Priority.STATUS, "other", desk.patch_status)
    desk.want(Urgency.NOW)
    desk.statuses._send_due(KEY)
    assert desk.writer.count_waiting("team") == 1
    await desk.writer.drain(1)


async def test_a_status_whose_patch_failed_keeps_its_turn() -> None:
    desk = Desk()
    desk.want(Urgency.NOW)
    await desk.send()
    assert (KEY in desk.delay_queue, desk.one.patch_failures) == (True, 1)


async def test_after_a_patch_that_failed_and_was_not_needed_the_next_status_is_written() -> None:
    desk = Desk()
    desk.want(Urgency.NOW)
    await desk.send()
    desk.want(Urgency.NONE)
    desk.want(Urgency.SOON)
    assert KEY in desk.delay_queue


async def test_a_status_that_was_overtaken_while_it_waited_after_a_failure_gets_another_turn() -> None:
    desk = Desk()
    desk.want(Urgency.NOW)
    await desk.send()
    desk.want(Urgency.NOW, version=9)
    await desk.send()
    desk.want(Urgency.SOON)
    assert KEY in desk.delay_queue


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        pytest.param(10, [{"metadata": {"resourceVersion": "10"}, "status": WANTED}], id="of what is stored"),
        pytest.param(9, [], id="of an older version: never sent under the newer one"),
    ],
)
async def test_a_status_is_sent_under_the_version_that_it_was_computed_from(version: int, sent: Any) -> None:
    desk = Desk()
    desk.want(Urgency.NOW, version)
    await desk.send()
    assert desk.sent == sent
