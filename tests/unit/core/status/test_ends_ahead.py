"""Runs that ended and lost their Jobs while a create holds the cursor do not start again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    list_starts,
    look,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.remembered import Remembered
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_run
from sundial_core.status.omitted import MAX_AHEAD
from sundial_core.status.recent_slots import RecentSlots

SPEC = build_spec(
    schedule={"interval": {"seconds": 10}}, concurrency={"policy": "Allow"}, catchUp={"policy": "All"}
)


def lose(*slots: float) -> dict[str, Run]:
    """Build the runs of slots that succeeded, and whose Jobs are gone."""
    jobs = [build_observed(slot, "Complete", ended=slot + 1) for slot in slots]
    return {job.run_id: build_run(job, (), at(slots[-1])) for job in jobs}


def see(now: float, memory: Remembered, status: dict[str, Any] | None = None) -> dict[str, Any]:
    seen = look(build_scheduled_job(SPEC, status=status or {}), now, memory=memory).status
    assert seen is not None
    return seen


HELD = Remembered(decided_until=at(30), creating=frozenset({at(10)}), lost=lose(20, 30))


def test_an_end_that_nothing_else_tells_is_stored_ahead_of_the_cursor() -> None:
    status = see(35, HELD)
    assert status["cursor"] < at(10).isoformat()
    assert read_verdicts(status) == ["20 Started Succeeded", "30 Started Succeeded"]
    assert status["counters"]["verdicts"] == {"started": 2}


def test_a_new_leader_does_not_start_it_again() -> None:
    job = build_scheduled_job(SPEC, status=see(35, HELD))
    assert list_starts(look(job, 36)) == [10]


def test_it_is_counted_once() -> None:
    stored = see(35, HELD)
    assert see(36, HELD, stored) == stored
    released = replace(HELD, creating=frozenset())
    passed = see(36, released, stored)
    assert passed["counters"]["verdicts"] == {"started": 2}
    assert passed["cursor"].startswith("2026-01-01T00:00:30")


def test_a_run_whose_job_is_there_waits_for_the_cursor() -> None:
    job = build_observed(20, "Complete", ended=21)
    memory = replace(HELD, lost={})
    status = look(build_scheduled_job(SPEC), 35, (job,), memory).status
    assert status is not None
    assert "recentSlots" not in status


def test_a_hundred_are_kept_until_the_cursor_passes_them() -> None:
    slots = [20 + 10 * number for number in range(MAX_AHEAD + 20)]
    memory = replace(HELD, decided_until=at(slots[-1]), lost=lose(*slots))
    status = see(slots[-1] + 5, memory)
    assert [line.split()[0] for line in read_verdicts(status)] == [str(slot) for slot in slots[:MAX_AHEAD]]
    again = see(slots[-1] + 6, memory, status)
    assert (again["counters"], again["recentSlots"]) == (status["counters"], status["recentSlots"])
    passed = see(slots[-1] + 7, replace(memory, creating=frozenset()), again)
    assert passed["counters"]["verdicts"] == {"started": len(slots)}


def test_of_runs_that_nobody_tells_the_newest_are_kept() -> None:
    entries = [{"runId": f"{n}", "trigger": "manual", "startedAt": format_instant(at(n))} for n in range(5)]
    recent = RecentSlots(entries)
    assert recent.select_newest({"1", "2", "4", "gone"}, 2) == {"2", "4"}
    assert recent.select_newest({"1"}, -1) == set()
