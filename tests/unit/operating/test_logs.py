"""Does each line of the log name what it is about alike?"""

from __future__ import annotations

from structlog.testing import capture_logs
from testkit.scheduled_jobs import UID, at

from sundial_core.decision.job_creation import PendingCreate
from sundial_core.resources.phases import Trigger
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.manifests import Attempt, Owner
from sundial_core.status.transitions import list_transitions
from sundial_operator.outputs.job_creator import log_start

ATTEMPT = Attempt(Owner("team", "tick", UID, 1), "run-1", Trigger.SCHEDULE, at(10), None, 2, None, 77)
ENDED = {"slot": "2026-01-01T00:00:10Z", "verdict": "Started", "runId": "run-1", "result": "Failed"}


def test_a_start_is_one_line_with_its_lateness() -> None:
    with capture_logs() as lines:
        log_start(PendingCreate(ATTEMPT, {}, CatchUp()), at(10.25))
    assert lines == [
        {
            "event": "run started",
            "log_level": "info",
            "namespace": "team",
            "name": "tick",
            "slot": "2026-01-01T00:00:10Z",
            "run": "run-1",
            "job": ATTEMPT.job_name,
            "attempt": 2,
            "late_seconds": 0.25,
        }
    ]


def test_start_and_end_name_a_run_alike() -> None:
    active = {"active": [{"runId": "run-1", "job": ATTEMPT.job_name}]}
    (ended,) = list_transitions(active, {"recentSlots": [ENDED]})
    with capture_logs() as lines:
        log_start(PendingCreate(ATTEMPT, {}, CatchUp()), at(11))
    shared = ("slot", "run", "job")
    assert [lines[0][name] for name in shared] == [ended.fields[name] for name in shared]
