"""Whose Events are dropped: those of a namespace whose writes are behind, and of no other one."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import build_scheduled_job

from sundial_operator.metrics import Metrics
from sundial_operator.outputs.event_writer import MAX_WAITING, EventWriter

NOT_READY = {"conditions": [{"type": "Ready", "status": "False", "reason": "NeverFires", "message": "never"}]}


class Behind:
    """A writer with writes that wait in one namespace."""

    def __init__(self, ns: str, waiting: int) -> None:
        self._waiting = {ns: waiting}
        self.submitted: list[str] = []

    def count_waiting(self, ns: str) -> int:
        return self._waiting.get(ns, 0)

    def submit(self, _priority: object, ns: str, _action: object) -> None:
        self.submitted.append(ns)


class Written:
    """A writer that does what it is given, and an API server that takes every Event."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._running: list[Any] = []

    def count_waiting(self, _ns: str) -> int:
        return 0

    def submit(self, _priority: object, _ns: str, action: Any) -> None:
        self._running.append(action())

    async def create(self, _resource: object, _ns: str, event: dict[str, Any]) -> None:
        self.notes.append(event["note"])

    async def patch(self, *_: object) -> None:
        self.notes.append("once more")

    async def drain(self) -> None:
        while self._running:
            await self._running.pop(0)


def not_ours(name: str) -> dict[str, Any]:
    condition = {"type": "JobsRecognized", "status": "False", "reason": "JobNotOurs", "message": name}
    return {"conditions": [condition]}


async def test_one_event_counts_only_what_says_the_same() -> None:
    written: Any = Written()
    events = EventWriter(written, written, Metrics())
    for name in ("copy", "other", "copy"):
        events.note_stored(build_scheduled_job(), not_ours(name))
    await written.drain()
    assert written.notes == ["JobNotOurs: copy", "JobNotOurs: other", "once more"]


@pytest.mark.parametrize(
    ("behind", "submitted"),
    [
        pytest.param(Behind("team", MAX_WAITING), ["team"], id="not behind yet"),
        pytest.param(Behind("team", MAX_WAITING + 1), [], id="its own namespace"),
        pytest.param(Behind("other", 9999), ["team"], id="another namespace"),
    ],
)
async def test_events_are_dropped_where_writes_are_behind(behind: Any, submitted: list[str]) -> None:
    EventWriter(behind, behind, Metrics()).note_stored(build_scheduled_job(), NOT_READY)
    assert behind.submitted == submitted
