"""Runs a Celery task: sends it once, waits for its end, and revokes it at SIGTERM.

docs/runner.md, "Celery tasks"
"""

from __future__ import annotations

import signal

from sundial_runner import endings, environment
from sundial_runner.endings import NotRunnable, Outcome, Stopped
from sundial_runner.judgement import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sundial_runner.celery_tasks.dispatch import Dispatch

NO_CELERY = "the image has no Celery: install it there, or name the image of the workers in the template"


def run_task(name: str) -> Outcome:
    """Run the task of this name as the environment describes it, and tell how it ended."""
    dispatch = None
    try:
        dispatch = _prepare(name)
        outcome = dispatch.send() or _wait(dispatch)
        _ignore_sigterm()
    except Stopped:
        _ignore_sigterm()
        outcome = _stop(dispatch)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the task's id is told with it
        _ignore_sigterm()
        outcome = judge(error)
    if dispatch is not None:
        outcome.task = dispatch.describe()
    return outcome


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is known of the end is not to be interrupted


def _prepare(name: str) -> Dispatch:
    args = environment.read_args()
    run_id = environment.read_run_id()
    try:
        import celery  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "celery":
            raise
        raise NotRunnable(NO_CELERY) from None
    from sundial_runner.celery_tasks.dispatch import Dispatch
    from sundial_runner.celery_tasks.ids import build_task_ids

    return Dispatch(name, args, build_task_ids(run_id, environment.read_attempt()))


def _wait(dispatch: Dispatch) -> Outcome:
    from sundial_runner.celery_tasks.waiting import wait

    return wait(dispatch)


def _stop(dispatch: Dispatch | None) -> Outcome:
    """Revoke what may run; a task that succeeds all the same has its result."""
    if dispatch is None or not dispatch.may_run():
        return Outcome(endings.STOPPED, error="stopped by SIGTERM: nothing was sent")
    from sundial_runner.celery_tasks.revoking import revoke

    return revoke(dispatch)
