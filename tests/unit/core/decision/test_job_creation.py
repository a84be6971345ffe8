"""What a Job's creation asks of the API server, word for word, and what each answer leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from testkit.schedule_memory import RETRY
from testkit.scheduled_jobs import (
    TEMPLATE,
    at,
    build_job_item,
    build_observed,
    build_scheduled_job,
    look,
)

from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    NO_ANSWER,
    Answer,
    Answered,
    Created,
    Denied,
    PendingCreate,
    Postponed,
    Purpose,
    Read,
    Refused,
    Send,
    Step,
    Unanswered,
    Unsent,
    build_retry_attempt,
)
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.manifests import Creator, build_job, build_retry_job
from sundial_core.runs.retries import NextAttempt
from sundial_core.status.verdicts import VerdictRecord

CREATOR = Creator("a.b", "one", 1)
ATTEMPT = look(build_scheduled_job(), 10).starts[0]
SENT = Send(build_job(ATTEMPT, TEMPLATE, CREATOR))
RULE = CatchUp(policy="All", grace_seconds=30, window_seconds=3600)
PREVIOUS = build_job_item(10, "Failed") | {"spec": SENT.manifest["spec"]}
FOLLOWING = NextAttempt(build_observed(10, "Failed"), 2, at(20), 1, 0)
SECOND = replace(ATTEMPT, attempt=2)
QUOTA = Denied(403, "Forbidden", "exceeded quota")
FOREIGN = f"a Job named {ATTEMPT.job_name} exists and is not of this run; delete or rename it"


def build_create(**fields: Any) -> PendingCreate:
    """Build the create of the slot at 10."""
    return PendingCreate(ATTEMPT, TEMPLATE, RULE, **fields)


def build_retry(template: dict[str, Any], **fields: Any) -> PendingCreate:
    """Build the create of a second attempt, due at 20, of a run that catches up on nothing."""
    rule = CatchUp(policy="None", window_seconds=0)
    return PendingCreate(SECOND, template, rule, follows=FOLLOWING, **fields)


def judge(verdict: Verdict, reason: Reason, message: str) -> VerdictRecord:
    return VerdictRecord(at(10), at(10), 1, verdict, reason, message)


@pytest.mark.parametrize(
    ("create", "due_at"),
    [
        pytest.param(build_create(), at(10), id="a slot: then"),
        pytest.param(build_create(served_at=at(15)), at(15), id="one that waited: when it got its place"),
        pytest.param(build_retry({}), at(20), id="a retry: when its delay was over"),
    ],
)
def test_when_an_attempt_was_due(create: PendingCreate, due_at: datetime) -> None:
    assert create.due_at == due_at


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        pytest.param(build_create(), SENT, id="the Job of the slot"),
        pytest.param(
            build_create(unanswered_at=at(10)),
            Read(ATTEMPT.job_name, Purpose.RESEND),
            id="its name, after a try without an answer",
        ),
        pytest.param(
            build_retry({}),
            Read(FOLLOWING.after.name, Purpose.COPY),
            id="the Job of the attempt before",
        ),
        pytest.param(
            build_retry(PREVIOUS),
            Send(build_retry_job(PREVIOUS, FOLLOWING, SECOND, CREATOR)),
            id="a copy of it under the next name",
        ),
    ],
)
def test_what_is_asked_first(create: PendingCreate, expected: Step) -> None:
    create = replace(create)
    assert create.begin(CREATOR, InstallationState(), at(20)) == expected
    assert create.tries == (0 if create.follows and not create.template else 1)


def test_past_its_time_only_the_name_is_looked_for() -> None:
    create = build_create(unanswered_at=at(20))
    concluded = judge(Verdict.MISSED, Reason.CREATE_FAILED, NO_ANSWER)
    expected = Read(ATTEMPT.job_name, Purpose.CONCLUDE, concluded)
    assert create.begin(CREATOR, InstallationState(), at(3610)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            Denied(409, "AlreadyExists", "exists"), Read(ATTEMPT.job_name, Purpose.ADOPT), id="exists"
        ),
        pytest.param(
            Denied(422, "Invalid", "no such field"),
            Refused(judge(Verdict.SKIPPED, Reason.REJECTED, "no such field")),
            id="rejected",
        ),
        pytest.param(QUOTA, Postponed(0.5, 0.0), id="refused for now"),
        pytest.param(Denied(429, "TooManyRequests", "", 90), Postponed(0.5, 90), id="busy"),
        pytest.param(
            Denied(403, "Forbidden", "because it is being terminated"), Postponed(0.0, 30.0), id="terminating"
        ),
        pytest.param(Unanswered(), Postponed(0.5, 0.0), id="no answer"),
        pytest.param(Unsent(), Postponed(0.5, 0.0), id="the gate was shut"),
    ],
)
def test_what_an_answer_to_a_create_leads_to(answer: Answer, expected: Step) -> None:
    create = build_create()
    create.begin(CREATOR, InstallationState(), at(11))
    assert create.take(SENT, answer, CREATOR, at(12)) == expected


SLOW = "creates of Jobs in this namespace take long (an admission webhook?)"
NO_TURN = f"waited for its turn to be sent until 3600 s after it was due: {SLOW}"


@pytest.mark.parametrize(
    ("create", "seconds", "expected"),
    [
        pytest.param(build_create(), 3609.9, SENT, id="before its deadline"),
        pytest.param(
            build_create(),
            3610,
            Refused(judge(Verdict.MISSED, Reason.TOO_LATE, NO_TURN)),
            id="at its deadline",
        ),
        pytest.param(
            build_create(tries=1, refusal="quota"), 3610.9, SENT, id="refused once: a back-off round more"
        ),
        pytest.param(
            build_create(tries=1, refusal="quota"),
            3611,
            Refused(judge(Verdict.MISSED, Reason.CREATE_FAILED, "quota")),
            id="refused once: after that round",
        ),
        pytest.param(
            build_create(tries=2, refusal="quota"),
            3610,
            Refused(judge(Verdict.MISSED, Reason.CREATE_FAILED, "quota")),
            id="refused twice",
        ),
        pytest.param(build_create(tries=1, unanswered_at=at(3600)), 3610, Postponed(0.5), id="no answer"),
    ],
)
def test_until_when_it_is_sent(create: PendingCreate, seconds: float, expected: Step) -> None:
    assert replace(create).begin(CREATOR, InstallationState(), at(seconds)) == expected


def test_a_retry_that_had_no_turn_in_its_window_has_failed() -> None:
    create = build_retry(PREVIOUS, begun_at=at(20))
    message = f"waited for its turn to be sent until 60 s after it was due: {SLOW}"
    expected = Refused(judge(Verdict.MISSED, Reason.CREATE_FAILED, message))
    assert create.begin(CREATOR, InstallationState(), at(80)) == expected


@pytest.mark.parametrize(
    ("create", "until"),
    [
        pytest.param(build_create(tries=1), 3610, id="a slot"),
        pytest.param(build_retry(PREVIOUS, tries=1, begun_at=at(20)), 80, id="a retry"),
    ],
)
def test_what_was_refused_until_its_time_was_over_is_missed_with_the_refusal(
    create: PendingCreate, until: float
) -> None:
    create = replace(create)
    create.begin(CREATOR, InstallationState(), at(until - 1))
    expected = Refused(judge(Verdict.MISSED, Reason.CREATE_FAILED, "exceeded quota"))
    assert create.take(SENT, QUOTA, CREATOR, at(until)) == expected


def test_what_is_refused_past_its_time_after_no_answer_waits_until_that_cannot_land() -> None:
    create = build_create(tries=2, unanswered_at=at(3600))
    assert create.take(SENT, QUOTA, CREATOR, at(3659)) == Postponed(1.0)
    expected = Read(
        ATTEMPT.job_name,
        Purpose.CONCLUDE,
        judge(Verdict.MISSED, Reason.CREATE_FAILED, "exceeded quota"),
    )
    assert create.take(SENT, QUOTA, CREATOR, at(3660)) == expected


def test_while_its_time_does_not_run_a_refusal_ends_nothing() -> None:
    create = build_retry(PREVIOUS, tries=2)
    assert create.take(SENT, QUOTA, CREATOR, at(3610)) == Postponed(1.0)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(build_job_item(10), Created(build_job_item(10)), id="ours"),
        pytest.param(
            build_job_item(20), Refused(judge(Verdict.SKIPPED, Reason.NAME_TAKEN, FOREIGN)), id="not ours"
        ),
    ],
)
def test_whose_job_has_the_name(read: dict[str, Any], expected: Step) -> None:
    request = Read(ATTEMPT.job_name, Purpose.ADOPT)
    assert build_create(tries=1).take(request, Answered(read), CREATOR, at(12)) == expected


def test_under_a_hold_a_retry_waits_five_seconds_and_its_time_does_not_run() -> None:
    create = build_retry(PREVIOUS, begun_at=at(20))
    assert create.begin(CREATOR, InstallationState(starts_held_by="SUNDIAL_HOLD"), at(30)) == Postponed(
        0.0, 5.0
    )
    assert create.begun_at is None


def test_a_retry_is_named_by_its_run_and_takes_all_else_from_the_job_before() -> None:
    assert build_retry_attempt(build_scheduled_job(), FOLLOWING) == RETRY
