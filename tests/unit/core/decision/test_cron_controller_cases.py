"""What Sundial does in the cases that Kubernetes' own cron controller is tested with, by their names.

The cases are those of TestControllerV2SyncCronJob (kubernetes, pkg/controller/cronjob): an hourly schedule
that never ran, ran, or still runs. A, F and R are Allow, Forbid and Replace; a startingDeadlineSeconds is
`catchUp` here. Where an id says `here:`, Sundial differs on purpose.
"""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    build_observed,
    build_scheduled_job,
    build_spec,
    list_starts,
    list_verdicts,
    look,
)

from sundial_core.decision.decide import Decision
from sundial_core.resources.raw import JsonObject

HOUR = 3600
POLICIES = {"A": "Allow", "F": "Forbid", "R": "Replace"}
EACH = pytest.mark.parametrize("policy", ["A", "F", "R"])
NO_DEADLINE: JsonObject = {}
SHORT: JsonObject = {"policy": "None", "graceSeconds": 10}
MEDIUM: JsonObject = {"windowSeconds": 2 * HOUR}
LONG: JsonObject = {"windowSeconds": 7 * 24 * HOUR}
NEVER, DONE, ACTIVE = "never ran", "prev ran but done", "still active"
WEEK = 7 * 24 * HOUR


def decide_case(
    before: str, now: float, policy: str = "A", deadline: JsonObject = NO_DEADLINE, **spec: Any
) -> Decision:
    """Decide `now` seconds after the creation; a previous run is that of the first hour."""
    spec = build_spec(
        schedule={"cron": "0 * * * *"}, concurrency={"policy": POLICIES[policy]}, catchUp=deadline, **spec
    )
    jobs = (
        ()
        if before == NEVER
        else (build_observed(HOUR, "Complete" if before == DONE else "", ready=before == ACTIVE),)
    )
    stored = look(build_scheduled_job(spec), HOUR + 60 if jobs else 1, jobs).status
    return look(build_scheduled_job(spec, status=stored), now, jobs)


def tell(decision: Decision) -> list[str]:
    """Tell what is started, judged, left waiting and ended, in a line each."""
    return [
        *(f"start {slot}" for slot in list_starts(decision)),
        *list_verdicts(decision),
        *(f"wait, {waiting.reason}" for waiting in decision.queued),
        *(f"end {ending.job.slot:%H:%M}" for ending in decision.endings),
    ]


@EACH
@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param(NEVER, HOUR - 60, id="never ran, not time"),
        pytest.param(DONE, 2 * HOUR - 60, id="prev ran but done, not time"),
        pytest.param(ACTIVE, 2 * HOUR - 60, id="still active, not time"),
    ],
)
def test_nothing_starts_before_its_time(before: str, now: float, policy: str) -> None:
    decision = decide_case(before, now, policy)
    assert tell(decision) == []
    assert decision.requeue_at is not None


@EACH
@pytest.mark.parametrize(
    ("before", "hour"),
    [
        pytest.param(NEVER, HOUR, id="never ran, is time"),
        pytest.param(DONE, 2 * HOUR, id="prev ran but done, is time"),
    ],
)
@pytest.mark.parametrize("deadline", [NO_DEADLINE, LONG], ids=["no deadline", "not past deadline"])
def test_what_is_due_starts(before: str, hour: int, policy: str, deadline: JsonObject) -> None:
    assert tell(decide_case(before, hour + 60, policy, deadline)) == [f"start {hour}"]


@pytest.mark.parametrize(
    ("policy", "deadline", "expected"),
    [
        pytest.param("A", NO_DEADLINE, ["start 7200"], id="still active, is time, A"),
        pytest.param("A", LONG, ["start 7200"], id="still active, is time, not past deadline"),
        pytest.param("F", NO_DEADLINE, ["7200 Skipped AlreadyActive"], id="still active, is time, F"),
        # The cron controller deletes the old Job and creates the new one at once, so that both may run for a
        # while; Sundial stores that the slot waits, ends the old run, keeps its Job, and starts when its Pods
        # are gone.
        pytest.param(
            "R",
            NO_DEADLINE,
            ["wait, Replacing"],
            id="still active, is time, R; here: after the old Pods",
        ),
    ],
)
def test_what_is_due_meets_a_run(policy: str, deadline: JsonObject, expected: list[str]) -> None:
    assert tell(decide_case(ACTIVE, 2 * HOUR + 60, policy, deadline)) == expected


