"""Who may lead: what a Lease says, and what a candidate does about it. Clocks are parameters.

Local instants are seconds of a clock that counts suspended time too (CLOCK_BOOTTIME); the wall-clock
times inside a Lease are written for people and never compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sundial_clock.instants import format_micro_time
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a Lease lasts, and how it is kept, in seconds.

    A leader that could not renew for `renew_deadline` stops; a candidate takes over `duration` after it last
    saw the Lease change. The difference is what keeps two leaders apart.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    request: float = 3.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as read: `holder` is empty when it was released."""

    holder: str
    duration: float
    transitions: int
    resource_version: str


@dataclass(frozen=True, slots=True)
class ObservedLease:
    """The newest state of a Lease and the local instant at which it was first seen."""

    lease: Lease
    seen_at: float


class LeaseAction(StrEnum):
    """What a candidate does next."""

    TAKE = "take"
    WAIT = "wait"


def parse_lease(item: JsonObject) -> Lease:
    """Read a Lease from its JSON."""
    spec: Mapping[str, Any] = item.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        resource_version=item["metadata"]["resourceVersion"],
    )


def observe(known: ObservedLease | None, lease: Lease, now: float) -> ObservedLease:
    """Note what was read at the local instant `now`; an unchanged Lease keeps its first sighting."""
    if known is not None and known.lease.resource_version == lease.resource_version:
        return known
    return ObservedLease(lease, now)


def decide_action(sighting: ObservedLease, now: float, identity: str) -> LeaseAction:
    """Take a Lease that was released, or that has not changed for its whole duration.

    One that names the candidate was taken by its own request, whose answer was lost: no need to wait.
    """
    has_expired = now - sighting.seen_at >= sighting.lease.duration
    is_free = has_expired or sighting.lease.holder in ("", identity)
    return LeaseAction.TAKE if is_free else LeaseAction.WAIT


def build_lease_spec(identity: str, timing: Timing, transitions: int, now: datetime) -> JsonObject:
    """Build the spec of a Lease that was just taken; `now` is the wall clock, for people."""
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": round(timing.duration),
        "acquireTime": format_micro_time(now),
        "renewTime": format_micro_time(now),
        "leaseTransitions": transitions,
    }


def raise_term(stored: int, now: datetime) -> int:
    """Find the next term: above the stored one, and at least the Unix time, should that have been lost."""
    return max(stored + 1, int(now.timestamp()))
