"""A Job's creation: every answer, and no answer, ends in one Job or in one verdict."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from situations import (
    at,
    build_job_item,
    build_plan,
    build_scheduled_job,
    build_spec,
    describe_judgement,
    look,
)

from sundial_core.circumstances import Circumstances
from sundial_core.manifests import Creator
from sundial_core.model import CatchUp
from sundial_core.plans import Plan
from sundial_core.runs import parse_job
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_operator import creates
from sundial_operator.creates import Created, JobCreator, Postponed, Refused, Result, find_back_off
from sundial_operator.tracks import Create

QUOTA = ApiError(403, "Forbidden", "exceeded quota")
INVALID = ApiError(422, "Invalid", "spec.template: Invalid value")
EXISTS = ApiError(409, "AlreadyExists", "already exists")
TERMINATING = ApiError(403, "Forbidden", "because it is being terminated")
NOT_FOUND = ApiError(404, "NotFound", "not found")
BUSY = ApiError(429, "TooManyRequests", "slow down", retry_after=90)
SILENCE = ApiUnreachable("timed out")
OURS = build_job_item(10)
FOREIGN = build_job_item(20)

HELD = Circumstances(held_by="SUNDIAL_HOLD")
ASTRAY = Circumstances(skew=timedelta(seconds=61))

Answer = dict[str, Any] | Exception


class Server:
    """An API server that gives one answer to creates and one to reads."""

    def __init__(self, to_create: Answer, to_get: Answer = NOT_FOUND) -> None:
        self.answers = {"create": to_create, "get": to_get}
        self.asked: list[str] = []

    async def create_for_metadata(self, *_: object) -> dict[str, Any]:
        return self.answer("create")

    async def get(self, *_: object) -> dict[str, Any]:
        return self.answer("get")

    def answer(self, verb: str) -> dict[str, Any]:
        self.asked.append(verb)
        answer = self.answers[verb]
        if isinstance(answer, Exception):
            raise answer
        return answer


def build_create(policy: str = "Latest", unanswered_at: float | None = None) -> Create:
    job = build_scheduled_job(build_spec())
    (attempt,) = look(job, 10).starts
    plan = build_plan(job)
    assert isinstance(plan, Plan)
    rule = CatchUp.model_validate({"policy": policy, "graceSeconds": 30, "windowSeconds": 3600})
    return Create(attempt, plan.template, rule, 0, None if unanswered_at is None else at(unanswered_at))


def describe(result: Result) -> str:
    if isinstance(result, Refused):
        return describe_judgement(result.judgement)
    return "created" if isinstance(result, Created) else "later"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time as the only item of a list."""
    found = [at(11)]
    monkeypatch.setattr(creates, "read_clock", lambda: found[0])
    return found


async def send(server: Server, create: Create) -> Result:
    creator = JobCreator(server, lambda: Creator("a.b", "one", 1))  # type: ignore[arg-type]
    return await creator.create(create)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        pytest.param(Server(OURS), "created", id="created"),
        pytest.param(Server(EXISTS, OURS), "created", id="exists, ours"),
        pytest.param(Server(EXISTS, FOREIGN), "10 Skipped NameTaken", id="exists, of another run"),
        pytest.param(Server(EXISTS, {"metadata": {}}), "10 Skipped NameTaken", id="exists, not ours at all"),
        pytest.param(Server(EXISTS), "later", id="exists, and is gone"),
        pytest.param(Server(EXISTS, SILENCE), "later", id="exists, cannot be read"),
        pytest.param(Server(INVALID), "10 Skipped Rejected", id="rejected"),
        pytest.param(Server(QUOTA), "later", id="refused"),
        pytest.param(Server(SILENCE), "later", id="no answer"),
        pytest.param(Server(TERMINATING), "later", id="namespace terminating"),
    ],
)
async def test_answers(server: Server, expected: str, now: list[datetime]) -> None:
    assert describe(await send(server, build_create())) == expected


@pytest.mark.parametrize(
    ("policy", "seconds", "expected"),
    [
        pytest.param("None", 39, "later", id="None, within the grace"),
        pytest.param("None", 40, "10 Missed CreateFailed", id="None, at the end of the grace"),
        pytest.param("Latest", 3609, "later", id="Latest, within the window"),
        pytest.param("Latest", 3610, "10 Missed CreateFailed", id="Latest, at the end of the window"),
        pytest.param("All", 3610, "10 Missed CreateFailed", id="All, at the end of the window"),
    ],
)
async def test_refusals_are_retried_for_a_time(
    policy: str, seconds: float, expected: str, now: list[datetime]
) -> None:
    now[0] = at(seconds)
    assert describe(await send(Server(QUOTA), build_create(policy))) == expected


