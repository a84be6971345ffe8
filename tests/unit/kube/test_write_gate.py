"""The write gate: a write begins only while the Lease is surely held, and ends before it may be another's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from kubernetes.aio.client import Configuration

from sundial_clock.instants import parse_instant
from sundial_core.coordination.leader_record import Lease, Timing
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.leader_election import Elector, Leadership, LeaseLock
from sundial_kube.resources import JOBS, LEASES

TIMING = Timing(duration=15, renew_deadline=10, retry=2, request=3)
ELECTED_AT = 1000.0
JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
OF_ITS_UID = {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}


class Clock:
    """The boot clock."""

    def __init__(self) -> None:
        self.now = ELECTED_AT

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the boot clock that the elector reads."""
    clock = Clock()
    monkeypatch.setattr("sundial_kube.leader_election.read_boot_clock", clock)
    return clock


@pytest.mark.parametrize(
    ("later", "left"),
    [
        pytest.param(0, 10, id="just renewed"),
        pytest.param(6.5, 3.5, id="enough for one request"),
    ],
)
def test_a_write_may_go_on_until_the_renew_deadline(clock: Clock, later: float, left: float) -> None:
    leadership = Leadership(TIMING)
    leadership.extend(ELECTED_AT)
    clock.now += later
    assert leadership.gate() == left


@pytest.mark.parametrize("later", [pytest.param(7, id="exactly one request"), 9.9, 10, 11])
def test_no_write_begins_when_less_is_left_than_a_request_may_take(clock: Clock, later: float) -> None:
    leadership = Leadership(TIMING)
    leadership.extend(ELECTED_AT)
    clock.now += later
    with pytest.raises(NotLeading, match=r"^the Lease is not held for long enough to write$"):
        leadership.gate()


def test_a_renewal_counts_from_when_it_was_sent(clock: Clock) -> None:
    leadership = Leadership(TIMING)
    leadership.extend(ELECTED_AT)
    clock.now += 8
    leadership.extend(clock.now - 1)
    assert leadership.gate() == 9


def test_before_its_election_a_process_has_no_time_and_no_term(clock: Clock) -> None:
    leadership = Leadership(TIMING)
    assert (leadership.compute_seconds_left(), leadership.term) == (-ELECTED_AT, 0)
    with pytest.raises(NotLeading):
        leadership.gate()


class Slow:
    """An API server that takes two seconds for each request, and answers the same to all of them."""

    def __init__(self, clock: Clock, answer: dict[str, Any] | ApiError) -> None:
        self._clock = clock
        self._answer = answer
        self.sent: list[tuple[Any, ...]] = []

    async def create(self, *request: Any) -> dict[str, Any]:
        self._clock.now += 2
        self.sent.append(request)
        if isinstance(self._answer, ApiError):
            raise self._answer
        return self._answer

    patch = create


def build_elector() -> Elector:
    lock = LeaseLock("ns", "sundial", "one")
    return Elector(Configuration(), lock, TIMING, on_elected=lambda: None, on_lost=lambda _: None)


def build_lease_item(holder: str = "one") -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 4}
    return {"metadata": {"resourceVersion": "8"}, "spec": spec}


OURS = Lease("one", 15, 4, "8")
NOW = parse_instant("2026-01-01T00:00:00Z")


async def test_a_lease_that_was_made_is_held_from_when_that_was_asked_for(clock: Clock) -> None:
    elector, server = build_elector(), Slow(clock, build_lease_item())
    client: Any = server
    assert await elector._create_lease(client, clock.now - 1, NOW) == OURS
    assert elector.leadership.compute_seconds_left() == 7
    spec = {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "sundial"}}
    assert server.sent == [(LEASES, "ns", head | {"spec": spec})]


async def test_a_lease_that_was_renewed_is_held_from_when_that_was_asked_for(clock: Clock) -> None:
    elector, server = build_elector(), Slow(clock, build_lease_item())
    client: Any = server
    assert await elector._write_lease(client, Lease("", 1, 3, "7"), {"a": 1}) == OURS
    assert (elector.leadership.compute_seconds_left(), elector.holder) == (8, "one")
    guarded = {"metadata": {"resourceVersion": "7"}, "spec": {"a": 1}}
    assert server.sent == [(LEASES, "ns", "sundial", guarded)]


Attempt = Callable[[Elector, Any], Awaitable[Lease | None]]
MAKE: Attempt = lambda elector, client: elector._create_lease(client, ELECTED_AT, NOW)  # noqa: E731
RENEW: Attempt = lambda elector, client: elector._write_lease(client, OURS, {})  # noqa: E731


