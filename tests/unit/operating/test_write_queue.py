"""What begins when: starts have places of their own, and namespaces that hang delay no others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from sundial_kube.client import CONNECTIONS
from sundial_operator.outputs.lanes import Reply
from sundial_operator.outputs.write_queue import MAX_TIMES, Priority, WriteQueue
from sundial_operator.settings import OperatorSettings

LIMIT = 16


class Desk:
    """A writer whose actions end when they are let; the loop's clock stands still until it is set."""

    def __init__(self) -> None:
        self.writer = WriteQueue(LIMIT)
        self.seconds = 0.0
        self.under_way: list[tuple[Priority, str, asyncio.Future[Reply | None]]] = []

    async def submit(self, priority: Priority, ns: str, times: int = 1) -> None:
        for _ in range(times):
            self.writer.submit(priority, ns, lambda: self._write(priority, ns))
        await settle()

    async def _write(self, priority: Priority, ns: str) -> Reply | None:
        entry = (priority, ns, asyncio.get_running_loop().create_future())
        self.under_way.append(entry)
        try:
            return await entry[2]
        finally:
            self.under_way.remove(entry)

    async def end(self, ns: str, outcome: Reply | Exception | None = None) -> None:
        """End the oldest write of a namespace."""
        future = next(future for _, one, future in self.under_way if one == ns)
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
        await settle()

    async def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        await settle()

    async def close(self) -> None:
        await self.writer.drain(0)
        for _, _, future in self.under_way:
            future.set_result(None)
        await settle()

    def count(self, *priorities: Priority) -> dict[str, int]:
        return dict(Counter(ns for priority, ns, _ in self.under_way if priority in priorities))


