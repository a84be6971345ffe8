"""More active runs than a status lists: absence from the list proves nothing, and nothing counts twice."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    list_starts,
    look,
    read_seconds,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.resources import names
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.state import build_lost_run, build_run
from sundial_core.status.omitted import MAX_LISTED
from sundial_core.status.stored import parse_stored_status
from sundial_core.status.urgency import Urgency

COUNT = 300
NOW = COUNT + 0.5
LATER = NOW + 1000
OLD = 50
"""A slot that is too old for the list."""

TICK = {"schedule": {"interval": {"seconds": 1}}, "concurrency": {"policy": "Allow"}}


def observe(*changed: ObservedJob, without: int = 0) -> tuple[ObservedJob, ...]:
    """Give 300 Jobs that run, but for those that are given otherwise."""
    jobs = {
        job.name: job for job in (*(build_observed(s, ready=True) for s in range(1, COUNT + 1)), *changed)
    }
    return tuple(job for job in jobs.values() if job.slot != at(without))


def see(jobs: tuple[ObservedJob, ...], status: Any = None, now: float = NOW, **fields: Any) -> Decision:
    """Decide as a new leader does, about a schedule that starts nothing more."""
    spec = build_spec(**TICK, **fields) | {"suspend": now > NOW}
    memory = fields.pop("memory", None)
    return look(build_scheduled_job(spec, status=status), now, jobs, memory or Remembered())


def store(jobs: tuple[ObservedJob, ...] | None = None, status: Any = None, **fields: Any) -> dict[str, Any]:
    """Give the status that is stored after a look."""
    decided = see(observe() if jobs is None else jobs, status, **fields).status
    assert decided is not None
    return decided


def list_ranges(status: dict[str, Any]) -> list[tuple[float, float]]:
    ranges = status.get("activeOmitted", {}).get("ranges", ())
    return [(read_seconds(one["from"]), read_seconds(one["to"])) for one in ranges]


def test_a_status_lists_the_newest_and_says_where_the_others_are() -> None:
    status = store()
    slots = [read_seconds(entry["slot"]) for entry in status["active"]]
    assert (status["activeCount"], slots) == (COUNT, list(range(COUNT - MAX_LISTED + 1, COUNT + 1)))
    assert [read_seconds(entry["slot"]) for entry in reversed(status["recentSlots"])] == slots
    omitted = status["activeOmitted"]
    assert (omitted["count"], omitted["oldestSlot"]) == (COUNT - MAX_LISTED, format_instant(at(1)))
    assert list_ranges(status) == [(1, COUNT - MAX_LISTED)]


def test_a_run_that_is_not_listed_stays_active_and_is_not_counted_again() -> None:
    again = see(observe(), store())
    assert (again.status, again.urgency, again.missing) == (store(), Urgency.NONE, ())


@pytest.mark.parametrize("condition", ["Complete", "Failed"])
def test_its_end_is_counted_once(condition: str) -> None:
    jobs = observe(build_observed(OLD, condition, ended=200))
    status = store(jobs, store())
    assert (status["activeCount"], list_ranges(status)) == (COUNT - 1, [(1, OLD - 1), (OLD + 1, 100)])
    assert status.get("consecutiveFailures") == (condition == "Failed")
    assert status["counters"]["verdicts"] == {"started": COUNT}
    assert see(jobs, status).urgency is Urgency.NONE


def test_its_result_is_counted_when_its_place_is_free() -> None:
    jobs = observe(build_observed(OLD, "FailureTarget", ended=200))
    status = store(jobs, store())
    assert "lastResult" not in status
    ended = observe(build_observed(OLD, "FailureTarget+Failed", ended=200))
    assert store(ended, status)["lastResult"] == "Failed"


def test_retention_keeps_its_job_until_its_end_is_stored() -> None:
    jobs = observe(build_observed(OLD, "Complete", ended=200))
    before = see(jobs, store(), now=LATER, history={"successful": 0})
    assert before.deletes.jobs == ()
    after = see(jobs, before.status, now=LATER, history={"successful": 0})
    assert [job.slot for job in after.deletes.jobs] == [at(OLD)]


def test_it_is_tried_again_until_its_end_is_stored() -> None:
    retry = {"retry": {"count": 1, "delaySeconds": 10}}
    failed = observe(build_observed(OLD, "Failed", ended=200))
    decision = see(failed, store(**retry), **retry)
    assert [one.after.slot for one in decision.retries] == [at(OLD)]
    assert decision.status is not None
    assert decision.status["activeCount"] == COUNT
    ended = store(failed, store())
    assert see(failed, ended, **retry).retries == ()


def test_a_verdict_that_covers_it_is_not_corrected_again() -> None:
    entry = {"from": format_instant(at(0.1)), "to": format_instant(at(COUNT)), "count": 7}
    missed = entry | {"verdict": "Missed", "reason": "TooLate"}
    status = store()
    status = status | {"recentSlots": [missed, *status["recentSlots"]]}
    status["counters"] = {"verdicts": {"started": COUNT, "missed": {"TooLate": 7}}}
    again = store(status=status)
    assert again["counters"]["verdicts"] == {"started": COUNT, "missed": {"TooLate": 7}}


def lose(condition: str = "", **how: Any) -> ScheduleMemory:
    """Remember a run whose Job was deleted."""
    memory = ScheduleMemory(UID)
    job = build_observed(OLD, condition, **how)
    memory.lost[job.run_id] = build_lost_run(build_run(job, (), at(NOW)), at(NOW))
    return memory


def test_a_lost_run_stays_remembered_until_its_end_is_stored() -> None:
    memory, status = lose(), store()
    memory.forget_stored(parse_stored_status(status))
    assert len(memory.lost) == 1
    status = store(observe(without=OLD), status, memory=memory.recall())
    assert (status["lastResult"], status["activeCount"]) == ("Cancelled", COUNT - 1)
    memory.forget_stored(parse_stored_status(store(observe(without=OLD), status)))
    assert status["counters"]["verdicts"] == {"started": COUNT}


def test_a_lost_run_is_forgotten_once_its_end_is_stored() -> None:
    memory = lose()
    jobs = observe(build_observed(OLD, "Complete"))
    memory.forget_stored(parse_stored_status(store(jobs, store(jobs))))
    assert memory.lost == {}


def test_a_job_deleted_between_two_attempts_cancels_the_run() -> None:
    retry = {"retry": {"count": 1, "delaySeconds": 1000}}
    job = build_observed(OLD, "Failed", ended=200)
    memory = ScheduleMemory(UID)
    memory.adopt_plan((1, "", 0), build_plan(build_scheduled_job(build_spec(**TICK))))
    scheduled = build_scheduled_job(build_spec(**TICK))
    memory.observe(scheduled, ())
    memory.remember(scheduled, see(observe(job), store(**retry), **retry), at(NOW))
    memory.stored_status = store(**retry)
    memory.lose(job, build_run(job, (), at(NOW)), at(NOW))
    assert [run.phase for run in memory.lost.values()] == ["Cancelled"]


def test_one_whose_job_has_to_be_read_is_listed_before_newer_ones() -> None:
    status = store(observe()[: MAX_LISTED - 1])
    decision = see(observe(without=OLD), status)
    assert [run.slot for run in decision.missing] == [at(OLD)]
    assert decision.status is not None
    assert format_instant(at(OLD)) in [entry["slot"] for entry in decision.status["active"]]


def test_one_ahead_of_a_cursor_that_was_reset_is_not_started_again() -> None:
    status = store() | {"cursor": format_instant(at(10))}
    decision = see(observe(), status, memory=Remembered(decided_until=at(10), reset_at=at(10)))
    assert list_starts(decision) == []
    assert decision.status is not None
    assert decision.status["counters"]["verdicts"] == {"started": COUNT}


@pytest.mark.parametrize(
    ("run", "status", "is_omitted"),
    [
        pytest.param(build_observed(3), {}, True, id="in a range"),
        pytest.param(build_observed(2), {}, True, id="the first of a range"),
        pytest.param(build_observed(8), {}, True, id="the last of a range"),
        pytest.param(build_observed(1), {}, False, id="older"),
        pytest.param(build_observed(5), {}, False, id="between two ranges"),
        pytest.param(build_observed(9), {}, False, id="newer"),
        pytest.param(
            build_observed(3), {"active": [{"runId": names.build_run_id(UID, at(3))}]}, False, id="listed"
        ),
        pytest.param(
            build_observed(3),
            {"recentSlots": [{"runId": names.build_run_id(UID, at(3)), "result": "Failed"}]},
            False,
            id="its result is stored",
        ),
        pytest.param(
            build_observed(3),
            {
                "queued": [
                    {"slot": format_instant(at(3)), "since": format_instant(at(3)), "reason": "Replacing"}
                ]
            },
            False,
            id="it had waited",
        ),
        pytest.param(build_observed(3, trigger="backfill", run_id="other"), {}, False, id="asked for"),
    ],
)
def test_which_runs_a_status_omits(run: ObservedJob, status: dict[str, Any], is_omitted: Any) -> None:
    ranges = [{"from": format_instant(at(a)), "to": format_instant(at(b))} for a, b in ((2, 4), (6, 8))]
    stored = parse_stored_status({"activeOmitted": {"count": 6, "ranges": ranges}} | status)
    assert stored.omits(run) is is_omitted


def ask(number: int, ended: float) -> ObservedJob:
    """Give the Job of a run that was asked for and failed."""
    run_id = names.build_run_id(UID, at(number))
    return build_observed(None, "Failed", run_id=run_id, trigger="manual", created=1, ended=ended)


def test_a_result_that_is_stored_stays_before_one_that_came_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sundial_core.status.scheduled_jobs.MAX_RESULTS", 1)
    late, early = ask(1, 20), ask(2, 10)
    status = store((late, early), store((late,)))
    assert parse_stored_status(status).runs == parse_stored_status(status).results == {late.run_id}
    assert status["consecutiveFailures"] == 1
    assert store((early,), status)["consecutiveFailures"] == 2