@pytest.mark.parametrize(
    ("seconds", "found", "expected"),
    [
        pytest.param(4059, NOT_FOUND, "later", id="may still land"),
        pytest.param(4060, NOT_FOUND, "10 Missed CreateFailed", id="cannot land any more"),
        pytest.param(4060, OURS, "created", id="has landed"),
        pytest.param(4060, FOREIGN, "10 Skipped NameTaken", id="the name is taken"),
        pytest.param(4060, SILENCE, "later", id="nobody knows"),
        pytest.param(4060, ApiError(500, "InternalError", ""), "later", id="the server is ill"),
    ],
)
async def test_a_create_without_answer_is_given_up_only_when_it_cannot_land(
    seconds: float, found: Answer, expected: str, now: list[datetime]
) -> None:
    now[0] = at(seconds)
    server = Server(SILENCE, found)
    assert describe(await send(server, build_create(unanswered_at=4000))) == expected
    assert "create" not in server.asked


@pytest.mark.parametrize(
    ("seconds", "found", "expected"),
    [
        pytest.param(119, NOT_FOUND, "later", id="may still land"),
        pytest.param(120, NOT_FOUND, "10 Skipped Rejected", id="cannot land any more"),
        pytest.param(120, OURS, "created", id="has landed"),
    ],
)
async def test_a_rejection_after_no_answer_waits_too(
    seconds: float, found: Answer, expected: str, now: list[datetime]
) -> None:
    now[0] = at(seconds)
    assert describe(await send(Server(INVALID, found), build_create(unanswered_at=60))) == expected


async def test_no_answer_is_remembered(now: list[datetime]) -> None:
    create = build_create()
    await send(Server(SILENCE), create)
    assert (create.unanswered_at, create.tries, create.may_yield) == (at(11), 1, False)


@pytest.mark.parametrize(
    ("answer", "unanswered_at", "may_yield"),
    [
        pytest.param(QUOTA, None, True, id="refused"),
        pytest.param(QUOTA, 5, False, id="refused after no answer"),
        pytest.param(SILENCE, None, False, id="no answer"),
        pytest.param(TERMINATING, None, True, id="namespace terminating"),
    ],
)
async def test_what_a_newer_slot_may_replace(
    answer: Answer, unanswered_at: float | None, may_yield: Any, now: list[datetime]
) -> None:
    create = build_create(unanswered_at=unanswered_at)
    await send(Server(answer), create)
    assert create.may_yield is may_yield


async def test_in_a_namespace_that_never_ends_creates_do_not_pile_up(now: list[datetime]) -> None:
    now[0] = at(3610)
    assert describe(await send(Server(TERMINATING), build_create("All"))) == "10 Missed CreateFailed"


async def test_what_is_sent_again_is_not_replaced(now: list[datetime]) -> None:
    create = build_create()
    for answer in (QUOTA, SILENCE):
        await send(Server(answer), create)
    assert create.may_yield is False


async def test_a_server_is_given_the_time_that_it_asks_for(now: list[datetime]) -> None:
    result = await send(Server(BUSY), build_create())
    assert isinstance(result, Postponed)
    assert result.at == at(11 + 90)


@pytest.mark.parametrize(
    ("tries", "least", "most"), [(1, 0.25, 0.5), (2, 0.5, 1), (4, 2, 4), (7, 15, 30), (99, 15, 30)]
)
def test_back_off(tries: int, least: float, most: float) -> None:
    waits = [find_back_off(tries, None) for _ in range(50)]
    assert least <= min(waits) < max(waits) <= most


async def test_a_verdict_keeps_the_servers_words_trimmed(now: list[datetime]) -> None:
    result = await send(Server(ApiError(422, "Invalid", "x" * 999)), build_create())
    assert isinstance(result, Refused)
    assert len(result.judgement.message) == 300


@pytest.mark.parametrize(
    ("circumstances", "create", "expected", "asked"),
    [
        pytest.param(HELD, build_create(), "10 Missed Held", [], id="held: missed"),
        pytest.param(HELD, build_create(unanswered_at=10), "later", [], id="held: may still land"),
        pytest.param(
            HELD, build_create(unanswered_at=-50), "10 Missed Held", ["get"], id="held: never landed"
        ),
        pytest.param(ASTRAY, build_create(), "later", [], id="no clock: waits"),
        pytest.param(ASTRAY, build_create(unanswered_at=-50), "later", [], id="no clock: no verdict"),
    ],
)
async def test_nothing_is_sent_while_nothing_may_start(
    now: list[datetime], circumstances: Circumstances, create: Create, expected: str, asked: list[str]
) -> None:
    server = Server(OURS)
    creator = JobCreator(server, lambda: Creator("team.x", "one", 1), lambda: circumstances)  # type: ignore[arg-type]
    assert (describe(await creator.create(create)), server.asked) == (expected, asked)


async def test_a_held_slot_whose_job_landed_is_started(now: list[datetime]) -> None:
    creator = JobCreator(Server(OURS, OURS), lambda: Creator("team.x", "one", 1), lambda: HELD)  # type: ignore[arg-type]
    assert describe(await creator.create(build_create(unanswered_at=-50))) == "created"


async def test_a_job_that_was_just_created_is_known_with_its_deadline(now: list[datetime]) -> None:
    metadata_only = {"metadata": OURS["metadata"]}
    result = await send(Server(metadata_only), build_create())
    assert isinstance(result, Created)
    assert parse_job(result.job).timeout_seconds == 300
