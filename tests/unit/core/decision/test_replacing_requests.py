"""A ScheduledJobRun that waits under Replace asks for the end of a run until that end is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_job_runs import RUNNING, ask, build_parent, build_request, follow, tell_active
from testkit.scheduled_jobs import LIMITS, at, build_plan

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.reasons import Reason

QUEUE, REPLACE = ({"concurrency": {"policy": policy}} for policy in ("Queue", "Replace"))


def build_busy(rule: dict[str, Any]) -> Any:
    """Build a ScheduledJob whose one place is taken."""
    return build_parent(tell_active(RUNNING), schedule={"interval": {"seconds": 20}}, **rule)


def list_replaced(decision: Decision) -> list[str]:
    """List the runs that are ended for another."""
    return [ending.job.run_id for ending in decision.endings if ending.reason is Reason.REPLACED]


@pytest.mark.parametrize(
    ("before", "now", "reason", "ended"),
    [
        pytest.param(REPLACE, REPLACE, "Replacing", ["other"], id="the end that was sent met a conflict"),
        pytest.param(QUEUE, REPLACE, "Queued", ["other"], id="the rule was Queue when it was asked for"),
        pytest.param(REPLACE, QUEUE, "Replacing", [], id="the rule is Queue now"),
        pytest.param(QUEUE, QUEUE, "Queued", [], id="the rule is Queue"),
    ],
)
def test_one_that_waits(before: dict[str, Any], now: dict[str, Any], reason: str, ended: list[str]) -> None:
    request = build_request()
    waiting = follow(request, ask(request, jobs=(RUNNING,), job=build_busy(before)))
    decision = ask(waiting, now=12, jobs=(RUNNING,), job=build_busy(now))
    assert list_replaced(decision) == ended
    assert follow(waiting, decision).status["reason"] == reason


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param(Remembered(creating=frozenset([at(20)])), id="a slot"),
        pytest.param(Remembered(retrying=frozenset(["another"])), id="another that was asked for"),
    ],
)
def test_what_is_being_created_holds_a_place_too(memory: Remembered) -> None:
    rule = {"concurrency": {"policy": "Replace", "maxInstances": 2}}
    decision = ask(build_request(), now=21, jobs=(RUNNING,), job=build_busy(rule), memory=memory)
    assert list_replaced(decision) == ["other"]


@pytest.mark.parametrize(
    ("installation", "ended"),
    [
        pytest.param(InstallationState(), ["other"], id="all is well"),
        pytest.param(InstallationState(starts_held_by="somebody"), [], id="held"),
        pytest.param(InstallationState(skew=timedelta(seconds=99)), [], id="a clock that is off"),
    ],
)
def test_no_run_is_ended_for_a_slot_that_could_not_start(
    installation: InstallationState, ended: list[str]
) -> None:
    waiting = {"slot": format_instant(at(20)), "since": format_instant(at(20)), "reason": "Replacing"}
    status = tell_active(RUNNING) | {"cursor": format_instant(at(20)), "queued": [waiting]}
    job = build_parent(status, schedule={"interval": {"seconds": 20}}, **REPLACE)
    snapshot = Snapshot(job, build_plan(job), (RUNNING,), Remembered(), installation=installation)
    decision = decide(snapshot, at(21), LIMITS)
    assert list_replaced(decision) == ended
