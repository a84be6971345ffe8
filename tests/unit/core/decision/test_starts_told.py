"""Starts are told in the status when their Jobs are there: what else has happened is told at once."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_job_runs import build_request
from testkit.scheduled_jobs import (
    LIMITS,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
    read_seconds,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.status.urgency import Urgency
from sundial_core.status.verdicts import VerdictRecord

STORED = look(build_scheduled_job(), 1).status
UNSTORED = VerdictRecord(at(10), at(10), 1, Verdict.SKIPPED, Reason.REJECTED)


WITH_JUDGEMENT = Remembered(decided_until=at(19), verdicts=(UNSTORED,))


def see(
    now: float, *jobs: Any, memory: Remembered | None = None, status: Any = STORED, **how: Any
) -> Decision:
    job = build_scheduled_job(status=status, **how)
    return decide(
        Snapshot(job, build_plan(job), jobs, memory or Remembered(decided_until=at(9))), at(now), LIMITS
    )


def test_a_start_is_told_when_its_job_is_there() -> None:
    due = see(10)
    assert len(due.starts) == 1
    assert (due.is_told_later, due.status, due.urgency) == (True, None, Urgency.NONE)
    there = see(11, build_observed(10), memory=Remembered(decided_until=at(10)))
    assert (there.is_told_later, there.urgency) == (False, Urgency.LAZY)


@pytest.mark.parametrize(
    ("state", "requeue_at"),
    [
        pytest.param({}, 15, id="a slot in ten seconds"),
        pytest.param({"spec": build_spec(schedule={"interval": {"seconds": 2}})}, 12, id="a slot in two"),
    ],
)
def test_it_is_told_soon_though_no_answer_comes(state: dict[str, Any], requeue_at: float) -> None:
    status = look(build_scheduled_job(**state), 1).status
    due = see(10, status=status, **state)
    assert due.is_told_later
    assert due.requeue_at is not None
    assert read_seconds(format_instant(due.requeue_at)) == requeue_at
    later = see(
        15, memory=Remembered(decided_until=at(15), creating=frozenset({at(10)})), status=status, **state
    )
    assert later.status is not None


@pytest.mark.parametrize(
    ("now", "how"),
    [
        pytest.param(10, {"status": None}, id="a schedule that is new"),
        pytest.param(10, {"generation": 2}, id="an edit"),
        pytest.param(10, {"paused": "false", "changed": 5}, id="what was written last"),
        pytest.param(20, {"memory": Remembered()}, id="a slot was missed"),
        pytest.param(
            20, {"memory": Remembered(decided_until=at(19), verdicts=(UNSTORED,))}, id="one is not stored"
        ),
    ],
)
def test_what_else_has_happened_is_told_at_once(now: float, how: dict[str, Any]) -> None:
    decision = see(now, **how)
    assert decision.starts
    assert not decision.is_told_later
    assert decision.status is not None


QUEUE = build_spec(concurrency={"policy": "Queue", "maxInstances": 1}, catchUp={"policy": "All"})
TEN = "2026-01-01T00:00:10Z"
QUEUED = {"queued": [{"slot": TEN, "since": TEN, "reason": "AlreadyActive"}], "cursor": TEN}
PAUSE = "2026-01-01T00:00:05Z"


@pytest.mark.parametrize(
    ("now", "how", "stored"),
    [
        pytest.param(10, {"paused": PAUSE}, {}, id="a pause is over"),
        pytest.param(20, {"spec": QUEUE}, {}, id="another slot waits"),
        pytest.param(12, {"spec": QUEUE}, QUEUED, id="it had waited"),
    ],
)
def test_what_has_changed_is_told_at_once(now: float, how: dict[str, Any], stored: dict[str, Any]) -> None:
    first = look(build_scheduled_job(**how), 1).status
    assert first is not None
    decision = see(now, status=first | stored, **how)
    assert decision.starts
    assert not decision.is_told_later


def test_where_somebody_has_asked_for_a_run_it_is_told_at_once() -> None:
    job = build_scheduled_job(status=STORED)
    snapshot = Snapshot(
        job, build_plan(job), (), Remembered(decided_until=at(9)), run_requests=(build_request(),)
    )
    decision = decide(snapshot, at(10), LIMITS)
    assert decision.starts
    assert not decision.is_told_later


def test_what_was_decided_before_is_written_meanwhile() -> None:
    job = build_scheduled_job(status=STORED)
    plan = build_plan(job)
    memory = ScheduleMemory(job.uid)
    memory.adopt_plan((1, "", 0), plan)
    memory.wanted_status = {"cursor": "earlier"}
    memory.remember(job, see(10), at(10))
    assert memory.wanted_status == {"cursor": "earlier"}
