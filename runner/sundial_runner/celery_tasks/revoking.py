"""Ends a Celery task at SIGTERM: the Pod cannot tell a cancelled run from one that leaves its node.

docs/runner.md, "SIGTERM of a Celery task"
"""

from __future__ import annotations

import time

from sundial_runner import endings, environment
from sundial_runner.celery_tasks.apps import has_backend
from sundial_runner.celery_tasks.states import PENDING, SUCCESS, judge_state
from sundial_runner.celery_tasks.time_limits import TimeIsUp, limit_time
from sundial_runner.endings import Outcome
from sundial_runner.judgement import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sundial_runner.celery_tasks.dispatch import Dispatch

MOST_SECONDS = 10.0
SHARE_OF_GRACE = 0.4
"""Of the grace, of which the supervisor leaves at least half: the end is told before it kills."""
TIMES = 3
STATE_SECONDS = 1.0
"""How long an end is waited for, each time."""


def revoke(dispatch: Dispatch) -> Outcome:
    """Revoke the task, and tell what became of it."""
    has_begun = dispatch.state not in ("", PENDING)  # before the revoke: a worker calls any task REVOKED
    try:
        with limit_time(min(MOST_SECONDS, SHARE_OF_GRACE * environment.read_grace())):
            outcome = _revoke_until_end(dispatch)
            if not dispatch.is_sent:
                return _tell("the tasks of earlier attempts were revoked")
            if outcome and dispatch.state == SUCCESS:
                return outcome
            told = f"the task is {dispatch.state}" if outcome else _ask_workers(dispatch)
    except TimeIsUp:
        told = "revoking took too long, the task may go on"
    except Exception as error:  # noqa: BLE001 - each transport has its own
        told = f"revoking failed, the task may go on: {describe_error(error)}"
    return _tell(f"{told}; {dispatch.hint}" if dispatch.hint and not has_begun else told)


def _tell(told: str) -> Outcome:
    return Outcome(endings.STOPPED, error=f"stopped by SIGTERM: {told}")


def _revoke_until_end(dispatch: Dispatch) -> Outcome | None:
    """Revoke, and wait a moment for the end; again where none is seen: who reconnects hears nothing."""
    for _ in range(TIMES):
        dispatch.app.control.revoke(dispatch.list_revocable(), terminate=True, signal="SIGTERM")
        outcome = _wait_for_end(dispatch) if dispatch.is_sent and has_backend(dispatch.app) else None
        if outcome or not dispatch.is_sent:
            return outcome
    return None


def _wait_for_end(dispatch: Dispatch) -> Outcome | None:
    end = time.monotonic() + STATE_SECONDS
    while time.monotonic() < end:
        for one in dispatch.ids:
            meta = dispatch.app.backend.get_task_meta(one)
            outcome = judge_state(meta)
            if outcome:
                dispatch.ids, dispatch.state = [one], meta["status"]
                return outcome
        time.sleep(0.05)
    return None


def _ask_workers(dispatch: Dispatch) -> str:
    answers = dispatch.app.control.inspect(timeout=1.0).ping() or {}
    if not answers:
        return "the task was revoked, but no worker answers: it may still run"
    return f"the task was revoked, and has not ended; {len(answers)} workers answer"
