"""The step that operator, simulation and search share: what is learned from answers and from the watches."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from testkit.schedule_memory import (
    ASKED,
    CREATOR,
    FAILED,
    NOT_FOUND,
    REJECTED,
    SENT,
    SLOT,
    build_create,
    build_memory,
    build_retry,
    judge,
    observe_run,
)
from testkit.scheduled_job_runs import RUN_UID, build_request
from testkit.scheduled_jobs import (
    at,
    build_job_item,
    build_observed,
    build_scheduled_job,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answer,
    Answered,
    Created,
    CreateOutcome,
    CreateRequest,
    Denied,
    Dropped,
    PendingCreate,
    Postponed,
    Purpose,
    Read,
    Refused,
    Send,
    Unanswered,
)
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.phases import Phase, Trigger, Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_lost_run
from sundial_core.status.verdicts import VerdictRecord


def test_a_create_is_begun_by_the_rules_of_now() -> None:
    create = build_create()
    memory = build_memory(create)
    assert memory.begin(create, CREATOR, InstallationState(), at(12)) == SENT


def test_what_a_hold_keeps_back_is_settled_at_once() -> None:
    create = build_create()
    memory = build_memory(create)
    held = InstallationState(starts_held_by="SUNDIAL_HOLD")
    record = VerdictRecord(at(10), at(10), 1, Verdict.MISSED, Reason.HELD, "starts are held by SUNDIAL_HOLD")
    assert memory.begin(create, CREATOR, held, at(12)) == Refused(record)
    assert (memory.creates, memory.verdicts) == ({}, [record])


@pytest.mark.parametrize("known", [(), (build_create(),)], ids=["given up", "decided anew"])
def test_what_is_no_longer_wanted_is_not_begun(known: tuple[PendingCreate, ...]) -> None:
    create, memory = build_create(), build_memory(*known)
    assert memory.begin(create, CREATOR, InstallationState(), at(12)) == Dropped()
    assert (create.tries, list(memory.creates.values())) == (0, list(known))


@pytest.mark.parametrize(
    ("request_", "answer", "expected", "is_kept"),
    [
        pytest.param(SENT, Answered(build_job_item(10)), Created(build_job_item(10)), False, id="created"),
        pytest.param(SENT, REJECTED, Refused(judge()), False, id="refused"),
        pytest.param(SENT, Unanswered(), Postponed(0.5), True, id="later"),
        pytest.param(
            SENT,
            Denied(409, "AlreadyExists", ""),
            Read(SLOT.job_name, Purpose.ADOPT),
            True,
            id="another request first",
        ),
    ],
)
def test_a_create_stays_until_something_has_come_of_it(
    request_: CreateRequest, answer: Answer, expected: CreateOutcome, is_kept: object
) -> None:
    create = build_create()
    memory = build_memory(create)
    assert memory.take(create, request_, answer, CREATOR, at(15)) == expected
    assert (SLOT.run_id in memory.creates) is is_kept


def test_a_run_whose_attempt_before_is_gone_is_not_tried_again() -> None:
    retry = build_retry()
    memory = build_memory(retry)
    request = Read(FAILED.name, Purpose.COPY)
    assert memory.take(retry, request, NOT_FOUND, CREATOR, at(15)) == Dropped()
    assert memory == build_memory()


FAILED_RUN = Run(
    run_id=FAILED.run_id,
    slot=at(10),
    trigger=Trigger.SCHEDULE,
    attempt=1,
    job_name=FAILED.name,
    phase=Phase.FAILED,
    reason="Rejected",
    message="no",
    started_at=at(10),
    completed_at=at(15),
    counts_as_active=False,
)


@pytest.mark.parametrize(
    ("create", "kept"),
    [
        pytest.param(build_create(), {"verdicts": [judge()]}, id="a slot: its verdict"),
        pytest.param(
            build_retry(), {"failed": {FAILED.run_id: FAILED_RUN}}, id="a retry: its run has failed"
        ),
        pytest.param(
            build_create(ASKED, served_at=at(13)),
            {"rejected": {RUN_UID: judge(slot=13)}},
            id="asked for: its answer",
        ),
        pytest.param(
            build_create(replace(ASKED, slot=at(10), trigger=Trigger.BACKFILL), served_at=at(13)),
            {"rejected": {RUN_UID: judge()}},
            id="a backfill: its answer",
        ),
    ],
)
def test_where_a_refusal_is_kept(create: PendingCreate, kept: dict[str, Any]) -> None:
    create = replace(create)
    memory = build_memory(create)
    sent = Send({"spec": {"activeDeadlineSeconds": 300}})
    assert isinstance(memory.take(create, sent, REJECTED, CREATOR, at(15)), Refused)
    assert memory == build_memory(**kept)


def test_an_answer_to_what_was_decided_anew_changes_nothing() -> None:
    old, new = build_create(), build_create()
    memory = build_memory(new)
    assert memory.take(old, SENT, REJECTED, CREATOR, at(15)) == Refused(judge())
    assert memory.creates[SLOT.run_id] is new
    assert memory.verdicts == []


@pytest.mark.parametrize(
    ("answer", "is_lost"),
    [
        pytest.param(NOT_FOUND, True, id="gone"),
        pytest.param(Denied(403, "Forbidden", ""), False, id="not to be read"),
        pytest.param(Unanswered(), False, id="no answer"),
        pytest.param(Answered(build_job_item(10)), False, id="there"),
    ],
)
def test_only_a_404_tells_that_a_job_is_gone(answer: Answer, is_lost: object) -> None:
    memory, run = build_memory(), observe_run(build_observed(10))
    memory.take_read(run, answer, at(15))
    assert memory.lost == ({run.run_id: build_lost_run(run, at(15))} if is_lost else {})


ACTIVE = {"active": [{"runId": FAILED.run_id, "retryAt": "2026-01-01T00:00:20Z"}]}
BETWEEN = {"active": [{"runId": FAILED.run_id}]}


@pytest.mark.parametrize(
    ("wanted", "stored", "phase"),
    [
        pytest.param(None, {}, "Failed", id="it was over"),
        pytest.param(None, ACTIVE, "Cancelled", id="between two attempts, as stored"),
        pytest.param(ACTIVE, {}, "Cancelled", id="between two attempts, as decided"),
        pytest.param({}, ACTIVE, "Cancelled", id="nothing newer is decided"),
        pytest.param(BETWEEN, ACTIVE, "Failed", id="no longer, as decided"),
        pytest.param(None, BETWEEN, "Failed", id="its only attempt"),
        pytest.param(
            None, {"active": [ACTIVE["active"][0] | {"runId": "other"}]}, "Failed", id="another run is"
        ),
    ],
)
def test_a_job_that_is_deleted_between_two_attempts_cancels_its_run(
    wanted: Any, stored: dict[str, Any], phase: str
) -> None:
    memory, run = build_memory(wanted_status=wanted, stored_status=stored), observe_run()
    memory.lose(FAILED, run, at(15))
    waiting = replace(run, phase=Phase.WAITING) if phase == "Cancelled" else run
    assert memory.lost == {FAILED.run_id: build_lost_run(waiting, at(15))}
    assert memory.lost[FAILED.run_id].phase == phase


@pytest.mark.parametrize(("run_id", "phase"), [(FAILED.run_id, "Cancelled"), ("other", "Failed")])
def test_a_run_between_two_attempts_that_no_status_lists_is_cancelled_too(run_id: str, phase: str) -> None:
    memory = build_memory(between=frozenset({run_id}))
    memory.lose(FAILED, observe_run(), at(15))
    assert memory.lost[FAILED.run_id].phase == phase


@pytest.mark.parametrize(
    ("known", "is_replaced"), [(1, True), (2, False)], ids=["the same attempt", "a newer one"]
)
def test_the_newest_attempt_that_is_lost_tells(known: int, is_replaced: object) -> None:
    memory = build_memory()
    earlier = build_lost_run(observe_run(build_observed(10, attempt=known)), at(13))
    memory.lost[FAILED.run_id] = earlier
    memory.lose(FAILED, observe_run(), at(15))
    assert (memory.lost[FAILED.run_id] is not earlier) is is_replaced


def stored_until(cursor: datetime, **status: Any) -> ScheduledJob:
    return build_scheduled_job(status={"cursor": format_instant(cursor)} | status)


ENDED = build_lost_run(observe_run(), at(15))


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ("verdicts", [judge()]),
        ("withheld", (judge(),)),
        ("lost", {FAILED.run_id: ENDED}),
        ("failed", {FAILED.run_id: ENDED}),
    ],
)
def test_before_a_decision_what_is_stored_by_now_is_forgotten(field: str, kept: Any) -> None:
    memory = build_memory(**{field: kept})
    memory.observe(stored_until(at(9)), ())
    assert getattr(memory, field) == kept
    memory.observe(stored_until(at(10)), ())
    assert not getattr(memory, field)


def test_before_a_decision_jobs_and_answers_that_are_seen_by_now_are_forgotten() -> None:
    memory = build_memory(build_create(), build_create(ASKED, served_at=at(13)))
    job = stored_until(at(9))
    memory.observe(job, [build_observed(10)], [build_request()])
    assert (list(memory.creates), memory.stored_status) == ([RUN_UID], job.status)
    memory.observe(job, [])
    assert memory.creates == {}
