"""What computes in threads has few places and a budget, and holds up no event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest
from testkit.api_apps import serve_reads

from sundial_api.computations import AT_ONCE, Budget, Computations
from sundial_api.http.errors import HTTPProblem
from sundial_api.previews import endpoints
from sundial_clock.sentences import say
from sundial_devcluster.polling import until_async

AWAY = "postgresql://nobody:nothing@127.0.0.1:1/none"
PATIENCE = 20


class Blocked:
    """A computation that goes on until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.begun = 0

    def __call__(self, _budget: Budget) -> int:
        self.begun += 1
        assert self.may_end.wait(PATIENCE)
        return self.begun


async def test_loop_goes_on_while_something_computes() -> None:
    work = Blocked()
    task = asyncio.create_task(Computations().run(work))
    asyncio.get_running_loop().call_later(0.05, work.may_end.set)
    assert await asyncio.wait_for(task, PATIENCE) == 1


async def test_who_gets_no_place_in_time_is_told() -> None:
    work, desk = Blocked(), Computations(wait_seconds=0.05)
    running = [asyncio.create_task(desk.run(work)) for _ in range(AT_ONCE)]
    await until_async(lambda: work.begun == AT_ONCE)
    with pytest.raises(HTTPProblem) as refused:
        await desk.run(work)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    work.may_end.set()
    await asyncio.gather(*running)
    assert work.begun == AT_ONCE


async def test_place_of_somebody_who_left_is_free_when_the_thread_ends() -> None:
    work, desk = Blocked(), Computations(wait_seconds=0.05)
    running = [asyncio.create_task(desk.run(work)) for _ in range(AT_ONCE)]
    await until_async(lambda: work.begun == AT_ONCE)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    with pytest.raises(HTTPProblem):
        await desk.run(work)
    work.may_end.set()
    await until_async(lambda: not desk._places.locked())
    assert await desk.run(lambda _: 7) == 7


async def test_what_a_computation_raises_comes_back_and_frees_its_place() -> None:
    desk = Computations()
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError):
            await desk.run(lambda _: 1 // 0)


def test_budget_is_spent_by_the_clock() -> None:
    now = [100.0]
    budget = Budget(1.5, lambda: now[0])
    now[0] = 101.25
    assert not budget.is_spent
    now[0] = 101.5
    assert budget.is_spent


async def test_preview_is_computed_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        assert may_end.wait(PATIENCE)
        raise HTTPProblem(409, say("as slow as can be"))

    monkeypatch.setattr(endpoints, "preview", slow)
    async with serve_reads(AWAY) as api:
        body = {"jobTypeId": 1, "scheduleConfig": {"hours": 1}}
        answer = asyncio.create_task(api.post("/preview", json=body))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        assert (await api.post("/preview", json={"jobTypeId": 9})).status_code == 422
        may_end.set()
        assert (await answer).status_code == 409
