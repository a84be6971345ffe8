"""The step that all share: whose runs it knows, which Jobs it takes for lost, and by which clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.schedule_memory import (
    ASKED,
    CREATOR,
    FAILED,
    FOLLOWING,
    OWNER,
    RETRY,
    SENT,
    build_create,
    build_memory,
    build_retry,
    judge,
)
from testkit.scheduled_job_runs import MANUAL, RUN_UID, build_request
from testkit.scheduled_jobs import (
    TEMPLATE,
    at,
    build_job_item,
    build_observed,
    build_scheduled_job,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answered,
    Denied,
    Postponed,
    Purpose,
    Read,
    Refused,
    Send,
)
from sundial_core.decision.schedule_memory import Finding
from sundial_core.resources.phases import Phase, Trigger, Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.manifests import build_job, build_retry_job
from sundial_core.runs.state import build_run
from sundial_core.status.verdicts import VerdictRecord

NOT_NOW = Denied(429, "TooManyRequests", "")
FOUR = VerdictRecord(at(10), at(40), 4, Verdict.MISSED, Reason.TOO_LATE)


def test_a_track_knows_whose_it_is() -> None:
    memory = build_memory()
    memory.parent = None
    memory.observe(build_scheduled_job(), ())
    assert memory.parent == OWNER


@pytest.mark.parametrize(
    ("known", "status", "requests", "is_lost"),
    [
        pytest.param({}, {}, (), False, id="nobody has asked"),
        pytest.param({"manual_runs": frozenset({RUN_UID})}, {}, (), True, id="seen before"),
        pytest.param({"sent": {RUN_UID}}, {}, (), True, id="its Job was sent"),
        pytest.param({}, {"active": [{"runId": RUN_UID, "trigger": "manual"}]}, (), True, id="as stored"),
        pytest.param({}, {}, (build_request(),), True, id="as its ScheduledJobRun says"),
    ],
)
def test_a_job_of_a_run_that_was_asked_for_is_lost_if_anything_proves_it(
    known: dict[str, Any], status: dict[str, Any], requests: Any, is_lost: object
) -> None:
    memory = build_memory(stored_status=status, **known)
    memory.lose(MANUAL, build_run(MANUAL, (), at(15)), at(15), requests)
    assert bool(memory.lost) is is_lost


def test_a_backfill_is_no_create_of_its_slot() -> None:
    backfill = build_create(replace(ASKED, slot=at(10), trigger=Trigger.BACKFILL))
    assert build_memory(backfill).recall().creating == frozenset()


@pytest.mark.parametrize(("now", "is_noted"), [(609, False), (610, True)])
def test_a_read_is_noted_once_its_attempt_is_overdue(now: float, is_noted: object) -> None:
    memory, item = build_memory(), build_job_item(10)
    run = build_run(parse_job(item), (), at(now))
    assert memory.take_read(run, Answered(item), at(now)) is Finding.THERE
    noted = {run.run_id: at(now)} if is_noted else {}
    assert memory.read_at == memory.recall().read_at == noted
    memory.observe(build_scheduled_job(), [parse_job(item)])
    assert memory.read_at == noted
    memory.observe(build_scheduled_job(), [build_observed(20)])
    assert memory.read_at == {}


def test_a_retry_that_is_begun_too_late_fails_its_run_now() -> None:
    retry = build_retry()
    memory = build_memory(retry)
    assert isinstance(memory.begin(retry, CREATOR, InstallationState(), at(9000)), Refused)
    assert memory.failed[FAILED.run_id].completed_at == at(9000)


def test_a_copy_is_sent_in_the_name_of_who_leads() -> None:
    previous = build_job(replace(RETRY, attempt=1, timeout_seconds=300), TEMPLATE, CREATOR)
    own = {"uid": FAILED.uid, "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:10Z"}
    previous["metadata"] |= own
    retry, creator = build_retry(), replace(CREATOR, term=7)
    memory = build_memory(retry)
    step = memory.take(retry, Read(FAILED.name, Purpose.COPY), Answered(previous), creator, at(15))
    assert step == Send(build_retry_job(previous, FOLLOWING, RETRY, creator))


@pytest.mark.parametrize(("now", "outcome"), [(15, Postponed), (9000, Refused)])
def test_a_refusal_is_judged_by_the_clock(now: float, outcome: type) -> None:
    create = build_create(tries=2)
    assert isinstance(build_memory(create).take(create, SENT, NOT_NOW, CREATOR, at(now)), outcome)


def test_what_was_judged_ahead_is_cut_by_the_slots_of_the_schedule() -> None:
    memory = build_memory(verdicts=[replace(FOUR, last=at(200), count=20)])
    memory.remember(build_scheduled_job(), Decision(decided_until=at(25)), at(25))
    assert memory.verdicts == [replace(FOUR, last=at(80), count=8)]


@pytest.mark.parametrize("field", ["verdicts", "withheld"])
def test_what_is_stored_is_cut_by_the_slots_of_the_schedule(field: str) -> None:
    memory = build_memory(**{field: (FOUR,)})
    memory.observe(build_scheduled_job(status={"cursor": format_instant(at(20))}), ())
    assert list(getattr(memory, field)) == [replace(FOUR, first=at(30), count=2)]


def test_a_retry_that_is_refused_for_good_ends_its_run_whatever_its_job_says() -> None:
    """Its Job has a result, and its Pods are not known to be gone."""
    after, memory = build_observed(10, "FailureTarget", reason="DeadlineExceeded"), build_memory()
    assert build_run(after, (), at(20)).counts_as_active
    memory.fail_retry(after, judge(), at(20))
    run = memory.failed[after.run_id]
    assert (run.phase, run.completed_at, run.counts_as_active) == (Phase.FAILED, at(20), False)
    memory.fail_retry(after, judge(), at(9000))
    assert (memory.failed[after.run_id].reason, memory.failed[after.run_id].message) == ("Rejected", "no")
