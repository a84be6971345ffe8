"""The step that operator, simulation and search share: what is kept of a decision, shown, and ordered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testkit.schedule_memory import (
    ASKED,
    BACKLOG,
    CATCH_UP,
    CREATOR,
    FAILED,
    FOLLOWING,
    JOB,
    KEY,
    LATER,
    PLAN,
    PROBLEM,
    REJECTED,
    RETRY,
    SENT,
    SLOT,
    build_create,
    build_memory,
    build_retry,
    judge,
    observe_run,
)
from testkit.scheduled_job_runs import (
    RUN_UID,
    ask,
    build_request,
    build_run_marks,
)
from testkit.scheduled_jobs import (
    TEMPLATE,
    UID,
    at,
    build_observed,
)

from sundial_core.decision.decide import Decision
from sundial_core.decision.job_creation import PendingCreate
from sundial_core.decision.job_deletions import Deletions
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.schedule_memory import Orders, ScheduleMemory
from sundial_core.resources.phases import Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.state import build_lost_run
from sundial_core.status.queued import QueueEntry
from sundial_core.status.urgency import Urgency
from sundial_core.status.verdicts import VerdictRecord


def test_all_that_is_remembered_is_shown() -> None:
    waiting = QueueEntry(at(5), at(5), Reason.ALREADY_ACTIVE)
    lost = build_lost_run(observe_run(build_observed(1)), at(2))
    memory = build_memory(
        build_create(),
        build_create(LATER, refusal="quota", last_refusal="exceeded quota"),
        build_create(replace(SLOT, slot=at(30), run_id="waited"), refusal="quota", served_at=at(31)),
        build_retry(refusal="busy"),
        build_create(ASKED, served_at=at(13)),
        decided_until=at(9),
        verdicts=[judge()],
        queued=(waiting,),
        failed={"f": observe_run()},
        lost={"l": lost},
        ending={"e"},
        rejected={"r": judge()},
        wanted_status={"activeCount": 1},
        reset_at=at(3),
        refusal="too large",
        backlog=BACKLOG,
        withheld=(judge(slot=50),),
    )
    memory.creates["a retry"] = memory.creates.pop(RETRY.run_id)
    memory.creates[SLOT.run_id] = build_create()
    assert memory.recall() == Remembered(
        decided_until=at(9),
        verdicts=(judge(),),
        creating=frozenset({at(10), at(20), at(30)}),
        refused=frozenset({at(20), at(30)}),
        refusals={at(20): "exceeded quota"},
        yielding=frozenset({at(20)}),
        queued=(waiting,),
        retrying=frozenset({"a retry", RUN_UID}),
        landing=frozenset({RUN_UID}),
        ending=frozenset({"e"}),
        failed={"f": observe_run()},
        lost={"l": lost},
        rejected={"r": judge()},
        postponed={"a retry": "busy"},
        decided={"activeCount": 1},
        reset_at=at(3),
        refusal="too large",
        backlog=BACKLOG,
        withheld=(judge(slot=50),),
    )


def test_what_is_shown_stays_as_it_was() -> None:
    memory = build_memory()
    shown = memory.recall()
    memory.failed["f"] = memory.lost["l"] = observe_run()
    memory.rejected["r"] = judge()
    assert shown == Remembered()


def test_a_decision_becomes_orders_once() -> None:
    ending, gone, missing = (
        Termination(FAILED, Reason.CANCELLED),
        build_observed(1),
        observe_run(build_observed(2)),
    )
    decision = Decision(
        endings=(ending,), deletes=Deletions(jobs=(gone,)), missing=(missing,), urgency=Urgency.NONE
    )
    memory = build_memory()
    assert memory.remember(JOB, decision, at(12)) == Orders((), (ending,), (gone,), (missing,))
    assert (memory.ending, memory.deleting, memory.reading) == ({FAILED.uid}, {gone.uid}, {missing.run_id})
    assert memory.remember(JOB, decision, at(13)) == Orders()


def test_what_is_ordered_beside_what_is_under_way() -> None:
    first, second = build_observed(1), build_observed(2)
    memory = build_memory()
    for jobs, news in (((first,), (first,)), ((first, second), (second,))):
        decision = Decision(
            endings=tuple(Termination(job, Reason.CANCELLED) for job in jobs),
            deletes=Deletions(jobs=jobs),
            missing=tuple(map(observe_run, jobs)),
        )
        expected = Orders(
            endings=tuple(Termination(job, Reason.CANCELLED) for job in news),
            deletes=news,
            reads=tuple(map(observe_run, news)),
        )
        assert memory.remember(JOB, decision, at(12)) == expected
    assert memory.ending == memory.deleting == {first.uid, second.uid}
    assert memory.reading == {first.run_id, second.run_id}


def test_a_few_jobs_are_read_at_once_and_each_has_its_turn() -> None:
    runs = tuple(observe_run(build_observed(second)) for second in range(20))
    memory, turns = build_memory(), []
    for _ in range(3):
        orders = memory.remember(JOB, Decision(missing=runs), at(12))
        turns += [run.slot for run in orders.reads]
        assert memory.remember(JOB, Decision(missing=runs), at(12)).reads == ()
        memory.reading.clear()
    assert turns == [run.slot for run in (*runs, *runs[:4])]
    memory.remember(JOB, Decision(missing=runs[:2]), at(12))
    assert memory.times_read.keys() == {run.run_id for run in runs[:2]}


def test_what_is_decided_is_kept_until_it_is_stored() -> None:
    waiting = (QueueEntry(at(5), at(5), Reason.ALREADY_ACTIVE),)
    decision = Decision(
        verdicts=(judge(),),
        queued=waiting,
        decided_until=at(12),
        status={"activeCount": 1},
        urgency=Urgency.LAZY,
        reset_at=at(3),
    )
    known = judge(Reason.ALREADY_ACTIVE, slot=1)
    memory = build_memory(verdicts=[known], decided_until=at(11))
    memory.remember(JOB, decision, at(12))
    assert (memory.verdicts, memory.queued) == ([known, judge()], waiting)
    assert (memory.decided_until, memory.reset_at) == (at(12), at(3))
    assert (memory.wanted_status, memory.wanted_from) == ({"activeCount": 1}, 10)


def test_a_decision_that_judges_nothing_leaves_what_is_judged() -> None:
    memory = build_memory(verdicts=[judge(slot=99)], decided_until=at(11))
    memory.remember(JOB, Decision(), at(12))
    assert (memory.verdicts, memory.decided_until) == ([judge(slot=99)], at(11))


def test_what_the_next_decision_goes_on_from_is_kept() -> None:
    memory = build_memory()
    decision = Decision(backlog=BACKLOG, withheld=(judge(),), is_stopped=True, between=frozenset({"r"}))
    for one in (decision, Decision()):
        memory.remember(JOB, one, at(12))
        kept = (memory.backlog, memory.withheld, memory.is_stopped, memory.between)
        assert kept == (BACKLOG, (judge(),), True, frozenset({"r"}))


@pytest.mark.parametrize(
    ("plan", "decided_slots"),
    [
        pytest.param(PLAN, [replace(judge(), last=at(20), count=2)], id="in one"),
        pytest.param(PROBLEM, [judge(), judge(slot=20)], id="each by itself under a wrong spec"),
    ],
)
def test_judgements_that_are_alike_are_kept(plan: Plan | Problem, decided_slots: list[VerdictRecord]) -> None:
    memory = ScheduleMemory(UID, plan=plan, verdicts=[judge()])
    memory.remember(JOB, Decision(verdicts=(judge(slot=20),)), at(20))
    assert memory.verdicts == decided_slots


def test_a_refusal_is_kept_with_the_judgement_before_it() -> None:
    create = build_create(LATER)
    memory = build_memory(create, verdicts=[judge()])
    memory.take(create, SENT, REJECTED, CREATOR, at(25))
    assert memory.verdicts == [replace(judge(), last=at(20), count=2)]


def test_what_was_withheld_is_final_under_another_spec() -> None:
    reasons = (Reason.REJECTED, Reason.ALREADY_ACTIVE, Reason.TOO_LATE)
    withheld = tuple(judge(reason, slot) for reason, slot in zip(reasons, (10, 20, 30), strict=True))
    memory = build_memory(withheld=withheld, decided_until=at(5))
    memory.adopt_plan((2, "", 0), PLAN)
    assert (memory.verdicts, memory.withheld, memory.decided_until) == (list(withheld), (), at(30))


def test_where_nothing_was_withheld_another_spec_leaves_what_is_judged() -> None:
    memory = build_memory(decided_until=at(5))
    memory.adopt_plan((2, "", 0), PLAN)
    assert (memory.withheld, memory.decided_until) == ((), at(5))


def test_a_status_that_need_not_be_written_is_not_wanted() -> None:
    memory = build_memory(wanted_status={"activeCount": 1})
    memory.remember(JOB, Decision(status={"activeCount": 2}, urgency=Urgency.NONE), at(12))
    assert memory.wanted_status is None
    assert memory.build_patch(JOB) is None


@pytest.mark.parametrize(("ahead", "is_kept"), [(60, True), (61, False)])
def test_judgements_of_a_clock_that_was_ahead_are_dropped(ahead: float, is_kept: object) -> None:
    memory = build_memory(verdicts=[judge(slot=12 + ahead)], decided_until=at(500))
    memory.remember(JOB, Decision(decided_until=at(12)), at(12))
    assert (bool(memory.verdicts), memory.decided_until) == (is_kept, at(12))


@pytest.mark.parametrize(
    ("create", "is_kept"),
    [
        pytest.param(build_create(), False, id="that slot's"),
        pytest.param(build_create(LATER), True, id="another slot's"),
        pytest.param(build_retry(), True, id="a retry for that slot"),
        pytest.param(build_create(replace(ASKED, slot=at(10))), True, id="a backfill for that slot"),
    ],
)
def test_a_verdict_ends_the_create_of_its_slot_only(create: PendingCreate, is_kept: object) -> None:
    memory = build_memory(create)
    memory.remember(JOB, Decision(verdicts=(judge(),)), at(12))
    assert (create.attempt.run_id in memory.creates) is is_kept


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(Decision(starts=(SLOT,)), PendingCreate(SLOT, TEMPLATE, CATCH_UP, at(12)), id="a slot"),
        pytest.param(
            Decision(starts=(SLOT,), served=frozenset({at(10)})),
            PendingCreate(SLOT, TEMPLATE, CATCH_UP, at(12), served_at=at(12)),
            id="a slot that waited",
        ),
        pytest.param(
            Decision(starts=(SLOT,), served=frozenset({at(20)})),
            PendingCreate(SLOT, TEMPLATE, CATCH_UP, at(12)),
            id="a slot, another waited",
        ),
        pytest.param(
            Decision(retries=(FOLLOWING,)),
            PendingCreate(RETRY, {}, CATCH_UP, at(12), FOLLOWING),
            id="a retry",
        ),
        pytest.param(
            replace(ask(build_request()), starts=(), verdicts=()),
            PendingCreate(ASKED, TEMPLATE, CATCH_UP, at(12), served_at=at(12)),
            id="asked for",
        ),
    ],
)
def test_what_is_to_be_created_is_noted_as_it_was_decided(
    decision: Decision, expected: PendingCreate
) -> None:
    memory = build_memory(build_create(LATER))
    orders = memory.remember(JOB, decision, at(12))
    run_id = expected.attempt.run_id
    assert (orders.creates, memory.creates[run_id]) == ((run_id,), expected)
    assert LATER.run_id in memory.creates


def test_under_a_wrong_spec_only_retries_are_created() -> None:
    memory = ScheduleMemory(UID)
    memory.adopt_plan(KEY, PROBLEM)
    orders = memory.remember(JOB, Decision(starts=(LATER,), retries=(FOLLOWING,)), at(12))
    assert orders.creates == (FAILED.run_id,)
    assert memory.creates[FAILED.run_id].catch_up == CatchUp()


def test_a_retry_of_a_run_that_was_asked_for_stays_one() -> None:
    failed = build_observed(None, "Failed", **build_run_marks())
    memory = build_memory()
    memory.remember(JOB, Decision(retries=(replace(FOLLOWING, after=failed),)), at(12))
    attempt = memory.creates[RUN_UID].attempt
    assert (attempt.trigger, attempt.slot) == (Trigger.MANUAL, None)


@pytest.mark.parametrize(
    ("create", "is_kept"),
    [
        pytest.param(build_retry(refusal="quota"), False, id="refused until now"),
        pytest.param(build_retry(), True, id="it may land"),
        pytest.param(
            build_create(LATER, refusal="quota", last_refusal="exceeded quota"), True, id="another run's"
        ),
    ],
)
def test_ending_an_attempt_gives_up_the_next_one_that_nobody_will_see(
    create: PendingCreate, is_kept: object
) -> None:
    memory = build_memory(create)
    memory.remember(JOB, Decision(endings=(Termination(FAILED, Reason.CANCELLED),)), at(12))
    assert (create.attempt.run_id in memory.creates) is is_kept