async def settle() -> None:
    """Let everything run that is ready."""
    for _ in range(6):
        await asyncio.sleep(0)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A writer whose loop has a clock of its own."""
    desk, loop = Desk(), asyncio.get_running_loop()
    began = loop.time()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: began + desk.seconds)
        yield desk
    await desk.close()


@pytest.mark.parametrize(
    ("submitted", "waits"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([Priority.START], False, id="the only start is under way"),
        pytest.param([Priority.START, Priority.START], True, id="one more than there is room for"),
        pytest.param([Priority.START, Priority.STATUS], False, id="only a status waits"),
        pytest.param([Priority.START, Priority.STATUS, Priority.START], True, id="a start before a status"),
    ],
)
async def test_starts_that_wait(desk: Desk, submitted: list[Priority], waits: object) -> None:
    desk.writer = WriteQueue(limit=1)
    for priority in submitted:
        await desk.submit(priority, "team")
    assert desk.writer.has_starts_waiting is waits


async def test_what_only_waits_behind_slow_creates_does_not_slow_decisions(desk: Desk) -> None:
    await desk.submit(Priority.START, "slow", 80)
    assert desk.writer.has_starts_waiting
    await desk.pass_time(1.1)
    assert not desk.writer.has_starts_waiting
    assert (desk.writer.slow_namespaces, desk.writer.longest_start_wait) == (1, pytest.approx(1.1))


async def test_starts_that_hang_leave_all_other_writes_their_places(desk: Desk) -> None:
    await desk.submit(Priority.START, "slow", 80)
    await desk.submit(Priority.STATUS, "slow", 9)
    assert desk.count(Priority.START) == {"slow": LIMIT}
    assert desk.count(Priority.STATUS) == {"slow": LIMIT // 8}


async def test_other_writes_that_hang_leave_starts_their_places(desk: Desk) -> None:
    for priority in (Priority.STATUS, Priority.DELETE, Priority.EVENT):
        await desk.submit(priority, "slow", 20)
    await desk.submit(Priority.START, "slow", 20)
    assert desk.count(Priority.START) == {"slow": LIMIT}
    assert desk.count(Priority.STATUS, Priority.EVENT) == {"slow": LIMIT // 8}
    assert desk.count(Priority.DELETE) == {"slow": LIMIT // 4}


async def test_deletes_do_not_wait_for_statuses_that_never_end(desk: Desk) -> None:
    await desk.submit(Priority.STATUS, "team", 80)
    await desk.submit(Priority.DELETE, "team", 80)
    assert desk.count(Priority.DELETE) == {"team": LIMIT // 4}


async def test_statuses_go_before_events(desk: Desk) -> None:
    desk.writer = WriteQueue(limit=1)
    await desk.submit(Priority.STATUS, "first")
    for priority in (Priority.EVENT, Priority.STATUS):
        await desk.submit(priority, priority.name)
    begun = []
    while desk.under_way:
        begun.append(desk.under_way[0][1])
        await desk.end(begun[-1])
    assert begun == ["first", "STATUS", "EVENT"]


async def test_a_namespace_whose_writes_hang_delays_another_one_by_a_moment(desk: Desk) -> None:
    for priority in (Priority.START, Priority.STATUS):
        await desk.submit(priority, "slow", 80)
        await desk.submit(priority, "fast", 2)
    assert "fast" not in desk.count(*Priority)
    await desk.pass_time(0.3)
    assert desk.count(Priority.START)["fast"] == desk.count(Priority.STATUS)["fast"] == 1


@pytest.mark.parametrize(
    ("seconds", "outcome", "count"),
    [
        pytest.param(0.1, None, LIMIT - 1, id="answered in time"),
        pytest.param(1.1, None, 1, id="answered late"),
        pytest.param(0.1, Reply.UNANSWERED, 1, id="not answered"),
        pytest.param(0.1, Reply.UNSENT, LIMIT - 1, id="not sent"),
        pytest.param(0.1, KeyError("unforeseen"), LIMIT - 1, id="failed in an unforeseen way"),
    ],
)
async def test_the_answer_tells_whether_a_namespace_is_slow(
    desk: Desk, seconds: float, outcome: Reply | Exception | None, count: int
) -> None:
    await desk.submit(Priority.START, "one")
    await desk.pass_time(seconds)
    await desk.end("one", outcome)
    await desk.submit(Priority.START, "other")
    await desk.submit(Priority.START, "one", 80)
    assert desk.count(Priority.START) == {"one": count, "other": 1}


async def test_all_that_is_under_way_is_bounded(desk: Desk) -> None:
    for number in range(200):
        await desk.submit(Priority.START, f"slow-{number}")
        await desk.submit(Priority.STATUS, f"slow-{number}")
        await desk.submit(Priority.DELETE, f"slow-{number}")
    for _ in range(100):
        await desk.pass_time(0.3)
    assert len(desk.under_way) == (2 * MAX_TIMES + 1) * LIMIT


def test_there_are_more_connections_than_writes_under_way() -> None:
    setting = OperatorSettings.model_json_schema()["properties"]["concurrent_writes"]
    assert (2 * MAX_TIMES + 1) * setting["maximum"] < CONNECTIONS


async def test_a_drained_writer_has_dropped_what_had_not_begun(desk: Desk) -> None:
    await desk.submit(Priority.START, "one", 80)
    await desk.submit(Priority.STATUS, "one", 80)
    await desk.submit(Priority.DELETE, "one", 80)
    drain = asyncio.create_task(desk.writer.drain(10))
    for _ in range(LIMIT + LIMIT // 8 + LIMIT // 4):
        await desk.end("one")
    await drain
    assert len(desk.writer) == 0


@pytest.mark.parametrize(("limit", "statuses", "deletes"), [(1, 1, 1), (6, 1, 1), (12, 1, 3), (16, 2, 4)])
async def test_statuses_have_an_eighth_and_deletes_a_quarter(
    desk: Desk, limit: int, statuses: int, deletes: int
) -> None:
    desk.writer = WriteQueue(limit)
    await desk.submit(Priority.STATUS, "team", 9)
    await desk.submit(Priority.DELETE, "team", 9)
    assert desk.count(Priority.STATUS) == {"team": statuses}
    assert desk.count(Priority.DELETE) == {"team": deletes}
    assert desk.writer.count_waiting("team") == 18 - statuses - deletes


async def test_a_write_that_is_cancelled_gives_its_place_back(desk: Desk) -> None:
    desk.writer = WriteQueue(limit=1)
    await desk.submit(Priority.START, "one")
    await desk.submit(Priority.START, "other")
    desk.under_way[0][2].cancel()
    await settle()
    assert desk.count(Priority.START) == {"other": 1}


async def test_nothing_is_kept_of_a_write_that_has_ended(desk: Desk) -> None:
    await desk.submit(Priority.START, "one")
    await desk.end("one")
    assert vars(desk.writer)["_running"] == set()
