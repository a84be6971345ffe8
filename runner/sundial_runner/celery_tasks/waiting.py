"""Waits for the end of a Celery task by asking the result backend again and again.

`AsyncResult.get` would hang when a connection is lost (celery#4857, #5353).
"""

from __future__ import annotations

import time

from sundial_runner.celery_tasks.faults import is_lasting, say
from sundial_runner.celery_tasks.states import PENDING, judge_state
from sundial_runner.celery_tasks.time_limits import TimeIsUp, limit_time
from sundial_runner.endings import NotRunnable, Unavailable
from sundial_runner.judgement import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sundial_runner.celery_tasks.dispatch import Dispatch
    from sundial_runner.endings import Outcome

ANSWER_SECONDS = 30.0
AWAY_SECONDS = 300.0
"""How long a result backend that has answered may be away."""
HINT_SECONDS = 10.0
"""After so long without a sign of the task the workers are asked whether one takes tasks from its queue."""


def wait(dispatch: Dispatch) -> Outcome:
    """Wait for the end of a task; raises NotRunnable and Unavailable when it cannot be told."""
    begin, asked, backend = time.monotonic(), False, ResultBackend(dispatch)
    while True:
        outcome = backend.look()
        if outcome is not None:
            return outcome
        waited = time.monotonic() - begin
        if waited > HINT_SECONDS and not asked:
            asked = True
            dispatch.hint = find_hint(dispatch) if dispatch.state in ("", PENDING) else ""
        time.sleep(min(2.0, max(0.05, 0.05 * waited)))


class ResultBackend:
    """What the result backend says of a task, and since when it is away."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._away_since = 0.0

    def look(self) -> Outcome | None:
        """Look at the task, or at each that may be it; an outcome once it has ended."""
        for one in self._dispatch.ids:
            meta = self._ask(one)
            if meta and (meta["status"] != PENDING or len(self._dispatch.ids) == 1):
                return self._note(one, meta)
        return None

    def _note(self, task_id: str, meta: dict[str, Any]) -> Outcome | None:
        self._dispatch.ids = [task_id]
        if meta["status"] != self._dispatch.state:
            self._dispatch.state = meta["status"]
            say(f"task {task_id} is {meta['status']}")
        return judge_state(meta)

    def _ask(self, task_id: str) -> dict[str, Any] | None:
        try:
            with limit_time(ANSWER_SECONDS):
                meta: dict[str, Any] = self._dispatch.app.backend.get_task_meta(task_id)
                meta["status"]
        except TimeIsUp:
            self._note_absence("no answer")
        except Exception as error:  # noqa: BLE001 - each backend has its own
            if is_lasting(error):
                why = "its result cannot be read, perhaps for want of handler.celery.app"
                raise NotRunnable(f"the task has ended, {why}: {describe_error(error)}") from None
            self._note_absence(describe_error(error))
        else:
            self._away_since = 0.0
            return meta
        return None

    def _note_absence(self, trouble: str) -> None:
        now = time.monotonic()
        if not self._away_since:
            self._away_since = now
            say(f"the result backend does not answer: {trouble}")
        if now - self._away_since > AWAY_SECONDS:
            raise Unavailable(
                f"the result backend has not answered for {AWAY_SECONDS:g} s, the task may run: {trouble}"
            )


def find_hint(dispatch: Dispatch) -> str:
    """Say why a task does not begin when no worker takes tasks from its queue; else nothing."""
    queue = dispatch.find_queue()
    try:
        with limit_time(ANSWER_SECONDS):
            answers = dispatch.app.control.inspect(timeout=1.0).active_queues() or {}
    except (TimeIsUp, Exception) as error:  # noqa: BLE001 - each transport has its own
        hint = f"workers could not be asked: {describe_error(error)}"
    else:
        if any(one["name"] == queue for queues in answers.values() for one in queues):
            return ""
        hint = f"no worker takes tasks from queue {queue} ({len(answers)} workers answer)"
    say(hint)
    return hint
