"""A ScheduledJobRun that is deleted while its Job is being made takes the run along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_job_runs import MANUAL, ask, build_parent, build_request, tell_active
from testkit.scheduled_jobs import build_observed

from sundial_core.resources.reasons import Reason


@pytest.mark.parametrize(
    ("requests", "status", "expected"),
    [
        pytest.param((), {}, ["Cancelled"], id="deleted before a status told of it"),
        pytest.param((build_request(is_deleting=True),), {}, ["Cancelled"], id="being deleted"),
        pytest.param((build_request(),), {}, [], id="there"),
        pytest.param((), tell_active(MANUAL), [], id="deleted afterwards"),
        pytest.param((), {"activeOmitted": {"count": 1}}, [], id="the list was cut short"),
    ],
)
def test_a_run_that_was_withdrawn_while_its_job_was_made_is_ended(
    requests: tuple[Any, ...], status: dict[str, Any], expected: list[str]
) -> None:
    decision = ask(*requests, jobs=(MANUAL,), job=build_parent(status=status))
    assert [ending.reason for ending in decision.endings] == expected


def test_a_withdrawn_run_is_ended_once_and_takes_no_other_with_it() -> None:
    going = replace(MANUAL, ended=Reason.CANCELLED)
    slot = build_observed(600)
    assert ask(jobs=(going, slot), now=601).endings == ()
