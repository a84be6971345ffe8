"""A Job's creation: every answer, and no answer, ends in one Job or in one verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    TEMPLATE,
    at,
    build_job_item,
    build_observed,
    build_scheduled_job,
    build_spec,
    describe_verdict,
    look,
)

from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    RETRY_BACKOFF,
    Answer,
    Answered,
    Created,
    CreateOutcome,
    CreateRequest,
    Denied,
    Dropped,
    PendingCreate,
    Postponed,
    Read,
    Refused,
    Send,
    Unanswered,
    Unsent,
)
from sundial_core.resources import names
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.manifests import Creator, build_job
from sundial_core.runs.retries import NextAttempt
from sundial_kube.jitter import with_jitter
from sundial_operator.outputs.job_creator import compute_delay

CREATOR = Creator("a.b", "one", 1)
QUOTA = Denied(403, "Forbidden", "exceeded quota")
INVALID = Denied(422, "Invalid", "spec.template: Invalid value")
EXISTS = Denied(409, "AlreadyExists", "already exists")
TERMINATING = Denied(403, "Forbidden", "because it is being terminated")
NOT_FOUND = Denied(404, "NotFound", "not found")
BUSY = Denied(429, "TooManyRequests", "slow down", retry_after=90)
ILL = Denied(500, "InternalError", "")
SILENCE = Unanswered("timed out")
OURS = Answered(build_job_item(10))
FOREIGN = Answered(build_job_item(20))
NOT_OURS = Answered({"metadata": {}})

HELD = InstallationState(starts_held_by="SUNDIAL_HOLD")
ASTRAY = InstallationState(skew=timedelta(seconds=61))


class Server:
    """An API server that gives one answer to creates and one to reads."""

    def __init__(self, to_create: Answer, to_get: Answer = NOT_FOUND) -> None:
        self._answers: dict[type, Answer] = {Send: to_create, Read: to_get}
        self.asked: list[str] = []

    def answer(self, request: CreateRequest) -> Answer:
        self.asked.append("create" if isinstance(request, Send) else "get")
        return self._answers[type(request)]


ATTEMPT = look(build_scheduled_job(build_spec()), 10).starts[0]


def build_create(policy: str = "Latest", unanswered_at: float | None = None, tries: int = 1) -> PendingCreate:
    """Build the create of the slot at 10, tried before."""
    rule = CatchUp.model_validate({"policy": policy, "graceSeconds": 30, "windowSeconds": 3600})
    unanswered = None if unanswered_at is None else at(unanswered_at)
    return PendingCreate(ATTEMPT, TEMPLATE, rule, at(10), tries=tries, unanswered_at=unanswered)


def build_previous(uid: str = "", **marks: str) -> dict[str, Any]:
    """Build the JSON of the first attempt's Job, which failed."""
    item, manifest = build_job_item(10, "Failed", marks=marks), build_job(ATTEMPT, TEMPLATE, CREATOR)
    own = {"uid": uid} if uid else {}
    return manifest | item | {"spec": manifest["spec"], "metadata": item["metadata"] | own}


def give_away(item: dict[str, Any]) -> dict[str, Any]:
    """Take its controller from a Job."""
    return item | {"metadata": item["metadata"] | {"ownerReferences": []}}


def build_retry(policy: str = "Latest", window: int = 3600) -> PendingCreate:
    """Build the create of a second attempt, due at 20, that a leader begins at 100."""
    following = NextAttempt(build_observed(10, "Failed"), 2, at(20), 1, 0)
    attempt = replace(ATTEMPT, attempt=2)
    rule = CatchUp.model_validate({"policy": policy, "graceSeconds": 30, "windowSeconds": window})
    return PendingCreate(attempt, build_previous(), rule, at(100), following)


def describe(result: CreateOutcome) -> str:
    if isinstance(result, Refused):
        return describe_verdict(result.record)
    if isinstance(result, Dropped):
        return "dropped"
    return "created" if isinstance(result, Created) else "later"


