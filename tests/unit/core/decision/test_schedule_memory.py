"""What a process remembers of a schedule until it is stored, and what it forgets."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    RUN_UID,
    ask,
    build_request,
    build_run_marks,
)
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    list_starts,
    look,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision
from sundial_core.decision.job_creation import (
    Answer,
    Denied,
    PendingCreate,
    Send,
)
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.resources import names
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.manifests import Creator
from sundial_core.runs.state import build_lost_run, build_run
from sundial_core.status.queued import QueueEntry
from sundial_core.status.stored import StoredStatus, parse_stored_status
from sundial_core.status.verdicts import VerdictRecord

KEY = (1, "", 0)
CREATOR = Creator("team.x", "one", 1)
REJECTED = Denied(422, "Invalid", "no")


def name_run(slot: float) -> str:
    """Name the run of a slot."""
    return names.build_run_id(UID, at(slot))


def build_memory(now: float = 10, **fields: Any) -> ScheduleMemory:
    """Build the track of a schedule that was looked at once."""
    job = build_scheduled_job(build_spec(**fields))
    memory = ScheduleMemory(UID)
    memory.observe(job, ())
    memory.adopt_plan(KEY, build_plan(job))
    memory.remember(job, look(job, now), at(now))
    return memory


def answer(memory: ScheduleMemory, create: PendingCreate, to: Answer) -> None:
    """Let a create be sent and answered."""
    memory.take(create, Send({"spec": {"activeDeadlineSeconds": 300}}), to, CREATOR, at(15))


def build_stored(cursor: float | None, **status: Any) -> StoredStatus:
    """Build what is stored once the cursor has reached an instant."""
    return parse_stored_status(
        status | ({"cursor": format_instant(at(cursor))} if cursor is not None else {})
    )


def skipped(slot: float) -> VerdictRecord:
    return VerdictRecord(at(slot), at(slot), 1, Verdict.SKIPPED, Reason.ALREADY_ACTIVE)


def stored(cursor: float, **fields: Any) -> StoredStatus:
    return parse_stored_status({"cursor": format_instant(at(cursor))} | fields)


def test_what_starts_is_being_created_as_it_was_decided() -> None:
    memory = build_memory(args={"n": 1}, catchUp={"policy": "All"})
    memory.adopt_plan((2, "", 0), build_plan(build_scheduled_job(build_spec(args={"n": 2}))))
    create = memory.creates[name_run(10)]
    assert (create.attempt.args, create.catch_up.policy) == ({"n": 1}, "All")
    assert memory.recall().creating == {at(10)}


def test_a_track_remembers_how_far_it_judged_and_never_less() -> None:
    memory = build_memory(12)
    job = build_scheduled_job()
    memory.remember(job, look(job, 7), at(12))
    assert memory.recall().decided_until == at(12)


def test_judgements_stay_until_the_cursor_has_passed_them() -> None:
    memory = build_memory()
    memory.verdicts = [skipped(20), skipped(30), skipped(40)]
    memory.forget_stored(build_stored(30))
    assert memory.recall().verdicts == (skipped(40),)


def test_judgements_on_slots_in_a_row_are_remembered_as_one() -> None:
    memory = build_memory(5)
    for decided_slots in ((skipped(10), skipped(20)), (skipped(30),)):
        memory.remember(build_scheduled_job(), Decision(verdicts=decided_slots), at(30))
    assert [(one.first, one.last, one.count) for one in memory.verdicts] == [(at(10), at(30), 3)]


def test_a_slot_that_had_waited_is_remembered_by_itself() -> None:
    memory = build_memory(5)
    memory.queued = (QueueEntry(at(10), at(10), Reason.ALREADY_ACTIVE),)
    memory.remember(build_scheduled_job(), Decision(verdicts=(skipped(10), skipped(20))), at(20))
    assert memory.verdicts == [skipped(10), skipped(20)]


def test_nothing_is_forgotten_before_anything_is_stored() -> None:
    memory = build_memory()
    memory.verdicts = [skipped(20)]
    memory.forget_stored(build_stored(None))
    assert memory.verdicts == [skipped(20)]


@pytest.mark.parametrize(
    ("cursor", "active", "is_kept"),
    [
        pytest.param(5, False, True, id="its start is not stored"),
        pytest.param(15, True, True, id="its end is not stored"),
        pytest.param(15, False, False, id="both are stored"),
    ],
)
def test_a_lost_run_stays_until_its_end_is_stored(cursor: float, active: Any, is_kept: Any) -> None:
    memory = build_memory()
    run = build_lost_run(build_run(build_observed(10), (), at(12)), at(12))
    memory.lost[run.run_id] = run
    memory.forget_stored(build_stored(cursor, active=[{"runId": run.run_id}] if active else []))
    assert (run.run_id in memory.recall().lost) is is_kept


def test_of_two_deleted_jobs_of_a_run_the_newest_attempt_tells_how_it_ended() -> None:
    memory = build_memory()
    newest, first = build_observed(10, attempt=2), build_observed(10, "Failed")
    for job in (newest, first):
        memory.lose(job, build_run(job, (), at(12)), at(12))
    assert [run.phase for run in memory.lost.values()] == ["Cancelled"]


@pytest.mark.parametrize(
    ("seen", "is_kept"),
    [
        pytest.param(build_observed(10), False, id="its Job"),
        pytest.param(build_observed(20), True, id="the Job of another slot"),
        pytest.param(build_observed(10, attempt=2), True, id="another attempt"),
        pytest.param(build_observed(10, run_id="other"), True, id="another run for the slot"),
        pytest.param(build_observed(None, trigger="manual"), True, id="a manual run"),
    ],
)
def test_a_create_stays_until_its_job_is_seen(seen: Any, is_kept: Any) -> None:
    memory = build_memory()
    memory.forget_created([seen])
    assert (name_run(10) in memory.creates) is is_kept


def test_a_create_that_failed_leaves_its_verdict() -> None:
    memory = build_memory()
    answer(memory, memory.creates[name_run(10)], REJECTED)
    assert (memory.creates, [one.reason for one in memory.verdicts]) == ({}, [Reason.REJECTED])


def test_a_judgement_that_comes_after_the_job_was_seen_is_dropped() -> None:
    memory = build_memory()
    create = memory.creates[name_run(10)]
    memory.forget_created([build_observed(10)])
    answer(memory, create, REJECTED)
    assert memory.verdicts == []


def test_what_is_decided_instead_ends_a_create() -> None:
    memory = build_memory()
    memory.creates[name_run(10)].refusal = "quota"
    assert memory.recall().yielding == {at(10)}
    job = build_scheduled_job()
    memory.remember(job, look(job, 20, memory=memory.recall()), at(20))
    assert list(memory.creates) == [name_run(20)]
    assert [record.reason for record in memory.verdicts] == [Reason.CREATE_FAILED]


@pytest.mark.parametrize("policy", ["None", "All"])
def test_only_under_latest_a_refused_create_yields(policy: str) -> None:
    memory = build_memory(catchUp={"policy": policy})
    memory.creates[name_run(10)].refusal = "quota"
    assert memory.recall().yielding == frozenset()


def test_of_another_schedule_nothing_is_judged_yet() -> None:
    memory = build_memory(19)
    edited = build_spec(schedule={"interval": {"seconds": 6}})
    job = build_scheduled_job(edited, changed=11, generation=2, status=look(build_scheduled_job(), 5).status)
    memory.adopt_plan((2, "", 0), build_plan(job))
    assert list_starts(look(job, 20, (build_observed(10, "Complete"),), memory.recall())) == [12]


def test_what_the_old_schedule_judged_stays_judged() -> None:
    memory = build_memory(19)
    memory.verdicts = [skipped(12)]
    memory.adopt_plan((2, "", 0), build_plan(build_scheduled_job(build_spec(schedule={"cron": "* * * * *"}))))
    assert memory.recall().decided_until == at(12)


def test_another_generation_of_the_same_schedule_stays_judged() -> None:
    memory = build_memory(19)
    memory.adopt_plan((2, "", 0), build_plan(build_scheduled_job(build_spec(args={"n": 2}))))
    assert (memory.recall().decided_until, memory.plan_key) == (at(19), (2, "", 0))


def test_a_status_that_waits_to_be_stored_is_remembered() -> None:
    memory = build_memory()
    memory.wanted_status = {"effectiveFrom": "2026-01-01T00:00:05Z"}
    assert memory.recall().decided == {"effectiveFrom": "2026-01-01T00:00:05Z"}


def test_a_restart_forgets_and_finds_the_same_again() -> None:
    decision = look(build_scheduled_job(), 20, (build_observed(10),), ScheduleMemory(UID).recall())
    assert read_verdicts(decision.status) == ["10 Started", "20 Skipped AlreadyActive"]


def build_asked_memory() -> ScheduleMemory:
    """Build the track of a schedule one of whose runs was asked for and is being created."""
    memory = build_memory(5)
    memory.remember(build_scheduled_job(), ask(build_request()), at(13))
    return memory


def test_a_run_that_was_asked_for_is_created_as_it_was_decided() -> None:
    memory = build_asked_memory()
    assert memory.recall().retrying == {RUN_UID}
    assert memory.creates[RUN_UID].due_at == at(13)
    memory.forget_created([build_observed(None, **build_run_marks())])
    assert memory.recall().retrying == frozenset()


@pytest.mark.parametrize(
    ("asked", "is_kept"),
    [
        pytest.param((build_request(),), True, id="still wanted"),
        pytest.param((), False, id="deleted"),
        pytest.param((build_request(is_deleting=True),), False, id="being deleted"),
    ],
)
def test_deleting_one_that_waits_cancels_it(asked: Any, is_kept: Any) -> None:
    memory = build_asked_memory()
    memory.rejected[RUN_UID] = skipped(10)
    memory.forget_answered(asked)
    assert (RUN_UID in memory.creates) is (RUN_UID in memory.rejected) is is_kept


@pytest.mark.parametrize(("results", "is_kept"), [((), True), ((RUN_UID,), False)])
def test_a_lost_run_that_was_asked_for_stays_until_its_result_is_stored(results: Any, is_kept: Any) -> None:
    memory = build_memory()
    run = build_lost_run(build_run(build_observed(None, **build_run_marks()), (), at(14)), at(14))
    memory.lost[run.run_id] = run
    entries = [{"runId": uid, "result": "Cancelled", "verdict": "Started"} for uid in results]
    memory.forget_stored(build_stored(99, recentSlots=entries))
    assert (run.run_id in memory.recall().lost) is is_kept
