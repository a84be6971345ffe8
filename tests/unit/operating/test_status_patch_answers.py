"""What is sent for a status, under which version, and what each answer to it makes of the object."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from testkit.scheduled_jobs import UID, at, build_item

from sundial_core.decision.pending_status import PendingStatus
from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_core.status.urgency import Urgency
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import SCHEDULED_JOBS
from sundial_kube.store import Store
from sundial_operator.delay_queue import DelayQueue, QueueKey, Task
from sundial_operator.outputs.status_patches import Source, StatusPatcher
from sundial_operator.outputs.write_queue import WriteQueue

KEY = QueueKey(Task.STATUS, UID)
OLD, WANTED = {"activeCount": 0}, {"activeCount": 1}
SENT = (
    SCHEDULED_JOBS,
    "team",
    "tick",
    {"metadata": {"resourceVersion": "10"}, "status": WANTED},
)
SILENCE = ApiUnreachable("no answer")
CONFLICT = ApiError(409, "Conflict", "changed")
Answer = dict[str, Any] | Exception


def build_answer(version: int, uid: str = UID, **fields: Any) -> dict[str, Any]:
    item = build_item(status=WANTED)
    return item | {"metadata": item["metadata"] | {"resourceVersion": str(version), "uid": uid}} | fields


class Desk:
    """One ScheduledJob whose status is to be stored, and an API server that answers a patch and a read."""

    def __init__(self, to_patch: Answer, to_get: Answer = SILENCE) -> None:
        self._to_patch, self._to_get = to_patch, to_get
        self.delay_queue, self.writer, self.one = DelayQueue(), WriteQueue(limit=1), PendingStatus(UID)
        self.sent: list[tuple[Any, ...]] = []
        self.read: list[tuple[Any, ...]] = []
        self.woken: list[str] = []
        self.noted: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.store: Store[ScheduledJob] = Store(parse_scheduled_job, lambda *_: None, lambda *_: None)
        self.store.put(build_item(status=OLD))
        self.told: list[str] = []
        source = Source(SCHEDULED_JOBS, Task.STATUS, self.store, self.note, self.tell)
        client: Any = self
        self.statuses = StatusPatcher(client, self.writer, self.delay_queue, self.enqueue, source)

    def note(self, before: ScheduledJob, stored: dict[str, Any]) -> None:
        self.noted.append((before.status, stored))

    def tell(self, before: ScheduledJob, refusal: str) -> None:
        self.told.append(f"{before.name}: {refusal}")

    def enqueue(self, uid: str) -> None:
        assert not self.one.is_patching
        self.woken.append(uid)

    async def patch_status(self, *request: Any) -> dict[str, Any]:
        assert self.one.is_patching
        self.sent.append(request)
        return answer(self._to_patch)

    async def get(self, *request: Any) -> dict[str, Any]:
        self.read.append(request)
        return answer(self._to_get)

    def want(self, status: dict[str, Any] | None = None) -> None:
        job = self.store.get(UID) or parse_scheduled_job(build_item(status=OLD))
        self.one.want(job, status or WANTED, Urgency.NOW)
        self.statuses.want(self.one, Urgency.NOW)

    async def send(self) -> None:
        """Take the turn, as the agenda does."""
        self.delay_queue.set(KEY, None)
        self.statuses._send_due(KEY)
        await self.writer.drain(1)

    @property
    def version(self) -> int:
        """The resourceVersion that the store has."""
        job = self.store.get(UID)
        assert job is not None
        return job.resource_version


def answer(given: Answer) -> dict[str, Any]:
    if isinstance(given, Exception):
        raise given
    return given


async def test_a_status_that_is_stored_is_known_at_once() -> None:
    desk = Desk(build_answer(11))
    desk.one.patch_failures, desk.one.refusal = 3, "too large"
    desk.want()
    await desk.send()
    assert (desk.sent, desk.version) == ([SENT], 11)
    assert (desk.one.patch_failures, desk.one.refusal) == (0, "")
    assert (desk.noted, desk.woken, KEY in desk.delay_queue) == ([(OLD, WANTED)], [UID], False)


async def test_a_status_that_is_stored_as_none_is_noted_as_empty() -> None:
    desk = Desk(build_answer(11, status=None))
    desk.want()
    await desk.send()
    assert desk.noted == [(OLD, {})]


@pytest.mark.parametrize("error", [CONFLICT, ApiError(404, "NotFound", "")], ids=["changed", "replaced"])
async def test_what_somebody_has_written_meanwhile_is_read_and_decided_anew(error: ApiError) -> None:
    desk = Desk(error, build_answer(12))
    desk.one.patch_failures = 3
    desk.want()
    await desk.send()
    assert (desk.read, desk.version) == ([(SCHEDULED_JOBS, "team", "tick")], 12)
    assert (desk.one.patch_failures, desk.woken, desk.noted) == (0, [UID], [])
    assert KEY not in desk.delay_queue


@pytest.mark.parametrize(
    "newest",
    [
        pytest.param(SILENCE, id="no answer"),
        pytest.param(ApiError(404, "NotFound", ""), id="gone"),
        pytest.param(build_answer(12, "another"), id="another object of that name"),
    ],
)
async def test_where_the_newest_state_is_not_to_be_had_the_status_keeps_its_turn(newest: Answer) -> None:
    desk = Desk(CONFLICT, newest)
    desk.want()
    await desk.send()
    assert (len(desk.store), desk.version, desk.one.patch_failures) == (1, 10, 1)
    assert (KEY in desk.delay_queue, desk.woken) == (True, [UID])


@pytest.mark.parametrize(
    ("error", "failures", "least", "most"),
    [
        pytest.param(SILENCE, 0, 0.25, 0.5, id="no answer"),
        pytest.param(NotLeading(), 0, 0.25, 0.5, id="not the leader"),
        pytest.param(ApiError(422, "Invalid", ""), 0, 0.25, 0.5, id="refused"),
        pytest.param(ApiError(503, "ServiceUnavailable", ""), 3, 2, 4, id="refused for the fourth time"),
        pytest.param(ApiError(429, "TooManyRequests", "", 90), 0, 90, 90, id="asked to wait"),
        pytest.param(CONFLICT, 1, 0.5, 1, id="changed, and not to be read"),
    ],
)
async def test_a_status_that_could_not_be_stored_is_tried_again_after_a_while(
    error: Exception, failures: int, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sundial_operator.outputs.status_patches.read_clock", lambda: at(100))
    desk = Desk(error)
    desk.one.patch_failures = failures
    desk.want()
    with capture_logs() as logs:
        await desk.send()
    assert [one["error"] for one in logs] == [str(error)]
    assert desk.one.refusal == str(error)
    assert (desk.one.patch_failures, desk.version, desk.noted) == (failures + 1, 10, [])
    wait = desk.delay_queue._due[KEY] - at(100)
    assert timedelta(seconds=least) <= wait <= timedelta(seconds=most)


@pytest.mark.parametrize(
    ("error", "failures", "told"),
    [
        pytest.param(ApiError(422, "Invalid", "no"), 1, [], id="the second time"),
        pytest.param(ApiError(422, "Invalid", "no"), 2, ["tick: 422 Invalid: no"], id="the third time"),
        pytest.param(ApiError(422, "Invalid", "no"), 3, [], id="once is enough"),
        pytest.param(ApiError(503, "ServiceUnavailable", ""), 2, [], id="the API server is busy"),
        pytest.param(SILENCE, 2, [], id="it is away"),
    ],
)
async def test_somebody_is_told_of_statuses_that_are_refused(
    error: Exception, failures: int, told: list[str]
) -> None:
    desk = Desk(error)
    desk.one.patch_failures = failures
    desk.want()
    await desk.send()
    assert desk.told == told


async def test_nothing_is_sent_for_an_object_that_is_gone() -> None:
    desk = Desk(build_answer(11))
    desk.want()
    desk.store.remove(build_answer(11))
    with capture_logs() as logs:
        await desk.send()
    assert (desk.sent, desk.woken, desk.one.is_patching) == ([], [UID], False)
    assert logs == []


async def test_nothing_is_sent_for_what_changed_after_it_was_decided() -> None:
    desk = Desk(build_answer(11))
    desk.want()
    desk.store.put(build_answer(12))
    await desk.send()
    assert (desk.sent, desk.woken, desk.one.is_patching) == ([], [UID], False)


async def test_while_one_is_under_way_the_next_one_waits() -> None:
    desk = Desk(build_answer(11))
    desk.want()
    desk.one.is_patching = True
    await desk.send()
    assert desk.sent == []


async def test_of_what_was_wanted_while_it_waited_the_newest_is_sent() -> None:
    desk = Desk(build_answer(11))
    desk.want({"activeCount": 5})
    desk.delay_queue.set(KEY, None)
    desk.statuses._send_due(KEY)
    desk.want()
    await desk.writer.drain(1)
    assert desk.sent == [SENT]


async def test_for_what_nobody_wants_any_more_nothing_is_sent() -> None:
    desk = Desk(build_answer(11))
    desk.want()
    desk.statuses.want(desk.one, Urgency.NONE)
    await desk.send()
    assert (desk.sent, desk.woken) == ([], [])