def send(
    server: Server, create: PendingCreate, now: float = 11, installation: InstallationState | None = None
) -> CreateOutcome:
    """Try once, with every request answered at once."""
    step = create.begin(CREATOR, installation or InstallationState(), at(now))
    while isinstance(step, Read | Send):
        step = create.take(step, server.answer(step), CREATOR, at(now))
    return step


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        pytest.param(Server(OURS), "created", id="created"),
        pytest.param(Server(EXISTS, OURS), "created", id="exists, ours"),
        pytest.param(Server(EXISTS, FOREIGN), "10 Skipped NameTaken", id="exists, of another run"),
        pytest.param(Server(EXISTS, NOT_OURS), "10 Skipped NameTaken", id="exists, not ours at all"),
        pytest.param(Server(EXISTS), "later", id="exists, and is gone"),
        pytest.param(Server(EXISTS, SILENCE), "later", id="exists, cannot be read"),
        pytest.param(Server(INVALID), "10 Skipped Rejected", id="rejected"),
        pytest.param(Server(QUOTA), "later", id="refused"),
        pytest.param(Server(SILENCE), "later", id="no answer"),
        pytest.param(Server(TERMINATING), "later", id="namespace terminating"),
    ],
)
def test_answers(server: Server, expected: str) -> None:
    assert describe(send(server, build_create())) == expected


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
def test_refusals_are_retried_for_a_time(policy: str, seconds: float, expected: str) -> None:
    assert describe(send(Server(QUOTA), build_create(policy), seconds)) == expected


@pytest.mark.parametrize(
    ("tries", "seconds", "expected", "asked"),
    [
        pytest.param(0, 40, "10 Missed TooLate", [], id="never sent: not sent any more"),
        pytest.param(1, 40.9, "10 Missed CreateFailed", ["create"], id="refused once: one round more"),
        pytest.param(1, 41, "10 Missed CreateFailed", [], id="refused once, and its turn came later still"),
        pytest.param(2, 40, "10 Missed CreateFailed", [], id="refused twice: not sent any more"),
    ],
)
def test_what_has_its_turn_too_late_is_not_sent(
    tries: int, seconds: float, expected: str, asked: list[str]
) -> None:
    server, create = Server(QUOTA), build_create("None", tries=tries)
    create.refusal = "exceeded quota" if tries else None
    assert describe(send(server, create, seconds)) == expected
    assert server.asked == asked


def test_one_refusal_ends_nothing_however_late_it_is() -> None:
    create = build_create("None", tries=0)
    assert describe(send(Server(QUOTA), create, 39.9)) == "later"
    assert describe(send(Server(QUOTA), create, 40.4)) == "10 Missed CreateFailed"


@pytest.mark.parametrize(
    ("window", "seconds", "expected"),
    [
        pytest.param(0, 159, "later", id="within the shortest window"),
        pytest.param(0, 160, "10 Missed CreateFailed", id="at the end of the shortest window"),
        pytest.param(3600, 3699, "later", id="within catchUp's window"),
        pytest.param(3600, 3700, "10 Missed CreateFailed", id="at the end of catchUp's window"),
    ],
)
@pytest.mark.parametrize("policy", ["None", "Latest"])
def test_a_retry_is_tried_for_a_window_from_this_leaders_first_try(
    policy: str, window: int, seconds: float, expected: str
) -> None:
    create = build_retry(policy, window)
    assert describe(send(Server(QUOTA), create, 100)) == "later"
    assert describe(send(Server(QUOTA), create, seconds)) == expected


def test_under_a_hold_the_window_of_a_retry_does_not_run() -> None:
    create = build_retry(window=0)
    for now, installation in (
        (100, HELD),
        (900, ASTRAY),
        (7000, InstallationState()),
        (7059, InstallationState()),
    ):
        assert describe(send(Server(QUOTA), create, now, installation)) == "later"
    assert describe(send(Server(QUOTA), create, 7060)) == "10 Missed CreateFailed"


def test_a_retry_that_waited_for_its_turn_past_its_window_is_not_sent() -> None:
    server = Server(OURS)
    assert describe(send(server, build_retry(window=0), 160)) == "10 Missed CreateFailed"
    assert server.asked == []


@pytest.mark.parametrize(
    ("previous", "expected", "asked"),
    [
        pytest.param(Answered(build_previous()), "10 Skipped Rejected", ["get", "create"], id="there"),
        pytest.param(NOT_FOUND, "dropped", ["get"], id="gone"),
        pytest.param(Answered(build_previous("other")), "dropped", ["get"], id="another Job of that name"),
        pytest.param(Answered(give_away(build_previous())), "dropped", ["get"], id="it is not ours any more"),
        pytest.param(
            Answered(build_previous(**{names.ENDED: "Cancelled"})),
            "dropped",
            ["get"],
            id="ended by somebody",
        ),
        pytest.param(SILENCE, "later", ["get"], id="nobody knows"),
    ],
)
def test_a_retry_copies_the_job_of_the_attempt_before(
    previous: Answer, expected: str, asked: list[str]
) -> None:
    create, server = build_retry(), Server(INVALID, previous)
    create.template = {}
    assert describe(send(server, create, 100)) == expected
    assert server.asked == asked


