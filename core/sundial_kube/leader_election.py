"""The elector: holds the Lease and the term in a thread of its own, and says until when writing is safe.

The operator elects its leader by it (the mirror by a lock in Postgres). Other Leases elect nobody: by one
each replica shows that it lives (`sundial_operator/replica_lease.py`), by another the mirror how far it is
(`sundial_api/mirror/mirror_lease.py`).

A process that loses the Lease ends. No wall clock is trusted; the deadline is taken before each request.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from kubernetes.aio.client import Configuration

from sundial_clock.instants import format_instant, format_micro_time
from sundial_core.coordination.leader_record import (
    Lease,
    LeaseAction,
    ObservedLease,
    Timing,
    build_lease_spec,
    decide_action,
    observe,
    parse_lease,
    raise_term,
)
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import LEADER_TERMS, LEASES
from sundial_kube.server_clock import read_boot_clock

log = structlog.get_logger()

RELEASED_SECONDS = 1
"""The duration written on release, as client-go does, for candidates that look at nothing else."""


class LeadershipLost(Exception):
    """Somebody else holds the Lease or the term, or it could not be renewed in time."""


@dataclass(frozen=True, slots=True)
class LeaseLock:
    """What there is to hold: the Lease and the LeaderTerm of an installation, and who wants it."""

    ns: str
    name: str
    identity: str


class Leadership:
    """Whether, and until when, this process leads; read from any thread."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._deadline = 0.0
        self.term = 0

    def gate(self) -> float:
        """Find for how long a request that begins now may go on while the Lease is surely ours.

        Raises NotLeading when that is too short for one.
        """
        left = self.compute_seconds_left()
        if left <= self._timing.request:
            raise NotLeading("the Lease is not held for long enough to write")
        return left

    def extend(self, sent_at: float) -> None:
        """Note a renewal whose request was sent at that instant of the boot clock."""
        self._deadline = sent_at + self._timing.renew_deadline

    def compute_seconds_left(self) -> float:
        """Find how long it is until the renew deadline."""
        return self._deadline - read_boot_clock()