@pytest.mark.parametrize(
    ("attempt", "status"),
    [
        pytest.param(MAKE, 409, id="another candidate made it"),
        pytest.param(RENEW, 409, id="another candidate changed it"),
        pytest.param(RENEW, 404, id="it is gone"),
    ],
)
async def test_a_lease_that_was_anothers_sooner_is_not_held(
    clock: Clock, attempt: Attempt, status: int
) -> None:
    elector = build_elector()
    assert await attempt(elector, Slow(clock, ApiError(status, "", ""))) is None
    assert elector.leadership.compute_seconds_left() < 0


@pytest.mark.parametrize("attempt", [MAKE, RENEW])
async def test_a_lease_that_could_not_be_written_is_not_held(clock: Clock, attempt: Attempt) -> None:
    elector = build_elector()
    with pytest.raises(ApiError):
        await attempt(elector, Slow(clock, ApiError(500, "", "")))
    assert elector.leadership.compute_seconds_left() < 0


class Wire:
    """A session that keeps what would be sent, and is cut off."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.seconds: list[float] = []

    async def request(self, method: str, path: str, **options: Any) -> None:
        body, headers = orjson.loads(options["data"]), options["headers"]
        kind = headers["Content-Type"], headers.get("Accept")
        self.sent.append((method, path, options["params"], body, kind))
        self.seconds.append(options["timeout"].total)
        raise aiohttp.ClientConnectionError


def build_client(gate: Callable[[], float], seconds: float = 15) -> tuple[KubeClient, Wire]:
    client = KubeClient(Configuration(), gate=gate, request_seconds=seconds)
    wire: Any = Wire()
    client._session = wire
    return client, wire


Write = Callable[[KubeClient], Awaitable[object]]
JOB, LIST = {"kind": "Job"}, "/apis/batch/v1/namespaces/ns/jobs"
WRITES = [
    pytest.param(
        lambda client: client.create(JOBS, "ns", JOB), ("POST", LIST, None, JOB, (JSON, None)), id="create"
    ),
    pytest.param(
        lambda client: client.create(JOBS, "ns", b"[1]"),
        ("POST", LIST, None, [1], (JSON, None)),
        id="create from bytes",
    ),
    pytest.param(
        lambda client: client.create_metadata_only(JOBS, "ns", JOB),
        ("POST", LIST, {"fieldValidation": "Ignore"}, JOB, (JSON, METADATA)),
        id="create for the metadata",
    ),
    pytest.param(
        lambda client: client.dry_run_create(JOBS, "ns", JOB),
        ("POST", LIST, {"dryRun": "All"}, JOB, (JSON, None)),
        id="dry run",
    ),
    pytest.param(
        lambda client: client.patch(JOBS, "ns", "x", JOB),
        ("PATCH", f"{LIST}/x", None, JOB, (MERGE_PATCH, None)),
        id="merge patch",
    ),
    pytest.param(
        lambda client: client.patch_json(JOBS, "ns", "x", [JOB]),
        ("PATCH", f"{LIST}/x", None, [JOB], ("application/json-patch+json", None)),
        id="JSON patch",
    ),
    pytest.param(
        lambda client: client.patch_status(JOBS, "ns", "x", JOB),
        ("PATCH", f"{LIST}/x/status", None, JOB, (MERGE_PATCH, None)),
        id="status",
    ),
    pytest.param(
        lambda client: client.delete(JOBS, "ns", "x", "u"),
        ("DELETE", f"{LIST}/x", None, OF_ITS_UID, (JSON, None)),
        id="delete",
    ),
]


@pytest.mark.parametrize(("write", "sent"), WRITES)
async def test_a_write_passes_the_gate_and_has_the_time_that_is_left(
    write: Write, sent: tuple[Any, ...]
) -> None:
    client, wire = build_client(lambda: 4.5)
    with pytest.raises(ApiUnreachable):
        await write(client)
    assert (wire.sent, wire.seconds) == ([sent], [4.5])


@pytest.mark.parametrize(("write", "sent"), WRITES)
async def test_a_write_has_no_more_time_than_any_request(write: Write, sent: tuple[Any, ...]) -> None:
    client, wire = build_client(lambda: 4.5, seconds=2)
    with pytest.raises(ApiUnreachable):
        await write(client)
    assert wire.seconds == [2]


@pytest.mark.parametrize(("write", "sent"), WRITES)
async def test_nothing_is_sent_while_the_gate_is_shut(
    clock: Clock, write: Write, sent: tuple[Any, ...]
) -> None:
    client, wire = build_client(Leadership(TIMING).gate)
    with pytest.raises(NotLeading):
        await write(client)
    assert wire.sent == []
