"""Finished Jobs wait for the mirror, unless nobody mirrors or there are too many.

The rules: docs/architecture.md, "What the operator waits for", and docs/semantics.md, "Caps".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.coordination.mirror_progress import (
    MAX_TRUST_SECONDS,
    NOTHING,
    Mirrored,
    find_mirrored,
    observe_mirror_lease,
)
from sundial_core.decision.job_deletions import Deletions, Limits, decide_deletions
from sundial_core.resources import names
from sundial_core.runs.pods import ObservedPod
from sundial_core.status.stored import parse_stored_status


def build_lease(said: str | None, version: int = 5) -> dict[str, Any]:
    marks = {} if said is None else {names.MIRRORED_UNTIL: said}
    return {"metadata": {"resourceVersion": str(version), "annotations": marks}}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param('{"jobs": "12", "pods": "7"}', Mirrored(12, 7), id="both"),
        pytest.param('{"jobs": "12"}', NOTHING, id="one is missing"),
        pytest.param("12", NOTHING, id="another form"),
        pytest.param("", NOTHING, id="empty"),
        pytest.param(None, NOTHING, id="no annotation"),
    ],
)
def test_the_lease_says_up_to_where(said: str | None, expected: Mirrored) -> None:
    assert find_mirrored(observe_mirror_lease(None, build_lease(said), 100), 100) == expected


def test_a_lease_that_stands_still_is_believed_for_an_hour() -> None:
    first = observe_mirror_lease(None, build_lease('{"jobs": "1", "pods": "1"}'), 100)
    again = observe_mirror_lease(first, build_lease('{"jobs": "1", "pods": "1"}'), 3000)
    assert find_mirrored(again, 100 + MAX_TRUST_SECONDS) == Mirrored(1, 1)
    assert find_mirrored(again, 101 + MAX_TRUST_SECONDS) is None
    renewed = observe_mirror_lease(again, build_lease('{"jobs": "1", "pods": "1"}', version=6), 3600)
    assert find_mirrored(renewed, 101 + MAX_TRUST_SECONDS) == Mirrored(1, 1)


def test_without_a_lease_nothing_waits() -> None:
    assert find_mirrored(None, 0) is None


JOB = build_observed(10, "Complete", version=20)
POD = ObservedPod("uid-pod", 30, UID, JOB.uid, has_started=True, failure=None)


def choose(mirrored: Mirrored | None, pods: tuple[ObservedPod, ...] = (POD,), **limits: Any) -> Deletions:
    """Choose about a Job of version 20, its Pod of version 30 by default: the history keeps nothing of it."""
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 0})))
    stored = parse_stored_status({"cursor": format_instant(at(900))})
    rule = Limits(timedelta(seconds=60), mirrored=mirrored, **limits)
    return decide_deletions([JOB], stored, plan, rule, at(1000), {JOB.uid: pods})


@pytest.mark.parametrize(
    ("mirrored", "goes"),
    [
        pytest.param(None, True, id="nobody mirrors"),
        pytest.param(Mirrored(20, 30), True, id="both are mirrored"),
        pytest.param(Mirrored(19, 30), False, id="the Job is not"),
        pytest.param(Mirrored(20, 29), False, id="its Pod is not"),
        pytest.param(NOTHING, False, id="nothing is known"),
    ],
)
def test_a_finished_job_waits_for_the_mirror(mirrored: Mirrored | None, goes: bool) -> None:  # noqa: FBT001
    choice = choose(mirrored)
    assert (choice.jobs, choice.awaits_mirror) == ((JOB,) if goes else (), not goes)


@pytest.mark.parametrize(("pods", "goes"), [(19, False), (20, True)])
def test_pods_that_were_not_heard_of_are_waited_for(pods: int, goes: bool) -> None:  # noqa: FBT001
    assert bool(choose(Mirrored(20, pods), pods=()).jobs) is goes


def test_beyond_a_cap_nothing_waits() -> None:
    choice = choose(NOTHING, most_finished=0)
    assert (choice.jobs, list(choice.capped)) == ((JOB,), [JOB.uid])


def test_all_attempts_of_a_run_wait_for_the_last_one() -> None:
    jobs = [build_observed(10, "Failed", version=20), build_observed(10, "Complete", attempt=2, version=40)]
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 0})))
    stored = parse_stored_status({"cursor": format_instant(at(900))})
    limits = Limits(timedelta(seconds=60), mirrored=Mirrored(30, 30))
    assert decide_deletions(jobs, stored, plan, limits, at(1000)).jobs == ()
