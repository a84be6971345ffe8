"""Which slots get a place, which wait for one, which are dropped, and whose place they take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    describe_verdict,
    list_starts,
    list_verdicts,
    look,
    read_seconds,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.concurrency import Capacity, place_slots
from sundial_core.decision.decide import Decision
from sundial_core.decision.remembered import Remembered
from sundial_core.resources import names
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import Concurrency
from sundial_core.runs.early_ends import list_replaced
from sundial_core.status.queued import QueueEntry
from sundial_core.status.urgency import Urgency

QUEUE = {"concurrency": {"policy": "Queue"}}
REPLACE = {"concurrency": {"policy": "Replace"}}
JUDGED = Remembered(decided_until=at(20))


def rule(policy: str, limit: int = 1, queued: int | None = None) -> Concurrency:
    fields = {"policy": policy, "maxInstances": limit}
    return Concurrency.model_validate(fields | ({"maxQueued": queued} if queued else {}))


def waits(*slots: float, reason: Reason = Reason.ALREADY_ACTIVE) -> list[QueueEntry]:
    return [QueueEntry(at(slot), at(slot), reason) for slot in slots]


def in_seconds(slots: Iterable[Any]) -> list[float]:
    return [read_seconds(format_instant(slot)) for slot in slots]


@pytest.mark.parametrize(
    ("concurrency", "active", "waiting", "expected"),
    [
        pytest.param(
            *(rule("Forbid"), 0, [], ([30], [], ["40 Skipped AlreadyActive", "50 Skipped AlreadyActive"])),
            id="Forbid, one place",
        ),
        pytest.param(
            rule("Forbid", 2), 1, [], ([30], [], ["40 Skipped AlreadyActive", "50 Skipped AlreadyActive"])
        ),
        pytest.param(rule("Forbid", 3), 0, [], ([30, 40, 50], [], []), id="Forbid, three places"),
        pytest.param(rule("Allow"), 99, [], ([30, 40, 50], [], []), id="Allow"),
        pytest.param(*(rule("Queue"), 0, [], ([30], [40], ["50 Skipped QueueFull"])), id="Queue, one place"),
        pytest.param(
            *(rule("Queue"), 1, [], ([], [30], ["40 Skipped QueueFull", "50 Skipped QueueFull"])),
            id="Queue, none free",
        ),
        pytest.param(rule("Queue", queued=3), 1, [], ([], [30, 40, 50], []), id="Queue, three may wait"),
        pytest.param(
            *(rule("Queue", 2, 2), 1, [10], ([10], [30, 40], ["50 Skipped QueueFull"])),
            id="Queue, the oldest is served before any new one",
        ),
        pytest.param(
            *(rule("Queue", 3, 2), 0, [10, 20], ([10, 20, 30], [40, 50], [])), id="Queue, room for all"
        ),
        pytest.param(
            *(rule("Replace"), 0, [], ([30], [50], ["40 Skipped Replaced"])), id="Replace, one place"
        ),
        pytest.param(
            *(rule("Replace"), 1, [20], ([], [50], [f"{n} Skipped Replaced" for n in (20, 30, 40)])),
            id="Replace, a newer one takes the place of the older",
        ),
        pytest.param(
            *(rule("Replace", 2), 2, [], ([], [40, 50], ["30 Skipped Replaced"])),
            id="Replace, one waits for each place",
        ),
        pytest.param(
            *(rule("Forbid"), 0, [10], ([10], [], [f"{n} Skipped AlreadyActive" for n in (30, 40, 50)])),
            id="Forbid, one waits from before the edit",
        ),
        pytest.param(
            *(rule("Allow"), 5, [10], ([10, 30, 40, 50], [], [])), id="Allow, one waits from before the edit"
        ),
    ],
)
def test_who_starts_who_waits_who_is_skipped(
    concurrency: Concurrency, active: int, waiting: list[float], expected: Any
) -> None:
    slots = [at(30), at(40), at(50)]
    placement = place_slots(slots, waits(*waiting), Capacity(concurrency, active), at(55))
    verdicts = [describe_verdict(record) for record in placement.verdicts]
    found = in_seconds(placement.starts), in_seconds(one.slot for one in placement.waiting), verdicts
    assert found == expected


def test_messages_say_what_is_full() -> None:
    (full,) = place_slots([at(30)], waits(10), Capacity(rule("Queue"), 1), at(30)).verdicts
    assert full.message == "1 waiting; concurrency.maxQueued is 1"
    (skipped,) = place_slots([at(30)], [], Capacity(rule("Forbid", 2), 3), at(30)).verdicts
    assert skipped.message == "3 active or being created; concurrency.maxInstances is 2"


def see(
    now: float, *jobs: Any, queued: Iterable[float] = (20,), memory: Remembered = JUDGED, **how: Any
) -> Decision:
    """Look at a schedule where these slots wait, as the status says."""
    first = look(build_scheduled_job(build_spec(**QUEUE)), 11, (build_observed(10),)).status
    entries = [
        {"slot": format_instant(at(slot)), "since": format_instant(at(slot)), "reason": "AlreadyActive"}
        for slot in queued
    ]
    status = (first or {}) | {"queued": entries, "cursor": format_instant(at(max([20, *queued])))}
    spec = build_spec(**(QUEUE | how.pop("spec", {})))
    return look(build_scheduled_job(spec, status=status, **how), now, jobs, memory)


def list_queued(decision: Decision) -> list[float]:
    assert decision.status is not None
    return [read_seconds(entry["slot"]) for entry in decision.status.get("queued", [])]


ACTIVE = build_observed(10)
ENDED = build_observed(10, "Complete", ended=24)


def test_a_slot_waits_and_the_cursor_passes_it() -> None:
    decision = look(build_scheduled_job(build_spec(**QUEUE)), 20.5, (ACTIVE,))
    assert (list_starts(decision), list_queued(decision)) == ([], [20])
    assert decision.status is not None
    assert decision.status["cursor"] == format_instant(at(20))
    assert decision.status["queued"][0]["reason"] == "AlreadyActive"
    assert decision.urgency is Urgency.NOW
    assert read_verdicts(decision.status) == ["10 Started"]


def test_a_slot_that_waits_starts_when_a_place_is_free_however_late() -> None:
    decision = see(5000, build_observed(10, "Complete", ended=4999))
    assert (list_starts(decision), decision.served) == ([20], {at(20)})
    assert list_queued(decision)[0] == 20, "it waits until its Job is seen"


def test_a_slot_that_is_being_created_waits_on_and_is_not_started_again() -> None:
    decision = see(25, ENDED, memory=Remembered(decided_until=at(20), creating=frozenset({at(20)})))
    assert (list_starts(decision), list_queued(decision)) == ([], [20])


def test_the_place_of_a_slot_that_is_being_created_is_taken() -> None:
    memory = Remembered(decided_until=at(24), creating=frozenset({at(20)}))
    decision = see(25, ENDED, queued=[20, 21], memory=memory)
    assert (list_starts(decision), list_queued(decision)) == ([], [20, 21])


def test_a_slot_leaves_the_list_when_its_job_is_seen_and_counts_once() -> None:
    decision = see(26, ENDED, build_observed(20, created=25))
    assert list_queued(decision) == []
    assert read_verdicts(decision.status) == ["10 Started Succeeded", "20 Started"]
    assert decision.status is not None
    assert decision.status["counters"] == {"verdicts": {"started": 2}}
    again = look(build_scheduled_job(build_spec(**QUEUE), status=decision.status), 27, (ENDED,), JUDGED)
    assert again.status is not None
    assert again.status["counters"] == {"verdicts": {"started": 2}}


def test_the_job_of_a_slot_that_waits_is_kept() -> None:
    spec = {"history": {"successful": 0}}
    done = build_observed(20, "Complete", created=25, ended=26)
    assert see(5000, done, spec=spec).deletes.jobs == ()


@pytest.mark.parametrize(
    ("how", "now", "expected"),
    [
        pytest.param({}, 25, [], id="nothing has happened"),
        pytest.param({"spec": {"suspend": True}}, 25, ["20 Skipped QueueDropped"], id="suspended"),
        pytest.param({"paused": "true"}, 25, ["20 Skipped QueueDropped"], id="paused"),
        pytest.param({"paused": "2026-01-01T01:00:00Z"}, 25, ["20 Skipped QueueDropped"], id="for an hour"),
        pytest.param(
            {"paused": "2026-01-01T00:00:22Z"}, 25, ["20 Skipped QueueDropped"], id="paused meanwhile"
        ),
        pytest.param(
            {"spec": {"schedule": {"interval": {"hours": 1}}}, "changed": 23, "generation": 2},
            *(25, ["20 Skipped QueueDropped"]),
            id="another schedule",
        ),
        pytest.param(
            {"spec": {"args": {"n": 2}}, "changed": 23, "generation": 2}, 25, [], id="other arguments"
        ),
        pytest.param({"cancel": "2026-01-01T00:00:20Z"}, 25, ["20 Skipped Cancelled"], id="cancelled"),
        pytest.param(
            {"cancel": "rubbish, 2026-01-01T01:00:20+01:00"},
            *(25, ["20 Skipped Cancelled"]),
            id="cancelled among others",
        ),
        pytest.param({"cancel": "2026-01-01T00:00:30Z"}, 25, [], id="another slot cancelled"),
        pytest.param(
            {"cancel": "2026-01-01T00:00:20Z", "spec": {"suspend": True}},
            *(25, ["20 Skipped Cancelled"]),
            id="cancelled and suspended",
        ),
    ],
)
def test_what_drops_a_slot_that_waits(how: dict[str, Any], now: float, expected: list[str]) -> None:
    decision = see(now, ACTIVE, **how)
    assert list_verdicts(decision) == expected
    assert list_queued(decision) == ([] if expected else [20])
    assert read_verdicts(decision.status) == ["10 Started", *expected]


def test_the_end_of_the_schedule_drops_what_waits() -> None:
    schedule = {"interval": {"seconds": 10}, "endsAt": "2026-01-01T00:00:20Z"}
    job = build_scheduled_job(build_spec(**QUEUE, schedule=schedule))
    assert look(job, 20, (ACTIVE,)).requeue_at == at(20.000001)
    decision = look(job, 20.5, (ACTIVE,))
    assert (list_verdicts(decision), list_queued(decision)) == (["20 Skipped QueueDropped"], [])


def test_a_slot_that_is_being_created_is_not_cancelled_while_it_may_land() -> None:
    memory = Remembered(decided_until=at(20), creating=frozenset({at(20)}))
    assert list_verdicts(see(25, ENDED, memory=memory, cancel="2026-01-01T00:00:20Z")) == []


@pytest.mark.parametrize("reason", ["TaskFunctionNotFound", "InvalidSpec", "TooFrequent"])
def test_what_waits_stays_while_the_spec_is_of_no_use_and_after(reason: str) -> None:
    waiting, since = see(25, ACTIVE, memory=Remembered()), format_instant(at(25))
    useless = {"type": "Ready", "status": "False", "reason": reason, "lastTransitionTime": since}
    status = (waiting.status or {}) | {"conditions": [useless]}
    mended = look(build_scheduled_job(build_spec(**QUEUE), status=status), 29, (ACTIVE,))
    assert (list_verdicts(mended), list_queued(mended)) == ([], [20])
    served = build_scheduled_job(build_spec(**QUEUE), status=mended.status)
    assert list_starts(look(served, 29.5, (build_observed(10, "Complete", ended=29),))) == [20]


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        pytest.param(False, [], id="unanswered: it may exist"),
        pytest.param(True, ["20 Skipped QueueDropped"], id="refused"),
    ],
)
def test_a_create_that_may_land_is_not_dropped(refused: Any, expected: list[str]) -> None:
    creating = frozenset({at(20)})
    memory = Remembered(decided_until=at(20), creating=creating, refused=creating if refused else frozenset())
    assert list_verdicts(see(25, ENDED, memory=memory, spec={"suspend": True})) == expected


@pytest.mark.parametrize(
    ("memory", "window", "now", "starts"),
    [
        pytest.param(Remembered(), 100, 124, [20], id="a new leader, free for as long as the window"),
        pytest.param(Remembered(), 100, 125, [], id="a new leader, free for longer"),
        pytest.param(JUDGED, 100, 125, [20], id="the same leader"),
        pytest.param(Remembered(), 0, 50, [20], id="a new leader within the grace"),
    ],
)
def test_what_waits_may_be_too_old_for_a_new_leader(
    memory: Remembered, window: int, now: float, starts: list[float]
) -> None:
    spec = {"catchUp": {"windowSeconds": window}, "schedule": {"interval": {"seconds": 86400}}}
    how: dict[str, Any] = {"changed": 1, "spec": spec}
    decision = see(now, ENDED, memory=memory, **how)
    assert list_starts(decision) == starts or list_verdicts(decision) == ["20 Skipped QueueDropped"]
    assert (list_starts(decision) == [20]) is bool(starts)


def test_a_slot_that_waits_keeps_entries_apart() -> None:
    status = look(
        build_scheduled_job(build_spec(**QUEUE, catchUp={"policy": "All"})), 41, (ACTIVE,), Remembered()
    ).status
    assert read_verdicts(status) == ["10 Started", "30..40 x2 Skipped QueueFull"]
    decision = see(41, build_observed(25), queued=[30], spec={"catchUp": {"policy": "All"}})
    assert read_verdicts(decision.status)[-1] == "40 Skipped QueueFull"


def replaces(
    now: float, *jobs: Any, queued: Iterable[float] = (20,), limit: int = 1, **how: Any
) -> list[tuple[float, str]]:
    """List the slots whose runs are ended for slots that wait."""
    spec = {"concurrency": {"policy": "Replace", "maxInstances": limit}}
    decision = see(now, *jobs, queued=queued, spec=spec, **how)
    return [(*in_seconds([one.job.slot]), one.reason) for one in decision.endings]


REPLACED = {names.ENDED: "Replaced", names.TIMEOUT: "300"}


@pytest.mark.parametrize(
    ("jobs", "queued", "limit", "expected"),
    [
        pytest.param([ACTIVE], [20], 1, [10], id="the active run"),
        pytest.param([ACTIVE], [], 1, [], id="nothing waits in the stored status"),
        pytest.param([build_observed(10, marks=REPLACED)], [20], 1, [], id="it is ending"),
        pytest.param([build_observed(10, "FailureTarget")], [20], 1, [], id="it has ended, its Pods not"),
        pytest.param([build_observed(12), ACTIVE], [20], 2, [10], id="the oldest of two"),
        pytest.param([build_observed(12), ACTIVE], [20, 21], 2, [10, 12], id="both for two"),
        pytest.param(
            [build_observed(12), build_observed(10, marks=REPLACED)], [20], 2, [], id="one is ending for it"
        ),
        pytest.param([build_observed(12), ACTIVE], [20], 1, [10, 12], id="more than the limit is now"),
        pytest.param(
            [build_observed(12), build_observed(10, marks=REPLACED)],
            *([20, 21], 2, [12]),
            id="the oldest that is not ending",
        ),
    ],
)
def test_whose_place_is_taken(
    jobs: list[Any], queued: list[float], limit: int, expected: list[float]
) -> None:
    assert replaces(25, *jobs, queued=queued, limit=limit) == [(slot, "Replaced") for slot in expected]


def test_of_a_backfill_and_a_run_the_one_that_began_first_gives_its_place() -> None:
    backfill = build_observed(1, run_id="backfill", trigger="backfill", created=15)
    retried = build_observed(2, run_id="retried", trigger="backfill", created=9, attempt=1)
    again = build_observed(2, run_id="retried", trigger="backfill", created=17, attempt=2)
    ended = [
        list_replaced([backfill, ACTIVE, again], [backfill, ACTIVE, retried, again], n) for n in (1, 2, 3)
    ]
    assert [[one.job.run_id for one in some][-1] for some in ended] == ["retried", ACTIVE.run_id, "backfill"]


def test_no_run_is_ended_for_a_slot_that_is_not_stored() -> None:
    decision = see(30, ACTIVE, queued=[], spec=REPLACE)
    assert (list_queued(decision), decision.endings) == ([30], ())


def test_a_run_between_attempts_gives_its_place_too() -> None:
    spec = {"concurrency": {"policy": "Replace"}, "retry": {"count": 1, "delaySeconds": 300}}
    decision = see(25, build_observed(10, "Failed"), spec=spec)
    assert [(one.job.phase, one.reason) for one in decision.endings] == [("Failed", "Replaced")]
    marked = build_observed(10, "Failed", marks={names.ENDED: "Replaced"})
    assert list_starts(see(25, marked, spec=spec)) == [20]


def test_the_newer_slot_starts_when_the_old_pods_are_gone() -> None:
    how: dict[str, Any] = {"reason": "DeadlineExceeded", "marks": REPLACED}
    waiting = see(25, build_observed(10, "FailureTarget", **how), spec=REPLACE)
    assert (list_starts(waiting), list_queued(waiting)) == ([], [20])
    started = see(25, build_observed(10, "FailureTarget+Failed", **how), spec=REPLACE)
    assert list_starts(started) == [20]
    assert read_verdicts(started.status) == ["10 Started Cancelled Replaced"]


def test_a_person_cancels_and_nothing_else_is_ended_for_the_slot_that_waits() -> None:
    asked = build_observed(10, marks={names.CANCEL: "true"})
    decision = see(
        25, build_observed(12), asked, spec={"concurrency": {"policy": "Replace", "maxInstances": 2}}
    )
    assert [(one.job.slot, one.reason) for one in decision.endings] == [(at(10), "Cancelled")]


def test_refused_creates_are_missed_at_once_when_runs_are_held_back() -> None:
    memory = Remembered(decided_until=at(30), creating=frozenset({at(30)}), refused=frozenset({at(30)}))
    decision = see(35, queued=[], spec={"suspend": True}, changed=34, generation=2, memory=memory)
    assert list_verdicts(decision) == ["30 Missed CreateFailed"]
