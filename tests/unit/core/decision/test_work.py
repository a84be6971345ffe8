"""The work of a decision grows with what it is about, and no faster: bytecodes counted, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    LIMITS,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
)

from sundial_core.decision.decide import decide
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.jobs import ObservedJob
from sundial_core.status.verdicts import VerdictRecord

ALLOW = build_spec(schedule={"interval": {"seconds": 1}}, concurrency={"policy": "Allow"})
REASONS = (Reason.ALREADY_ACTIVE, Reason.REJECTED)


def count_bytecodes(action: Callable[[], object]) -> int:
    """Count the bytecodes that an action executes."""
    executed = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal executed
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        executed += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(None)
    return executed


def count_work(snapshot: Snapshot) -> int:
    """Count the bytecodes of a decision."""
    return count_bytecodes(lambda: decide(snapshot, at(600), LIMITS))


def skip(slots: range) -> tuple[VerdictRecord, ...]:
    """Skip slots so that no two in a row have the same reason."""
    return tuple(VerdictRecord(at(s), at(s), 1, Verdict.SKIPPED, REASONS[s % 2]) for s in slots)


def observe(slots: range, condition: str = "") -> tuple[ObservedJob, ...]:
    return tuple(build_observed(slot, condition, ready=not condition) for slot in slots)


def build_view(jobs: tuple[ObservedJob, ...] = (), memory: Remembered | None = None, **job: Any) -> Snapshot:
    known = build_scheduled_job(ALLOW, **job)
    return Snapshot(known, build_plan(known), jobs, memory or Remembered())


def of_verdicts(count: int) -> Snapshot:
    return build_view(memory=Remembered(at(count), verdicts=skip(range(1, count + 1))))


def of_jobs(count: int) -> Snapshot:
    return build_view(observe(range(1, count + 1)), Remembered(at(count)))


def of_both(count: int) -> Snapshot:
    jobs, skipped = observe(range(1, count + 1, 2)), skip(range(2, count + 1, 2))
    return build_view(jobs, Remembered(at(count), verdicts=skipped))


def of_stored(count: int) -> Snapshot:
    jobs = observe(range(1, count + 1))
    status = look(build_scheduled_job(ALLOW), count, jobs, Remembered(at(count))).status
    return build_view(jobs, Remembered(at(count)), status=status)


def of_ended(count: int) -> Snapshot:
    snapshot = of_stored(count)
    return replace(snapshot, jobs=observe(range(1, count + 1), "Complete"))


@pytest.mark.parametrize("build", [of_verdicts, of_jobs, of_both, of_stored, of_ended])
def test_a_decision_is_linear_in_what_is_not_stored_and_in_jobs(build: Callable[[int], Snapshot]) -> None:
    few, many = (count_work(build(count)) for count in (300, 600))
    assert many < 2.2 * few


@pytest.mark.parametrize(
    ("build", "most"),
    [
        pytest.param(of_verdicts, 400, id="a verdict that is not stored"),
        pytest.param(of_jobs, 650, id="an active run that is not stored"),
        pytest.param(of_stored, 550, id="an active run"),
        pytest.param(of_ended, 1100, id="a run whose result is not stored"),
    ],
)
def test_what_each_costs_when_nothing_new_is_known_of_it(build: Callable[[int], Snapshot], most: int) -> None:
    few, many = build(300), build(600)
    for snapshot in (few, many):
        decide(snapshot, at(600), LIMITS)
    assert (count_work(many) - count_work(few)) / 300 < most