@pytest.mark.parametrize(
    ("seconds", "found", "expected"),
    [
        pytest.param(4059, NOT_FOUND, "later", id="may still land"),
        pytest.param(4060, NOT_FOUND, "10 Missed CreateFailed", id="cannot land any more"),
        pytest.param(4060, OURS, "created", id="has landed"),
        pytest.param(4060, FOREIGN, "10 Skipped NameTaken", id="the name is taken"),
        pytest.param(4060, SILENCE, "later", id="nobody knows"),
        pytest.param(4060, ILL, "later", id="the server is ill"),
    ],
)
def test_a_create_without_answer_is_given_up_only_when_it_cannot_land(
    seconds: float, found: Answer, expected: str
) -> None:
    server = Server(SILENCE, found)
    assert describe(send(server, build_create(unanswered_at=4000), seconds)) == expected
    assert "create" not in server.asked


@pytest.mark.parametrize(
    ("seconds", "found", "expected"),
    [
        pytest.param(119, NOT_FOUND, "later", id="may still land"),
        pytest.param(120, NOT_FOUND, "10 Skipped Rejected", id="cannot land any more"),
        pytest.param(120, OURS, "created", id="has landed"),
    ],
)
def test_a_rejection_after_no_answer_waits_too(seconds: float, found: Answer, expected: str) -> None:
    assert describe(send(Server(INVALID, found), build_create(unanswered_at=60), seconds)) == expected


def test_no_answer_is_remembered() -> None:
    create = build_create(tries=0)
    send(Server(SILENCE), create)
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
def test_what_a_newer_slot_may_replace(answer: Answer, unanswered_at: float | None, may_yield: Any) -> None:
    create = build_create(unanswered_at=unanswered_at)
    send(Server(answer), create)
    assert create.may_yield is may_yield


def test_in_a_namespace_that_never_ends_creates_do_not_pile_up() -> None:
    assert describe(send(Server(TERMINATING), build_create("All"), 3610)) == "10 Missed CreateFailed"


def test_what_is_sent_again_is_not_replaced() -> None:
    create = build_create()
    for answer in (QUOTA, SILENCE):
        send(Server(answer), create)
    assert create.may_yield is False


def test_a_server_is_given_the_time_that_it_asks_for() -> None:
    result = send(Server(BUSY), build_create())
    assert isinstance(result, Postponed)
    assert compute_delay(result) == 90


@pytest.mark.parametrize(
    ("tries", "least", "most"), [(1, 0.25, 0.5), (2, 0.5, 1), (4, 2, 4), (7, 15, 30), (99, 15, 30)]
)
def test_back_off(tries: int, least: float, most: float) -> None:
    waits = [with_jitter(RETRY_BACKOFF.after(tries)) for _ in range(50)]
    assert least <= min(waits) < max(waits) <= most


def test_a_verdict_keeps_the_servers_words_trimmed() -> None:
    result = send(Server(Denied(422, "Invalid", "x" * 999)), build_create())
    assert isinstance(result, Refused)
    assert len(result.record.message) == 300


@pytest.mark.parametrize(
    ("installation", "create", "expected", "asked"),
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
def test_nothing_is_sent_while_nothing_may_start(
    installation: InstallationState, create: PendingCreate, expected: str, asked: list[str]
) -> None:
    server = Server(OURS)
    assert (describe(send(server, create, 11, installation)), server.asked) == (expected, asked)


def test_a_held_slot_whose_job_landed_is_started() -> None:
    assert describe(send(Server(OURS, OURS), build_create(unanswered_at=-50), 11, HELD)) == "created"


def test_what_the_shut_gate_kept_back_is_not_taken_for_sent() -> None:
    create = build_create()
    assert describe(send(Server(Unsent()), create)) == "later"
    assert create.unanswered_at is None


def test_a_job_that_was_just_created_is_known_with_its_deadline() -> None:
    result = send(Server(Answered({"metadata": OURS.item["metadata"]})), build_create())
    assert isinstance(result, Created)
    assert parse_job(result.item).timeout_seconds == 300
