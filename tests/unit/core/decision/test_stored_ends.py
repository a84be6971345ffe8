"""When is the end of a run stored? Only then may its Jobs go, and only then is it forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_job_runs import RUN_UID, build_run_marks
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.job_deletions import Limits, decide_deletions, is_stored_as_ended
from sundial_core.resources import names
from sundial_core.runs.jobs import ObservedJob
from sundial_core.status.stored import parse_stored_status

RUN = names.build_run_id(UID, at(10))
SLOT = build_observed(10, "Complete")
ASKED = build_observed(None, "Complete", **build_run_marks())
RESULT = {"runId": RUN_UID, "verdict": "Started", "result": "Succeeded"}
SKIPPED = {"slot": format_instant(at(10)), "verdict": "Skipped", "reason": "AlreadyActive"}
WAITING = {"slot": format_instant(at(10)), "since": format_instant(at(10)), "reason": "AlreadyActive"}
RANGE = {"from": format_instant(at(10)), "to": format_instant(at(10))}


def build_status(cursor: float | None = 10, **fields: Any) -> dict[str, Any]:
    return fields if cursor is None else {"cursor": format_instant(at(cursor))} | fields


@pytest.mark.parametrize(
    ("job", "status", "expected"),
    [
        pytest.param(SLOT, build_status(), True, id="a slot up to the cursor"),
        pytest.param(SLOT, build_status(9), False, id="a slot past the cursor"),
        pytest.param(SLOT, build_status(None), False, id="no cursor"),
        pytest.param(SLOT, build_status(active=[{"runId": RUN}]), False, id="active"),
        pytest.param(SLOT, build_status(active=[{"runId": "other"}]), True, id="another one is active"),
        pytest.param(SLOT, build_status(queued=[WAITING]), False, id="its slot waits"),
        pytest.param(
            SLOT, build_status(activeOmitted={"count": 1, "ranges": [RANGE]}), False, id="active, not listed"
        ),
        pytest.param(SLOT, build_status(recentSlots=[SKIPPED]), False, id="the verdict is another one"),
        pytest.param(replace(SLOT, slot=None), build_status(), False, id="nobody knows of which slot"),
        pytest.param(ASKED, build_status(recentSlots=[RESULT]), True, id="asked for, with a result"),
        pytest.param(ASKED, build_status(), False, id="asked for, without a result"),
        pytest.param(
            ASKED,
            build_status(active=[{"runId": RUN_UID}], recentSlots=[RESULT]),
            False,
            id="asked for, and active",
        ),
        pytest.param(ASKED, build_status(None, recentSlots=[RESULT]), False, id="asked for, no cursor"),
    ],
)
def test_whose_end_is_stored(job: ObservedJob, status: dict[str, Any], expected: object) -> None:
    assert is_stored_as_ended(job, parse_stored_status(status)) is expected


def ended(slot: float | None, created: float, **how: Any) -> ObservedJob:
    return build_observed(slot, "Complete", created=created, ended=created + 1, **how)


@pytest.mark.parametrize(
    ("jobs", "gone"),
    [
        pytest.param([ended(20, 21), ended(10, 22)], 0, id="by when they were created"),
        pytest.param([ended(20, 21), ended(10, 21)], 1, id="of one second, by slot"),
        pytest.param(
            [ended(None, 21, run_id=RUN_UID, trigger="manual"), ended(20, 21)], 1, id="asked for: by creation"
        ),
        pytest.param([ended(20, 21), ended(10, 15), ended(10, 23, attempt=2)], 0, id="by the newest attempt"),
    ],
)
def test_the_oldest_run_goes_first(jobs: list[ObservedJob], gone: int) -> None:
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 1})))
    stored = parse_stored_status(build_status(20, recentSlots=[RESULT]))
    choice = decide_deletions(jobs, stored, plan, Limits(timedelta(0)), at(900))
    assert choice.jobs == (jobs[gone],)
