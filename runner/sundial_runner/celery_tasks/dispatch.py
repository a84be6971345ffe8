"""Sends a Celery task: once, and only when no earlier attempt's task may run.

Broker, result backend and workers are asked again until the time for it is over; what sends is called once.
"""

from __future__ import annotations

import time

from sundial_runner import environment
from sundial_runner.celery_tasks.apps import find_task, has_backend, load_app
from sundial_runner.celery_tasks.earlier import EarlierTasks
from sundial_runner.celery_tasks.faults import find_cause, is_lasting, read_reply_code, say
from sundial_runner.celery_tasks.states import DISPATCHED, PENDING
from sundial_runner.celery_tasks.time_limits import TimeIsUp, limit_time
from sundial_runner.endings import NotRunnable, Outcome, Unavailable
from sundial_runner.judgement import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 2.0
HINTS = {"406": "; set handler.celery.app to the application that declares the queue so"}
"""What helps by the code of the broker's refusal, here that a queue has other arguments."""


class Dispatch:
    """A task on its way: what is sent, under which id, and what is known of it."""

    def __init__(self, name: str, args: dict[str, Any], ids: Sequence[str]) -> None:
        self.app: Any = load_app(environment.read_celery_app())
        self.ids = list(ids[:1])
        """The task; several while it is not known which of them runs."""
        self.state = ""
        self.hint = ""
        self._attempts = ids
        self._name = name
        self._args = args
        self.is_sent = False
        self._queue = environment.read_celery_queue()
        self._task = find_task(self.app, name) if environment.read_celery_app() else None
        self._doing = ""
        self._trouble = "no answer"

    def describe(self) -> dict[str, str]:
        """Describe the task that runs or has run; nothing when none was sent."""
        return {"id": self.ids[0], "state": self.state or PENDING} if self.is_sent else {}

    def may_run(self) -> bool:
        """Tell whether a task may run, be it that of an earlier attempt."""
        return self.is_sent or len(self._attempts) > 1

    def list_revocable(self) -> list[str]:
        """List the tasks to end at SIGTERM: before it is known which one runs, all of them."""
        return self.ids if self.is_sent else list(self._attempts)

    def send(self) -> Outcome | None:
        """Send the task, or find that of an earlier attempt; an outcome when it is not waited for.

        Raises NotRunnable and Unavailable.
        """
        seconds = environment.read_dispatch_seconds()
        try:
            is_known = False
            while not is_known:
                with limit_time(seconds):
                    self._connect()
                    is_known = self._find_earlier(seconds)
                    if is_known and not self.is_sent:
                        self._publish()
        except TimeIsUp:
            if not self._has_begun():
                sent = "perhaps after it was sent" if self.is_sent else "nothing was sent"
                why = f"within {seconds:g} s, {sent}: {self._trouble}"
                raise Unavailable(f"{self._doing} {why}") from None
        if has_backend(self.app) and environment.is_waiting():
            return None
        self.state = DISPATCHED
        return Outcome(result={"dispatched": True})

    def find_queue(self) -> str:
        """Find the name of the queue that the task goes to; empty when only its exchange is known."""
        queue = self._queue or getattr(self._task, "queue", None)
        options = {"queue": queue} if queue else {}
        route = self.app.amqp.router.route(options, self._name, (), self._args, self._task)
        if "queue" in route:
            return str(route["queue"].name)
        return "" if route.get("exchange") else str(self.app.conf.task_default_queue)

    def _connect(self) -> None:
        self._doing = "the broker could not be reached"
        self._persist(self._reach_broker)
        if has_backend(self.app):
            self._doing = f"the result backend {self.app.backend.as_uri(False)} could not be reached"
            self._persist(lambda: self.app.backend.get_state(self.ids[0]))

    def _reach_broker(self) -> None:
        unused = self.app.connection_for_write()
        self._doing = f"the broker {unused.as_uri()} could not be reached"
        if unused.transport.driver_type == "amqp":  # else a message that the broker refuses is lost unheard
            options = {"confirm_publish": True, **(self.app.conf.broker_transport_options or {})}
            self.app.conf.broker_transport_options = options
        with self.app.pool.acquire(block=True) as connection:
            pauses = {"interval_start": PAUSE_SECONDS, "interval_step": 0, "interval_max": PAUSE_SECONDS}
            connection.ensure_connection(self._note_trouble, **pauses)

    def _note_trouble(self, error: Exception, _pause: float = 0.0) -> None:
        self._trouble = describe_error(find_cause(error))

    def _find_earlier(self, seconds: float) -> bool:
        """Find the task of an earlier attempt; tell whether it is known that one runs, or that none does."""
        if not has_backend(self.app):
            return True
        self._doing = "whether a task of an earlier attempt runs could not be found out"
        patience = min(ANSWER_SECONDS, seconds / 8)
        earlier = EarlierTasks(self.app, self._attempts, self.find_queue(), patience)
        found = self._persist(earlier.find)
        if found:
            self.ids, self.is_sent = found, True
        return found is not None

    def _persist(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is an answer; raises NotRunnable where none can come."""
        self._trouble = "no answer"
        while True:
            try:
                return ask()
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - each transport has its own
                if is_lasting(error):
                    raise NotRunnable(f"{self._doing}: {describe_error(error)}") from None
                self._note_trouble(error)
            time.sleep(PAUSE_SECONDS)

    def _publish(self) -> None:
        self._doing, self._trouble = "the broker did not take the task", "no answer"
        options = self._build_options()
        self.is_sent = True
        try:
            if self._task is None:
                self.app.send_task(self._name, **options)
            else:
                self._task.apply_async(**options)
        except TypeError as error:
            self.is_sent = False
            raise NotRunnable(f"{self._name}: the arguments do not fit: {error}") from None
        except Exception as error:  # noqa: BLE001 - each transport has its own
            if is_lasting(error):
                self.is_sent = False
                raise NotRunnable(f"{self._name} cannot be sent: {describe_error(error)}") from None
            why = self._explain_refusal(find_cause(error))
            if not self._has_begun():
                raise Unavailable(why) from None
        say(f"sent {self._name} as {self.ids[0]} to queue {self._queue or '(as routed)'}")

    def _has_begun(self) -> bool:
        """Tell whether a task that was perhaps sent has a state: where it has none, nobody knows."""
        try:
            with limit_time(ANSWER_SECONDS):
                return self.is_sent and self.app.backend.get_state(self.ids[0]) != PENDING
        except (Exception, TimeIsUp):  # noqa: BLE001 - each backend has its own
            return False

    def _explain_refusal(self, error: BaseException) -> str:
        hint = HINTS.get(read_reply_code(error), "")
        if not hint and type(error).__name__ != "MessageNacked":
            return f"{self._doing}, perhaps after it was sent: {describe_error(error)}"
        self.is_sent = False
        return f"{self._doing}, nothing was sent: {describe_error(error)}{hint}"

    def _build_options(self) -> dict[str, Any]:
        options = {"task_id": self.ids[0], "kwargs": self._args, "ignore_result": False, "retry": False}
        if self._queue:
            options["queue"] = self._queue
        limits = [environment.read_timeout(), count_seconds(getattr(self._task, "expires", None))]
        if any(limits):
            options["expires"] = min(one for one in limits if one)
        return options


def count_seconds(expires: Any) -> float:
    """Count the seconds until a task's own `expires`, a number or a date; 0 is none."""
    if expires is None:
        return 0.0
    if hasattr(expires, "timestamp"):
        return max(float(expires.timestamp()) - time.time(), 1.0)
    return float(expires)
