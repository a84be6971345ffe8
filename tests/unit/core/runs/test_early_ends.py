"""What ends an attempt early, what is written on its Job, and what becomes of its run."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
    read_verdicts,
)

from sundial_core.decision.remembered import Remembered
from sundial_core.resources import names
from sundial_core.resources.phases import Phase
from sundial_core.resources.reasons import Reason
from sundial_core.runs.early_ends import Termination, build_termination_patch, with_termination
from sundial_core.runs.state import build_run

RUN = names.build_run_id(UID, at(10))
ONCE = {"schedule": {"at": "2026-01-01T00:00:10Z"}}
RETRIED = {"retry": {"count": 1, "delaySeconds": 30}}
DEADLINE = {"reason": "DeadlineExceeded"}
OWN = {"reason": "BackoffLimitExceeded"}


def marks(ended: str, *, cut_short: str | None = None, message: str = "") -> dict[str, str]:
    found = {names.ENDED: ended, names.TIMEOUT: cut_short, names.ENDED_MESSAGE: message}
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("condition", "why", "mark", "phase", "reason"),
    [
        pytest.param("", {}, marks("Cancelled", cut_short="300"), "Pending", "", id="its Pods still run"),
        pytest.param(
            *("Failed", DEADLINE, marks("Cancelled", cut_short="300"), "Cancelled", "Cancelled"),
            id="cancelled",
        ),
        pytest.param(
            *("FailureTarget", DEADLINE, marks("Replaced", cut_short="300"), "Cancelled", "Replaced"),
            id="replaced, its Pods not gone",
        ),
        pytest.param(
            *("Failed", DEADLINE, marks("StartTimeout", cut_short="300"), "Failed", "StartFailed"),
            id="not started in time",
        ),
        pytest.param(
            *("Failed", OWN, marks("Cancelled", cut_short="300"), "Failed", "BackoffLimitExceeded"),
            id="it failed first",
        ),
        pytest.param(
            *("Failed", OWN, marks("StartTimeout", cut_short="300"), "Failed", "BackoffLimitExceeded"),
            id="it started and failed first",
        ),
        pytest.param(
            "Complete", {}, marks("Replaced", cut_short="300"), "Succeeded", "", id="it succeeded first"
        ),
        pytest.param(
            "Failed", OWN, marks("Cancelled"), "Cancelled", "Cancelled", id="cancelled between attempts"
        ),
        pytest.param(
            "Failed", OWN, marks("Replaced"), "Cancelled", "Replaced", id="replaced between attempts"
        ),
        pytest.param(
            "Failed",
            OWN,
            marks("RetriesStopped"),
            "Failed",
            "RetriesStopped",
            id="suspended between attempts",
        ),
        pytest.param("Failed", OWN, marks("Elsewhere"), "Failed", "BackoffLimitExceeded", id="unknown mark"),
    ],
)
def test_what_a_mark_makes_of_a_run(
    condition: str, why: dict[str, str], mark: dict[str, str], phase: str, reason: str
) -> None:
    job = build_observed(10, condition, marks=mark, **why)
    run = with_termination(build_run(job, (), at(20)), job)
    assert (run.phase, run.reason) == (phase, reason)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("", "no container started in time", id="nothing known"),
        pytest.param("ErrImagePull: no such image", "ErrImagePull: no such image", id="what its Pod said"),
    ],
)
def test_a_start_that_failed_says_why(message: str, expected: str) -> None:
    mark = marks("StartTimeout", cut_short="300", message=message)
    job = build_observed(10, "Failed", **DEADLINE, marks=mark)
    assert with_termination(build_run(job, (), at(20)), job).message == expected


def test_a_running_attempt_gets_a_deadline_that_has_passed() -> None:
    ending = Termination(build_observed(10, timeout=77), Reason.START_TIMEOUT, "Unschedulable: no room")
    patch = build_termination_patch(ending)
    assert patch["spec"] == {"activeDeadlineSeconds": 1}
    assert patch["metadata"]["resourceVersion"] == "20"
    assert patch["metadata"]["annotations"] == {
        names.ENDED: "StartTimeout",
        names.ENDED_MESSAGE: "Unschedulable: no room",
        names.TIMEOUT: "77",
    }


def test_what_is_ended_twice_keeps_its_first_timeout() -> None:
    once = build_observed(10, timeout=1, marks=marks("StartTimeout", cut_short="77"))
    patch = build_termination_patch(Termination(once, Reason.CANCELLED))
    assert patch["metadata"]["annotations"] == {names.ENDED: "Cancelled", names.TIMEOUT: "77"}


def test_a_run_between_attempts_is_only_marked() -> None:
    patch = build_termination_patch(Termination(build_observed(10, "FailureTarget"), Reason.REPLACED))
    assert patch == {
        "metadata": {
            "resourceVersion": "20",
            "annotations": {names.ENDED: "Replaced", names.TIMEOUT: None},
        }
    }


def cancel(value: str) -> dict[str, Any]:
    return {"marks": {names.CANCEL: value}}


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param([build_observed(10)], [], id="nobody asked"),
        pytest.param([build_observed(10, **cancel("true"))], [1], id="asked"),
        pytest.param([build_observed(10, **cancel(""))], [1], id="without a word"),
        pytest.param([build_observed(10, **cancel("false"))], [], id="taken back"),
        pytest.param([build_observed(10, "Failed", **cancel("true"))], [1], id="between two attempts"),
        pytest.param([build_observed(10, "Complete", **cancel("true"))], [], id="it has succeeded"),
        pytest.param(
            [build_observed(10, "Failed", **cancel("true")), build_observed(10, attempt=2)],
            [2],
            id="asked on the attempt before",
        ),
        pytest.param(
            [build_observed(10, marks={names.CANCEL: "true"} | marks("Cancelled", cut_short="300"))],
            [],
            id="is ending",
        ),
        pytest.param(
            [build_observed(10, marks={names.CANCEL: "true"} | marks("StartTimeout", cut_short="300"))],
            [1],
            id="was to be tried again",
        ),
    ],
)
def test_a_person_cancels(jobs: list[Any], expected: list[int]) -> None:
    decision = look(build_scheduled_job(build_spec(**ONCE, **RETRIED)), 20, tuple(jobs))
    assert [(one.job.attempt, one.reason) for one in decision.endings] == [
        (attempt, Reason.CANCELLED) for attempt in expected
    ]
    assert decision.retries == ()


def test_a_cancelled_run_is_neither_success_nor_failure_and_not_tried_again() -> None:
    job = build_observed(10, "Failed", marks=marks("Cancelled"))
    decision = look(build_scheduled_job(build_spec(**ONCE, **RETRIED)), 60, (job,))
    assert read_verdicts(decision.status) == ["10 Started Cancelled Cancelled"]
    assert (decision.retries, decision.endings) == ((), ())
    assert decision.status is not None
    assert (decision.status["lastResult"], decision.status["consecutiveFailures"]) == (Phase.CANCELLED, 0)


@pytest.mark.parametrize(
    ("memory", "endings"),
    [
        pytest.param(
            Remembered(retrying=frozenset({RUN}), landing=frozenset({RUN})), 0, id="may exist by now"
        ),
        pytest.param(Remembered(retrying=frozenset({RUN})), 1, id="was refused"),
    ],
)
def test_a_run_whose_next_attempt_may_exist_is_ended_when_that_is_known(
    memory: Remembered, endings: int
) -> None:
    job = build_observed(10, "Failed", **cancel("true"))
    decision = look(build_scheduled_job(build_spec(**ONCE, **RETRIED)), 60, (job,), memory)
    assert len(decision.endings) == endings


def test_a_run_that_is_being_ended_gets_no_other_attempt() -> None:
    job = build_observed(10, "Failed")
    memory = Remembered(ending=frozenset({job.uid}))
    assert look(build_scheduled_job(build_spec(**ONCE, **RETRIED)), 60, (job,), memory).retries == ()
