"""A status that cannot be stored stops the starts of its schedule, and what becomes of its slots then."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_job_runs import ask, build_request, tell
from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    list_starts,
    list_verdicts,
    look,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.remembered import Backlog, Remembered
from sundial_core.decision.unstored_limit import (
    MAX_STARTS,
    MAX_VERDICTS,
    is_limit_reached,
    track_unstored,
)
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.status.scheduled_job_runs import describe_waiting
from sundial_core.status.stored import parse_stored_status
from sundial_core.status.transitions import Notice, describe_stop
from sundial_core.status.verdicts import VerdictRecord

TICK = {"schedule": {"interval": {"seconds": 1}}, "concurrency": {"policy": "Allow"}}
SKIPPED = VerdictRecord(at(20), at(20), 1, Verdict.SKIPPED, Reason.REJECTED)


def test_a_burst_that_nobody_refuses_starts_as_ever() -> None:
    spec = build_spec(**TICK, catchUp={"graceSeconds": 3600})
    assert len(list_starts(look(build_scheduled_job(spec), 3000))) == 3000


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        pytest.param(Remembered(backlog=Backlog(since=at(1))), Backlog(), id="nothing waits"),
        pytest.param(
            Remembered(backlog=Backlog(since=at(1)), verdicts=(SKIPPED,)),
            Backlog(since=at(30)),
            id="no patch has failed",
        ),
        pytest.param(
            Remembered(backlog=Backlog(since=at(1)), verdicts=(SKIPPED,), refusal="x"),
            Backlog(since=at(1)),
            id="patches fail",
        ),
        pytest.param(
            Remembered(backlog=Backlog(frozenset({at(10), at(20)}), at(1)), refusal="x"),
            Backlog(frozenset({at(20)}), at(1)),
            id="one start is stored",
        ),
    ],
)
def test_what_waits_to_be_stored(memory: Remembered, expected: Backlog) -> None:
    stored = parse_stored_status({"cursor": format_instant(at(10))})
    assert track_unstored(memory, stored, (), at(30)) == expected


FULL = Remembered(decided_until=at(10), refusal="too large", backlog=Backlog(since=at(-290)))


@pytest.mark.parametrize(
    ("memory", "now", "expected"),
    [
        pytest.param(FULL, 10, True, id="five minutes"),
        pytest.param(FULL, 9.9, False, id="less"),
        pytest.param(Remembered(backlog=FULL.backlog), 10, False, id="nothing was refused"),
        pytest.param(
            Remembered(refusal="x", backlog=Backlog(frozenset(map(at, range(MAX_STARTS))))),
            10,
            True,
            id="100 starts",
        ),
        pytest.param(
            Remembered(refusal="x", backlog=Backlog(frozenset(map(at, range(MAX_STARTS - 1))))),
            10,
            False,
            id="99",
        ),
        pytest.param(
            Remembered(verdicts=(SKIPPED,) * MAX_VERDICTS),
            10,
            True,
            id="too much to remember",
        ),
    ],
)
def test_when_nothing_more_may_start(memory: Remembered, now: float, expected: Any) -> None:
    assert is_limit_reached(memory, at(now)) is expected


def test_a_judgement_of_these_slots_is_made_anew_until_it_is_stored() -> None:
    decision = look(build_scheduled_job(build_spec(**TICK)), 20, memory=FULL)
    assert (list_starts(decision), list_verdicts(decision), decision.decided_until) == ([], [], None)
    assert read_verdicts(decision.status) == ["11..20 x10 Missed StatusNotStored"]


def test_a_run_that_is_asked_for_waits() -> None:
    memory = Remembered(refusal="too large", backlog=FULL.backlog)
    assert tell(ask(build_request(), memory=memory)) == "waits StatusNotStored"


def test_a_run_that_is_asked_for_and_waits_keeps_its_place() -> None:
    memory = Remembered(refusal="too large", backlog=FULL.backlog)
    fate = describe_waiting(Reason.QUEUED)
    status = {"reason": fate.reason, "message": fate.message}
    assert tell(ask(build_request(status=status), memory=memory)) == "waits Queued"


def test_a_run_is_not_replaced_by_what_may_not_start() -> None:
    replacing = build_spec(concurrency={"policy": "Replace"})
    jobs = (build_observed(10, ready=True),)
    first = look(build_scheduled_job(replacing), 20, jobs)
    job = build_scheduled_job(replacing, status=first.status)
    assert len(look(job, 21, jobs, Remembered(decided_until=at(20))).endings) == 1
    assert look(job, 21, jobs, Remembered(at(20), refusal="x", backlog=FULL.backlog)).endings == ()


def test_a_failed_run_is_tried_again_meanwhile() -> None:
    spec = build_spec(**TICK, retry={"count": 1, "delaySeconds": 2})
    decision = look(build_scheduled_job(spec), 19, (build_observed(10, "Failed"),), FULL)
    assert len(decision.retries) == 1


def test_people_are_told_why() -> None:
    told = describe_stop("Request entity too large")
    assert (told.reason, told.notice) == ("StatusNotStored", Notice.WARNING)
    assert told.note == "nothing starts until the status can be stored: Request entity too large"
