"""What the API server has said of callers: asked once, believed for a moment, in an outage for longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sundial_api.auth import kept_answers
from sundial_api.auth.answer_store import AnswerStore, KeptAnswer
from sundial_api.auth.breaker import PAUSE_SECONDS, Breaker
from sundial_api.auth.kept_answers import FRESH_SECONDS, OUTAGE_SECONDS, KeptAnswers
from sundial_kube.deadline import within
from sundial_kube.errors import ApiError, ApiUnreachable

AWAY = ApiUnreachable("no answer")
OVERLOADED = ApiError(429, "TooManyRequests", "wait")
REFUSED = ApiError(422, "Invalid", "odd")


class World:
    """An API server that says what it is told to, and a clock that a test moves."""

    def __init__(self) -> None:
        self.now, self.asked = 0.0, 0
        self.says: bool | Exception = True
        self.answers: KeptAnswers[str, bool] = KeptAnswers(bool, lambda: self.now)

    async def get(self, key: str = "zoe", *, in_outage: bool = True) -> bool:
        return await self.answers.get(key, self._ask, in_outage=in_outage)

    async def _ask(self) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("says", [True, False], ids=["good", "refusal"])
async def test_an_answer_is_believed_for_a_moment(world: World, says: bool) -> None:  # noqa: FBT001
    world.says = says
    assert [await world.get(), await world.get()] == [says, says]
    assert world.asked == 1
    world.now += FRESH_SECONDS
    world.says = not says
    assert await world.get() is not says
    assert await world.get() is not says


async def test_who_asks_the_same_meanwhile_waits_for_the_same_answer(world: World) -> None:
    assert await asyncio.gather(*(world.get() for _ in range(50))) == [True] * 50
    assert world.asked == 1


async def test_who_gives_up_ends_nothing_for_the_others(world: World) -> None:
    first, second = asyncio.create_task(world.get()), asyncio.create_task(world.get())
    await asyncio.sleep(0)
    first.cancel()
    assert await second is True


async def test_in_an_outage_a_good_answer_is_believed_for_an_hour(world: World) -> None:
    await world.get()
    world.says, world.now = AWAY, OUTAGE_SECONDS
    assert await world.get() is True
    world.now += 1
    with pytest.raises(ApiUnreachable):
        await world.get()


@pytest.mark.parametrize(
    ("says", "in_outage"), [pytest.param(True, False, id="write"), pytest.param(False, True, id="refusal")]
)
async def test_neither_for_a_write_nor_when_it_was_a_refusal(
    world: World,
    says: bool,  # noqa: FBT001
    in_outage: bool,  # noqa: FBT001
) -> None:
    world.says = says
    await world.get()
    world.says, world.now = AWAY, FRESH_SECONDS
    with pytest.raises(ApiUnreachable):
        await world.get(in_outage=in_outage)


@pytest.mark.parametrize(
    ("trouble", "times"), [pytest.param(AWAY, 2, id="away"), pytest.param(OVERLOADED, 1, id="overloaded")]
)
async def test_an_api_server_in_trouble_is_left_alone_for_a_moment(
    world: World, trouble: Exception, times: int
) -> None:
    world.says = trouble
    for key in ("a", "b", "c"):
        with pytest.raises((ApiError, ApiUnreachable)):
            await world.get(key)
    assert world.asked == times
    world.says, world.now = True, PAUSE_SECONDS
    assert await world.get("b") is True


async def test_whoever_shares_a_breaker_does_not_wait_for_a_silent_server_again() -> None:
    breaker = Breaker()
    tokens: KeptAnswers[str, bool] = KeptAnswers(bool, breaker=breaker)
    rights: KeptAnswers[str, bool] = KeptAnswers(bool, breaker=breaker)
    asked = 0

    async def ask() -> bool:
        nonlocal asked
        asked += 1
        raise OVERLOADED

    for answers in (tokens, rights):
        with pytest.raises((ApiError, ApiUnreachable)):
            await answers.get("zoe", ask, in_outage=False)
    assert asked == 1


async def test_one_connection_that_breaks_is_no_outage() -> None:
    says: list[Exception | None] = [AWAY, None]

    async def ask() -> bool:
        error = says.pop(0)
        if error is not None:
            raise error
        return True

    answers: KeptAnswers[str, bool] = KeptAnswers(bool)
    assert await answers.get("zoe", ask, in_outage=False) is True


async def test_who_waits_in_line_asks_no_more_once_it_is_left_alone() -> None:
    asked, wait = 0, asyncio.Event()

    async def ask() -> bool:
        nonlocal asked
        asked += 1
        await wait.wait()
        raise OVERLOADED

    answers: KeptAnswers[int, bool] = KeptAnswers(bool)
    asking = [asyncio.create_task(answers.get(key, ask, in_outage=False)) for key in range(100)]
    await asyncio.sleep(0.01)
    wait.set()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(error) for error in ended} == {ApiError, ApiUnreachable}
    assert asked == kept_answers.MAX_AT_ONCE


async def test_who_finds_no_place_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "REVIEW_SECONDS", 0.05)
    wait = asyncio.Event()

    async def ask() -> bool:
        await wait.wait()
        return True

    answers: KeptAnswers[int, bool] = KeptAnswers(bool)
    asking = [
        asyncio.create_task(answers.get(key, ask, in_outage=False)) for key in range(kept_answers.MAX_AT_ONCE)
    ]
    await asyncio.sleep(0.01)
    with pytest.raises(ApiUnreachable, match="too many questions"):
        await answers.get(-1, ask, in_outage=False)
    wait.set()
    assert await asyncio.gather(*asking) == [True] * kept_answers.MAX_AT_ONCE


async def test_an_error_about_one_caller_is_nobody_elses(world: World) -> None:
    await world.get("odd")
    world.says, world.now = REFUSED, FRESH_SECONDS
    with pytest.raises(ApiError):
        await world.get("odd")
    world.says = True
    assert await world.get() is True


async def test_refusals_push_nobody_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "MAX_REFUSED", 3)
    await world.get()
    world.says = False
    for number in range(10):
        await world.get(str(number))
    asked = world.asked
    assert await world.get() is True
    assert await world.get("9") is False
    assert world.asked == asked
    await world.get("0")
    assert world.asked == asked + 1


async def test_the_good_ones_are_bounded_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "MAX_GOOD", 2)
    for key in ("a", "b", "a", "c", "a"):
        await world.get(key)
    assert world.asked == 3
    await world.get("b")
    assert world.asked == 4


async def test_only_so_many_questions_are_under_way() -> None:
    busy, most, wait = 0, 0, asyncio.Event()

    async def ask() -> bool:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        await wait.wait()
        busy -= 1
        return True

    answers: KeptAnswers[int, bool] = KeptAnswers(bool)
    asking: list[asyncio.Task[bool]] = []
    start: Callable[[int], asyncio.Task[bool]] = lambda key: asyncio.create_task(  # noqa: E731
        answers.get(key, ask, in_outage=False)
    )
    asking += [start(key) for key in range(100)]
    await asyncio.sleep(0.01)
    wait.set()
    await asyncio.gather(*asking)
    assert most == kept_answers.MAX_AT_ONCE


async def test_who_asks_about_many_namespaces_drives_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "MAX_GOOD", 100)
    monkeypatch.setattr(kept_answers, "MAX_REFUSED", 50)
    answers: KeptAnswers[tuple[str, int], bool] = KeptAnswers(
        bool, lambda: 0.0, find_owner=lambda key, _: key[0]
    )
    asked: list[tuple[str, int]] = []

    async def get(key: tuple[str, int], *, says: bool = True) -> None:
        async def ask() -> bool:
            asked.append(key)
            return says

        await answers.get(key, ask, in_outage=False)

    await get(("zoe", 0))
    await get(("adam", 0), says=False)
    for number in range(200):
        await get(("mallory", number))
        await get(("mallory", -1 - number), says=False)
    asked.clear()
    await get(("zoe", 0))
    await get(("adam", 0), says=False)
    await get(("mallory", 190))
    assert asked == []
    await get(("mallory", 189))
    assert asked == [("mallory", 189)]


async def test_nobody_waits_beyond_a_deadline_for_what_others_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "REVIEW_SECONDS", 600.0)
    wait = asyncio.Event()

    async def ask() -> bool:
        await wait.wait()
        return True

    answers: KeptAnswers[int, bool] = KeptAnswers(bool)
    keys = range(kept_answers.MAX_AT_ONCE)
    asking = [asyncio.create_task(answers.get(key, ask, in_outage=False)) for key in keys]
    await asyncio.sleep(0)
    for key in (0, -1):
        with within(0.05), pytest.raises(ApiUnreachable):
            await answers.get(key, ask, in_outage=False)
    wait.set()
    assert await asyncio.gather(*asking) == [True] * kept_answers.MAX_AT_ONCE


async def test_what_an_owner_used_last_stays() -> None:
    store: AnswerStore[int, bool] = AnswerStore()
    for key in (1, 2):
        store.put(key, KeptAnswer(True, "zoe", 0.0), most=20)
    store.touch(1)
    store.put(3, KeptAnswer(True, "zoe", 0.0), most=20)
    assert [store.find(key) is not None for key in (1, 2, 3)] == [True, False, True]