class Elector:
    """Campaigns for a seat, keeps it, and calls back.

    `on_elected()` and `on_lost(reason)` are called in the elector's thread.
    """

    def __init__(
        self,
        configuration: Configuration,
        lock: LeaseLock,
        timing: Timing,
        *,
        on_elected: Callable[[], object],
        on_lost: Callable[[str], None],
    ) -> None:
        self._configuration = configuration
        self._lock = lock
        self._timing = timing
        self._on_elected = on_elected
        self._on_lost = on_lost
        self._sighting: ObservedLease | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elector", daemon=True)
        self.leadership = Leadership(timing)
        self.holder = ""

    def start(self) -> None:
        """Begin to campaign."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a Lease that is held is released. Blocks until that is done."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._timing.request * 2)

    def _run(self) -> None:
        """Work until stopped; a replica whose elector has failed could neither lead nor stand by."""
        try:
            asyncio.run(self._work())
        except Exception as error:
            log.exception("the elector failed")
            self._on_lost(f"the elector failed: {error!r}")

    async def _work(self) -> None:
        async with KubeClient(
            self._configuration, user_agent="sundial-elector", request_seconds=self._timing.request
        ) as client:
            lease = await self._campaign(client)
            if lease is None:
                return
            try:
                await self._keep(client, lease)
            except LeadershipLost as error:
                self._on_lost(str(error))

    async def _campaign(self, client: KubeClient) -> Lease | None:
        """Wait for the Lease, then raise the term; None when stopped before."""
        while not self._stop.is_set():
            try:
                lease = await self._try_to_take(client)
                if lease is not None and await self._try_to_raise_term(client):
                    self._on_elected()
                    return lease
                if lease is not None:
                    await self._release(client, lease)
            except (ApiError, ApiUnreachable) as error:
                log.warning("campaigning failed", error=str(error))
            await self._pause()
        return None

    async def _try_to_take(self, client: KubeClient) -> Lease | None:
        """Take the Lease if it is free; a conflict means that somebody else was sooner."""
        sent_at, now = read_boot_clock(), datetime.now(UTC)
        try:
            found = parse_lease(await client.get(LEASES, self._lock.ns, self._lock.name))
        except ApiError as error:
            if error.status != 404:
                raise
            return await self._create_lease(client, sent_at, now)
        self.holder = found.holder
        self._sighting = observe(self._sighting, found, read_boot_clock())
        if decide_action(self._sighting, read_boot_clock(), self._lock.identity) is LeaseAction.WAIT:
            return None
        spec = build_lease_spec(self._lock.identity, self._timing, found.transitions + 1, now)
        return await self._write_lease(client, found, spec)

    async def _create_lease(self, client: KubeClient, sent_at: float, now: datetime) -> Lease | None:
        manifest = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._lock.name},
            "spec": build_lease_spec(self._lock.identity, self._timing, 0, now),
        }
        try:
            lease = parse_lease(await client.create(LEASES, self._lock.ns, manifest))
        except ApiError as error:
            if error.status == 409:
                return None
            raise
        self.leadership.extend(sent_at)
        return lease

    async def _write_lease(self, client: KubeClient, lease: Lease, spec: JsonObject) -> Lease | None:
        """Patch the Lease under the resourceVersion that was read; None when it has changed since."""
        patch = {"metadata": {"resourceVersion": lease.resource_version}, "spec": spec}
        sent_at = read_boot_clock()
        try:
            written = parse_lease(await client.patch(LEASES, self._lock.ns, self._lock.name, patch))
        except ApiError as error:
            if error.status in (404, 409):
                return None
            raise
        self.leadership.extend(sent_at)
        self.holder = written.holder
        return written

    async def _try_to_raise_term(self, client: KubeClient) -> bool:
        """Raise the term to one that no other leader has had; False when that is not possible now."""
        try:
            self.leadership.term = await write_term(client, self._lock, datetime.now(UTC))
        except (ApiError, ApiUnreachable) as error:
            log.error("elected, but the term cannot be raised", error=str(error))
            return False
        return True

    async def _keep(self, client: KubeClient, lease: Lease) -> None:
        """Renew until stopped; raises LeadershipLost."""
        while not self._stop.is_set():
            await self._pause()
            try:
                async with asyncio.timeout(self.leadership.compute_seconds_left()):
                    lease = await self._renew(client, lease)
                    await self._check_term(client)
            except (ApiError, ApiUnreachable, TimeoutError) as error:
                log.warning("renewing the Lease failed", error=repr(error))
            if self.leadership.compute_seconds_left() <= 0:
                raise LeadershipLost("the Lease could not be renewed in time")
        await self._release(client, lease)

    async def _renew(self, client: KubeClient, lease: Lease) -> Lease:
        spec = {"renewTime": format_micro_time(datetime.now(UTC))}
        renewed = await self._write_lease(client, lease, spec)
        if renewed is not None:
            return renewed
        found = parse_lease(await client.get(LEASES, self._lock.ns, self._lock.name))
        if found.holder != self._lock.identity:
            raise LeadershipLost(f"the Lease was taken by {found.holder or 'nobody'}")
        return found

    async def _check_term(self, client: KubeClient) -> None:
        """Check that the term is still ours; raises LeadershipLost when it is gone, lower, or another's."""
        item = await client.get_or_none(LEADER_TERMS, self._lock.ns, self._lock.name)
        if item is None:
            raise LeadershipLost("the LeaderTerm is gone")
        spec = item["spec"]
        if (spec["term"], spec["holder"]) != (self.leadership.term, self._lock.identity):
            raise LeadershipLost(f"the LeaderTerm is {spec['term']} of {spec['holder']}")

    async def _release(self, client: KubeClient, lease: Lease) -> None:
        """Give the Lease back, so that the next one need not wait; trouble is only logged."""
        spec = {"holderIdentity": "", "leaseDurationSeconds": RELEASED_SECONDS}
        try:
            await self._write_lease(client, lease, spec)
        except (ApiError, ApiUnreachable) as error:
            log.warning("releasing the Lease failed", error=str(error))

    async def _pause(self) -> None:
        """Wait for the retry period, with jitter, or until stopped."""
        await asyncio.to_thread(self._stop.wait, self._timing.retry * random.uniform(0.8, 1.2))


async def write_term(client: KubeClient, lock: LeaseLock, now: datetime) -> int:
    """Raise the LeaderTerm to a new term of ours, guarded by its resourceVersion; returns the term.

    Raises ApiError, a 409 of a lost race included, and ApiUnreachable.
    """
    try:
        item = await client.get(LEADER_TERMS, lock.ns, lock.name)
    except ApiError as error:
        if error.status != 404:
            raise
        term = raise_term(0, now)
        await client.create(LEADER_TERMS, lock.ns, _build_term(lock, term, now))
        return term
    term = raise_term(int(item["spec"]["term"]), now)
    guard = {"metadata": {"resourceVersion": item["metadata"]["resourceVersion"]}}
    await client.patch(
        LEADER_TERMS, lock.ns, lock.name, guard | {"spec": _build_term(lock, term, now)["spec"]}
    )
    return term


def _build_term(lock: LeaseLock, term: int, now: datetime) -> JsonObject:
    return {
        "apiVersion": LEADER_TERMS.api_version,
        "kind": LEADER_TERMS.kind,
        "metadata": {"name": lock.name},
        "spec": {"term": term, "holder": lock.identity, "since": format_instant(now)},
    }
