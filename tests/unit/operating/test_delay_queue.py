"""Keys are woken when they are due, never before, and each once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest
from testkit.scheduled_jobs import at

from sundial_operator import delay_queue
from sundial_operator.clock import read_clock
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task

LOOK_EVERY = 0.001
END = "end of this look"


def build_agenda(act: Callable[[str], None]) -> DelayQueue:
    """Build an agenda that acts on the UIDs that are to be looked at."""
    found = DelayQueue()
    found.on(Task.RECONCILE, lambda key: act(key.uid))
    return found


def name(uid: str) -> QueueKey:
    return QueueKey(Task.RECONCILE, uid)


class Clock:
    """An agenda by a wall clock that stands still until it is set, and what it woke."""

    def __init__(self) -> None:
        self.now = at(0)
        self.woken: list[str] = []
        self.delay_queue = build_agenda(self.woken.append)

    def read(self) -> datetime:
        return self.now

    async def set(self, seconds: float) -> list[str]:
        """Set the clock and tell what is woken; the last is a key that is due just then."""
        self.now = at(seconds)
        self.woken.clear()
        self.delay_queue.set(name(END), self.now)
        await until(lambda: END in self.woken)
        return self.woken[:-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited is not ours to set events in
            await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    found = Clock()
    monkeypatch.setattr(delay_queue, "read_clock", found.read)
    monkeypatch.setattr(delay_queue, "MAX_SLEEP_SECONDS", LOOK_EVERY)
    task = asyncio.create_task(found.delay_queue.run())
    yield found
    assert not task.done()
    task.cancel()


async def test_keys_are_woken_when_they_are_due_and_once(clock: Clock) -> None:
    for key, due in (("late", 20), ("soon", 10), ("same", 10)):
        clock.delay_queue.set(name(key), at(due))
    woken = [await clock.set(second) for second in (9.999, 10, 11, 30)]
    assert woken == [[], ["soon", "same"], [], ["late"]]
    assert len(clock.delay_queue) == 0


@pytest.mark.parametrize(
    ("dues", "expected"),
    [
        pytest.param([20], 20, id="set"),
        pytest.param([20, 10], 10, id="earlier"),
        pytest.param([10, 20], 20, id="later"),
        pytest.param([10, 20, 10], 10, id="back"),
        pytest.param([10, None], None, id="never"),
        pytest.param([10, None, 15], 15, id="again"),
        pytest.param([15, 15], 15, id="the same"),
        pytest.param([-5], 1, id="past"),
    ],
)
async def test_a_key_is_due_when_it_was_set_to_last(
    clock: Clock, dues: list[float | None], expected: float | None
) -> None:
    for due in dues:
        clock.delay_queue.set(name("key"), None if due is None else at(due))
    woken = [second for second in range(1, 40) if await clock.set(second) == ["key"]]
    assert woken == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(None, 10, 10, id="new"),
        pytest.param(10, 20, 10, id="not later"),
        pytest.param(20, 10, 10, id="earlier"),
    ],
)
async def test_a_key_is_only_advanced(
    clock: Clock, first: float | None, second: float, expected: float
) -> None:
    if first is not None:
        clock.delay_queue.set(name("key"), at(first))
    clock.delay_queue.advance(name("key"), at(second))
    assert [now for now in range(1, 40) if await clock.set(now) == ["key"]] == [expected]


async def test_a_clock_that_steps_back_wakes_again_in_its_time(clock: Clock) -> None:
    await clock.set(30)
    clock.delay_queue.set(name("key"), at(40))
    assert [await clock.set(second) for second in (5, 39, 40)] == [[], [], ["key"]]


async def test_what_is_woken_may_set_keys(clock: Clock) -> None:
    def enqueue(_: str) -> None:
        woken.append(len(woken))
        if len(woken) < 3:
            found.set(name("key"), at(len(woken)))

    woken: list[int] = []
    found = build_agenda(enqueue)
    found.set(name("key"), at(0))
    clock.now = at(10)
    task = asyncio.create_task(found.run())
    await until(lambda: len(woken) == 3)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_by_the_real_clock_nothing_is_woken_early() -> None:
    late_by: list[timedelta] = []
    dues = {str(n): read_clock() + timedelta(milliseconds=n) for n in (30, 10, 20)}
    found = build_agenda(lambda n: late_by.append(read_clock() - dues[n]))
    task = asyncio.create_task(found.run())
    for n, due in dues.items():
        found.set(name(n), due)
    await until(lambda: len(late_by) == 3)
    task.cancel()
    assert min(late_by) >= timedelta(0)


async def test_entries_that_were_replaced_do_not_pile_up() -> None:
    delay_queue = DelayQueue()
    for number in range(10_000):
        delay_queue.set(name("far"), at(1e8 + number % 2))
    delay_queue.set(name("near"), at(1))
    assert (len(delay_queue), delay_queue._heap[0][2], len(delay_queue._heap) < 2000) == (
        2,
        name("near"),
        True,
    )


async def test_each_task_has_its_action(clock: Clock) -> None:
    created: list[QueueKey] = []
    clock.delay_queue.on(Task.CREATE, created.append)
    clock.delay_queue.set(QueueKey(Task.CREATE, "uid", "run"), at(5))
    assert (await clock.set(5), created) == ([], [QueueKey(Task.CREATE, "uid", "run")])
