"""Where a caller may list: found by few reviews at once, believed for a minute, told when it is not all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from sundial_api.auth import visible_namespaces as visible
from sundial_api.auth.breaker import PAUSE_SECONDS
from sundial_api.auth.kept_answers import OUTAGE_SECONDS
from sundial_api.auth.visible_namespaces import (
    BELIEVED_SECONDS,
    MAX_AT_ONCE,
    MAX_IN_ALL,
    REFRESH_SECONDS,
    Reach,
    VisibleNamespaces,
)
from sundial_kube.deadline import compute_remaining, within
from sundial_kube.errors import ApiError, ApiUnreachable

AWAY = ApiUnreachable("no answer")


class World:
    """An API server with roles, a database that knows namespaces, and a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.known: tuple[str, ...] = tuple(f"team-{number:03}" for number in range(100))
        self.allowed = {"team-003", "team-042"}
        self.says: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.namespaces = VisibleNamespaces(
            self._list, lambda: self.now, lambda key: str(key).partition("/")[0]
        )

    async def _list(self) -> tuple[str, ...]:
        return self.known

    async def ask(self, namespace: str) -> bool:
        self.asked.append(namespace)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            await self.answers.wait()
        finally:
            self.under_way -= 1
        if self.says is not None:
            raise self.says
        return namespace in self.allowed

    async def find(self, key: str = "zoe", kind: str = "scheduledjobs") -> Reach:
        return await self.namespaces.find(key, kind, self.ask)

    async def settle(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_true():  # noqa: ASYNC110 - nothing but the loop itself moves here
                await asyncio.sleep(0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(visible, "WAIT_SECONDS", 60.0)
    return World()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have requests from now on wait for no more than what is under way."""
    return lambda: monkeypatch.setattr(visible, "WAIT_SECONDS", 0.0)


FOUND = Reach(("team-003", "team-042"))


async def test_what_is_found_is_exactly_what_is_allowed(world: World) -> None:
    assert await world.find() == FOUND
    assert sorted(world.asked) == sorted(world.known)


async def test_at_most_eight_are_asked_at_once_for_a_caller(world: World) -> None:
    await asyncio.gather(*(world.find() for _ in range(20)), world.find(kind="taskfunctions"))
    assert world.most == MAX_AT_ONCE
    assert len(world.asked) == 2 * len(world.known)


async def test_at_most_sixteen_are_asked_in_all(world: World) -> None:
    await asyncio.gather(*(world.find(f"caller-{number}") for number in range(10)))
    assert world.most == MAX_IN_ALL


async def test_it_is_believed_for_a_minute_and_looked_for_again_before(world: World) -> None:
    await world.find()
    world.allowed = {"team-007"}
    world.now = REFRESH_SECONDS - 1
    assert await world.find() == FOUND
    assert len(world.asked) == len(world.known)
    world.now = REFRESH_SECONDS
    assert await world.find() == FOUND
    await world.settle(lambda: world.namespaces.recall("zoe", "scheduledjobs") == Reach(("team-007",)))
    assert len(world.asked) == 2 * len(world.known)


async def test_a_right_that_is_taken_away_ends_within_the_minute(world: World) -> None:
    await world.find()
    world.allowed.clear()
    world.now = BELIEVED_SECONDS
    assert await world.find() == Reach(())


async def test_who_asks_too_soon_is_told_what_is_found_and_that_it_is_not_all(
    world: World, hurry: Callable[[], None]
) -> None:
    world.known = (*world.known, "slow")
    world.allowed.add("slow")
    answered: list[str] = []
    late = asyncio.Event()

    async def answer(namespace: str) -> bool:
        if namespace == "slow":
            await late.wait()
        answered.append(namespace)
        return namespace in world.allowed

    patient = asyncio.create_task(world.namespaces.find("zoe", "x", answer))
    await world.settle(lambda: len(answered) == len(world.known) - 1)
    hurry()
    assert await world.namespaces.find("zoe", "x", answer) == Reach(FOUND.namespaces, is_complete=False)
    late.set()
    assert await patient == Reach(("slow", "team-003", "team-042"))


async def test_a_look_that_takes_over_a_minute_shows_what_is_fresh(world: World) -> None:
    async def answer(namespace: str) -> bool:
        if namespace == "team-020":
            world.now += BELIEVED_SECONDS
        return namespace in world.allowed

    assert await world.namespaces.find("zoe", "x", answer) == Reach(("team-042",), is_complete=False)


async def test_kinds_and_callers_are_kept_apart(world: World) -> None:
    await world.find()
    world.allowed = {"team-001"}
    assert await world.find("adam") == Reach(("team-001",))
    assert await world.find(kind="taskfunctions") == Reach(("team-001",))
    assert await world.find() == FOUND


async def test_in_an_outage_it_is_believed_for_an_hour(world: World) -> None:
    await world.find()
    world.says, world.now = AWAY, OUTAGE_SECONDS - 1
    assert await world.find() == FOUND
    assert await world.find() == FOUND
    assert world.namespaces.recall("zoe", "scheduledjobs") == FOUND
    world.now = OUTAGE_SECONDS
    assert world.namespaces.recall("zoe", "scheduledjobs") is None
    with pytest.raises(ApiUnreachable):
        await world.find()


@pytest.mark.parametrize("error", [AWAY, ApiError(429, "TooManyRequests", "wait")], ids=["away", "too many"])
async def test_an_api_server_in_trouble_is_left_alone_for_a_moment(world: World, error: Exception) -> None:
    world.says = error
    with pytest.raises(type(error)):
        await world.find()
    before = len(world.asked)
    with pytest.raises(ApiUnreachable):
        await world.find()
    assert len(world.asked) == before
    world.says, world.now = None, PAUSE_SECONDS
    assert await world.find() == FOUND


async def test_an_error_about_what_was_asked_is_told_at_once(world: World) -> None:
    world.says = ApiError(403, "Forbidden", "no reviews for you")
    for _ in range(2):
        with pytest.raises(ApiError):
            await world.find()


async def test_a_connection_that_broke_once_is_no_outage(world: World) -> None:
    broken = {"team-003"}

    async def ask(namespace: str) -> bool:
        if namespace in broken:
            broken.discard(namespace)
            raise AWAY
        return namespace in world.allowed

    assert await world.namespaces.find("zoe", "x", ask) == FOUND


async def test_silence_is_an_outage_and_not_an_empty_answer(world: World, hurry: Callable[[], None]) -> None:
    world.answers = asyncio.Event()
    patient = asyncio.create_task(world.find())
    await world.settle(lambda: world.under_way == MAX_AT_ONCE)
    hurry()
    with pytest.raises(ApiUnreachable):
        await world.find()
    world.answers.set()
    assert await patient == FOUND


async def test_silence_after_what_was_found_shows_that(world: World, hurry: Callable[[], None]) -> None:
    await world.find()
    world.answers, world.now = asyncio.Event(), BELIEVED_SECONDS
    hurry()
    assert await world.find() == FOUND
    await world.namespaces.close()


async def test_a_database_that_is_away_is_told_as_that(world: World) -> None:
    async def fail() -> tuple[str, ...]:
        raise ConnectionRefusedError("no database")

    namespaces = VisibleNamespaces(fail, lambda: world.now)
    with pytest.raises(ConnectionRefusedError):
        await namespaces.find("zoe", "x", world.ask)


async def test_who_gives_up_ends_nothing_for_the_others(world: World) -> None:
    first, second = asyncio.create_task(world.find()), asyncio.create_task(world.find())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == FOUND


@pytest.mark.parametrize(("limit", "most"), [("MAX_CALLERS", 3), ("MAX_NAMES", 5)])
async def test_only_so_much_is_kept_and_of_those_who_asked_last(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(visible, limit, most)
    for number in range(20):
        await world.find(f"caller-{number}")
        await world.find("zoe")
    kept = [number for number in range(20) if world.namespaces.recall(f"caller-{number}", "scheduledjobs")]
    assert kept in ([18, 19], [19])
    assert world.namespaces.recall("zoe", "scheduledjobs") == FOUND
    assert world.asked.count("team-000") == 21


async def test_tokens_of_one_account_share_its_places(world: World) -> None:
    world.answers = asyncio.Event()
    tokens = [asyncio.create_task(world.find(f"mallory/{number}")) for number in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert world.under_way == MAX_AT_ONCE
    another = asyncio.create_task(world.find("zoe"))
    await world.settle(lambda: world.under_way == MAX_IN_ALL)
    world.answers.set()
    assert await another == FOUND
    assert [await token for token in tokens] == [FOUND] * 3
    assert world.most == MAX_IN_ALL


@pytest.mark.parametrize(("limit", "most"), [("MAX_CALLERS", 30), ("MAX_NAMES", 60)])
async def test_tokens_of_one_account_drive_nobody_elses_out(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(visible, limit, most)
    await world.find("zoe")
    for number in range(40):
        await world.find(f"mallory/{number}")
    assert world.namespaces.recall("zoe", "scheduledjobs") == FOUND
    kept = [number for number in range(40) if world.namespaces.recall(f"mallory/{number}", "scheduledjobs")]
    assert kept in ([37, 38, 39], [36, 37, 38, 39])


async def test_who_is_pushed_out_is_not_looked_for_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible, "MAX_CALLERS", 1)
    world.answers = asyncio.Event()
    waiting = asyncio.create_task(world.find("adam"))
    await world.settle(lambda: world.under_way == MAX_AT_ONCE)
    following = asyncio.create_task(world.find("zoe"))
    assert (await waiting).is_complete is False
    world.answers.set()
    assert await following == FOUND


async def test_a_look_is_under_no_deadline_of_who_asked_first(world: World) -> None:
    left: list[float] = []

    async def answer(namespace: str) -> bool:
        left.append(compute_remaining())
        return namespace in world.allowed

    with within(4):
        assert await world.namespaces.find("zoe", "x", answer) == FOUND
    assert set(left) == {math.inf}


async def test_nobody_waits_longer_than_his_own_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible, "WAIT_SECONDS", 3600.0)
    world.answers = asyncio.Event()
    with within(0.05), pytest.raises(ApiUnreachable):
        await world.find()
    await world.namespaces.close()