@pytest.mark.parametrize(
    ("before", "hour"), [(NEVER, HOUR), (DONE, 2 * HOUR), (ACTIVE, 2 * HOUR)], ids=[NEVER, DONE, ACTIVE]
)
def test_nothing_starts_while_suspended(before: str, hour: int) -> None:
    assert tell(decide_case(before, hour + 60, suspend=True)) == []


# The cron controller forgets a slot that is past its deadline; Sundial gives every slot a verdict.
@pytest.mark.parametrize(
    ("before", "hour"),
    [
        pytest.param(NEVER, HOUR, id="never ran, is time, past deadline; here: counted as missed"),
        pytest.param(DONE, 2 * HOUR, id="prev ran but done, is time, past deadline; here: counted as missed"),
        pytest.param(ACTIVE, 2 * HOUR, id="still active, is time, past deadline; here: counted as missed"),
    ],
)
def test_what_is_past_its_deadline_does_not_start(before: str, hour: int) -> None:
    assert tell(decide_case(before, hour + 60, deadline=SHORT)) == [f"{hour} Missed TooLate"]


# The cron controller starts the newest and warns of too many missed start times where it counted more than
# 100; Sundial counts them all, whatever the deadline, and the newest is on time.
@EACH
@pytest.mark.parametrize(
    "deadline",
    [
        pytest.param(LONG, id="prev ran but done, long overdue, not past deadline; here: all counted"),
        pytest.param(NO_DEADLINE, id="prev ran but done, long overdue, no deadline; here: all counted"),
        pytest.param(MEDIUM, id="prev ran but done, long overdue, past medium deadline; here: all counted"),
        pytest.param(SHORT, id="prev ran but done, long overdue, past short deadline; here: all counted"),
    ],
)
def test_a_week_late_the_newest_starts_and_the_rest_is_counted(policy: str, deadline: JsonObject) -> None:
    expected = [f"start {WEEK}", f"{2 * HOUR}..{WEEK - HOUR} x166 Missed TooLate"]
    assert tell(decide_case(DONE, WEEK, policy, deadline)) == expected


@pytest.mark.parametrize("condition", ["", "Complete"], ids=["this runs", "this ran but done"])
def test_this_ran_but_time_drifted_back(condition: str) -> None:
    jobs = (build_observed(2 * HOUR, condition),)
    spec = build_spec(schedule={"cron": "0 * * * *"})
    decision = look(build_scheduled_job(spec), 2 * HOUR - 60, jobs)
    assert 2 * HOUR not in list_starts(decision)
    assert not decision.deletes.jobs


@EACH
def test_this_started_but_went_missing(policy: str) -> None:
    """A Job that the status names and no store has is read uncached, and nothing starts in its place."""
    spec = build_spec(schedule={"cron": "0 * * * *"}, concurrency={"policy": POLICIES[policy]})
    stored = look(build_scheduled_job(spec), HOUR, (build_observed(HOUR),)).status
    decision = look(build_scheduled_job(spec, status=stored), HOUR + 60)
    assert (tell(decision), [run.slot for run in decision.missing]) == ([], [build_observed(HOUR).slot])


@EACH
def test_this_started_but_is_not_present_in_the_active_list(policy: str) -> None:
    """A Job that the status does not name yet is that of its slot, and shown from now on."""
    spec = build_spec(schedule={"cron": "0 * * * *"}, concurrency={"policy": POLICIES[policy]})
    stored = look(build_scheduled_job(spec), 1).status
    decision = look(build_scheduled_job(spec, status=stored), HOUR + 60, (build_observed(HOUR),))
    assert (tell(decision), (decision.status or {})["activeCount"]) == ([], 1)


@EACH
def test_never_ran_not_valid_schedule(policy: str) -> None:
    spec = build_spec(schedule={"cron": "obvious error"}, concurrency={"policy": POLICIES[policy]})
    assert tell(look(build_scheduled_job(spec), HOUR + 60)) == []
