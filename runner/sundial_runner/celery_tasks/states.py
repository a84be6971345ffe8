"""What does the state of a Celery task mean for the run?

docs/runner.md, "States"
"""

from __future__ import annotations

from sundial_runner import endings
from sundial_runner.endings import Outcome
from sundial_runner.judgement import describe_error, describe_safely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PENDING, SUCCESS, FAILURE = "PENDING", "SUCCESS", "FAILURE"
DISPATCHED = "DISPATCHED"
"""Ours: the task was sent, and nobody waits for it."""
UNSUCCESSFUL = (FAILURE, "REVOKED", "REJECTED", "IGNORED")

WRAPPER = "UnpickleableExceptionWrapper"
"""Stands for an exception that the worker could not pass on; its text has the class of that one."""


def judge_state(meta: Mapping[str, Any]) -> Outcome | None:
    """Tell how a run ended by what the result backend has of its task; None while it goes on."""
    state, result = meta["status"], meta.get("result")
    if state == SUCCESS:
        return Outcome(result=result)
    if state not in UNSUCCESSFUL:
        return None
    if state == FAILURE:
        traceback = meta.get("traceback")
        return Outcome(endings.FAILED, error=_describe(result), traceback=str(traceback or ""))
    why = f" ({_describe(result)})" if result else ""
    return Outcome(endings.FAILED, error=f"the task ended as {state}{why}")


def _describe(result: object) -> str:
    if isinstance(result, BaseException) and type(result).__name__ != WRAPPER:
        return describe_error(result)
    return describe_safely(result, str)
