"""Does a task of an earlier attempt run, or has it succeeded? Then none is sent: in doubt not twice.

docs/runner.md, "Earlier tasks"
"""

from __future__ import annotations

from celery.backends.rpc import RPCBackend

from sundial_runner.celery_tasks.faults import read_reply_code, say
from sundial_runner.celery_tasks.states import PENDING, UNSUCCESSFUL
from sundial_runner.endings import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NOT_FOUND = "404"
ASKED_TIMES = 2


class EarlierTasks:
    """The tasks that this attempt and those before it have sent, or may have sent."""

    def __init__(self, app: Any, ids: Sequence[str], queue: str, patience: float) -> None:
        self._app = app
        self._ids = ids
        self._queue = queue
        self._patience = patience
        """Seconds in which a worker has to answer."""
        self._unclear: list[str] = []
        self._workers = 0

    def find(self) -> list[str] | None:
        """Find the tasks of which one runs, waits or has ended; empty: this attempt is to send its own.

        None: no worker has answered. One may be busy with a task, and none would take another.
        Raises Unavailable when that cannot be known, and what Celery raises when it cannot be asked.
        """
        if isinstance(self._app.backend, RPCBackend):
            return self._end_unreadable()
        # The states once more at the end: a task that has just ended is in no queue and at no worker.
        looks = (
            self._read_states,
            self._ask_workers,
            self._look_into_queue,
            self._ask_workers,
            self._read_states,
        )
        for look in looks:
            found = look()
            if found or not self._unclear:
                return found
        if not self._workers:
            return None
        self._revoke(self._unclear)
        say(f"revoked {self._unclear}: no worker knows it, and the queue is empty")
        return []

    def _read_states(self) -> list[str]:
        """Find a task by its state; those that may run in spite of theirs are unclear."""
        self._unclear = []
        for one in self._ids:
            state = self._app.backend.get_task_meta(one)["status"]
            if state == PENDING:
                self._unclear += [one] * (one != self._ids[0])
            elif state not in UNSUCCESSFUL or one == self._ids[0]:
                say(f"task {one} is {state}")
                return [one]
        return []

    def _ask_workers(self) -> list[str]:
        """Find a task that a worker runs or has put aside for itself."""
        return self._ask(self._unclear)

    def _ask(self, ids: Sequence[str]) -> list[str]:
        answers = self._app.control.inspect(timeout=self._patience).query_task(*ids) or {}
        self._workers = len(answers)
        known = [one for one in ids if any(one in (answer or {}) for answer in answers.values())]
        if known or not answers:
            say(f"a worker has task {known[0]}" if known else "no worker has answered")
        return known[:1]

    def _look_into_queue(self) -> list[str]:
        """Find the tasks that may still be queued: any of them, as messages are counted only."""
        if not self._may_be_queued():
            return []
        say(f"a task of an earlier attempt may be in queue {self._queue}: it is waited for")
        return self._unclear

    def _may_be_queued(self) -> bool:
        if not self._queue:
            return True
        try:
            with self._app.pool.acquire(block=True) as connection:
                channel = connection.default_channel
                return bool(channel.queue_declare(queue=self._queue, passive=True).message_count)
        except Exception as error:  # noqa: BLE001 - each transport has its own
            if read_reply_code(error) == NOT_FOUND:
                return False
            say(f"the messages of queue {self._queue} cannot be counted: {error}")
            return True

    def _end_unreadable(self) -> list[str]:
        """End what earlier attempts sent where results reach only who sent the task; raises Unavailable."""
        earlier, unknown = self._ids[1:], 0
        if not earlier:
            return []
        self._revoke(earlier)
        while unknown < ASKED_TIMES:
            unknown = 0 if self._ask(earlier) else unknown + 1
        if not self._workers and self._may_be_queued():
            raise Unavailable(
                f"nothing was sent: the task of an earlier attempt may be in queue {self._queue},"
                " no worker is there to be told that it is revoked, and results by rpc:// cannot be read"
            )
        return []

    def _revoke(self, ids: Sequence[str]) -> None:
        self._app.control.revoke(list(ids), terminate=True)
