"""Do the args of a ScheduledJobRun have to fit the schema of the function that it runs?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_job_runs import build_parent, build_request, tell
from testkit.scheduled_jobs import LIMITS, at, build_plan

from sundial_core.decision.decide import decide
from sundial_core.decision.snapshot import Remembered, Snapshot


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param({"args": {"days": 0}}, "Skipped Failed InvalidArgs", id="they do not fit"),
        pytest.param({"args": {}}, "Skipped Failed InvalidArgs", id="one is missing"),
        pytest.param({"args": {"days": 1}}, "starts", id="they fit"),
        pytest.param({}, "starts", id="the job's own"),
    ],
)
def test_args_of_its_own_have_to_fit_the_function_s_schema(args: dict[str, Any], expected: str) -> None:
    job = build_parent(args={"days": 5})
    schema = {"required": ["days"], "properties": {"days": {"minimum": 1}}}
    plan = replace(build_plan(job), parameters_schema=schema)
    snapshot = Snapshot(job, plan, (), Remembered(), run_requests=(build_request(args),))
    assert tell(decide(snapshot, at(13), LIMITS)) == expected
