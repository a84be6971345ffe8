"""The work of a decision grows with what it is about, and no faster: bytecodes counted, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from situations import LIMITS, at, build_observed, build_plan, build_scheduled_job, build_spec, look

from sundial_core.conditions import Reason
from sundial_core.decide import decide
from sundial_core.runs import ObservedJob
from sundial_core.verdicts import Judgement, Verdict
from sundial_core.views import Memory, View

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


def skip(slots: range) -> tuple[Judgement, ...]:
    """Skip slots so that no two in a row have the same reason."""
    return tuple(Judgement(at(s), at(s), 1, Verdict.SKIPPED, REASONS[s % 2]) for s in slots)


def observe(slots: range, condition: str = "") -> tuple[ObservedJob, ...]:
    return tuple(build_observed(slot, condition, ready=not condition) for slot in slots)


def build_view(jobs: tuple[ObservedJob, ...] = (), memory: Memory | None = None, **job: Any) -> View:
    known = build_scheduled_job(ALLOW, **job)
    return View(known, build_plan(known), jobs, memory or Memory())


def of_judgements(count: int) -> View:
    return build_view(memory=Memory(at(count), judgements=skip(range(1, count + 1))))


def of_jobs(count: int) -> View:
    return build_view(observe(range(1, count + 1)), Memory(at(count)))


def of_both(count: int) -> View:
    jobs, skipped = observe(range(1, count + 1, 2)), skip(range(2, count + 1, 2))
    return build_view(jobs, Memory(at(count), judgements=skipped))


def of_stored(count: int) -> View:
    jobs = observe(range(1, count + 1))
    status = look(build_scheduled_job(ALLOW), count, jobs, Memory(at(count))).status
    return build_view(jobs, Memory(at(count)), status=status)


def of_ended(count: int) -> View:
    view = of_stored(count)
    return replace(view, jobs=observe(range(1, count + 1), "Complete"))


@pytest.mark.parametrize("build", [of_judgements, of_jobs, of_both, of_stored, of_ended])
def test_a_decision_is_linear_in_what_is_not_stored_and_in_jobs(build: Callable[[int], View]) -> None:
    few, many = (build(count) for count in (300, 600))
    work = [count_bytecodes(lambda v=view: decide(v, at(600), LIMITS)) for view in (few, many)]  # type: ignore[misc]
    assert work[1] < 2.2 * work[0]
