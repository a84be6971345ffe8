"""What the Lease of a replica says, by which it shows that it lives, and which of these Leases are stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sundial_clock.instants import format_instant, format_micro_time
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class ReplicaRecord:
    """A replica: `instance` is the UUID of its process, which is also on each Job that it creates."""

    instance: str
    release: str
    installation: str
    hostname: str
    pid: int
    version: str
    started_at: datetime

    @property
    def lease_name(self) -> str:
        """The name of its Lease."""
        return f"{self.release}-member-{self.instance}"


def build_replica_lease(member: ReplicaRecord, seconds: float, now: datetime) -> JsonObject:
    """Build the Lease of a replica; after `seconds` without a sign of life it is stale."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": member.lease_name,
            "labels": {
                names.INSTALLATION: member.installation,
                names.MEMBER: "true",
                names.MANAGED_BY: "sundial",
            },
            "annotations": {
                names.INSTANCE: member.instance,
                names.HOSTNAME: member.hostname,
                names.PID: str(member.pid),
                names.VERSION: member.version,
                names.STARTED_AT: format_instant(member.started_at),
            },
        },
        "spec": {
            "holderIdentity": f"{member.hostname}_{member.instance}",
            "leaseDurationSeconds": max(1, round(seconds)),
            "acquireTime": format_micro_time(member.started_at),
            "renewTime": format_micro_time(now),
        },
    }


@dataclass(frozen=True, slots=True)
class LeaderStanding:
    """What the leader alone knows of the installation, for people: its term, the fence, what holds starts."""

    term: int
    fence: str
    held_by: str = ""
    held_until: str = ""


def build_renewal(now: datetime, standing: LeaderStanding | None) -> JsonObject:
    """Build the merge patch of a replica's Lease that says that it lives, and how the installation stands.

    Who does not lead says nothing of that, any more.
    """
    marks = {
        names.TERM: str(standing.term) if standing else None,
        names.FENCE: standing.fence if standing else None,
        names.STARTS_HELD_BY: (standing.held_by or None) if standing else None,
        names.STARTS_HELD_UNTIL: (standing.held_until or None) if standing else None,
    }
    return {"metadata": {"annotations": marks}, "spec": {"renewTime": format_micro_time(now)}}


@dataclass(frozen=True, slots=True)
class ObservedReplica:
    """A member Lease, and since which local instant (seconds of the boot clock) it has not changed."""

    name: str
    uid: str
    resource_version: str
    since: float


def observe_replicas(
    known: Mapping[str, ObservedReplica], items: Iterable[Mapping[str, Any]], now: float
) -> dict[str, ObservedReplica]:
    """Note, by UID, the member Leases of a list; one that has not changed keeps its instant.

    What renewTime says is another machine's clock, and not compared.
    """
    seen: dict[str, ObservedReplica] = {}
    for item in items:
        metadata = item["metadata"]
        found = ObservedReplica(metadata["name"], metadata["uid"], metadata["resourceVersion"], now)
        before = known.get(found.uid)
        is_same = before is not None and before.resource_version == found.resource_version
        seen[found.uid] = before if before is not None and is_same else found
    return seen


def list_stale(seen: Mapping[str, ObservedReplica], seconds: float, now: float) -> Iterator[ObservedReplica]:
    """Find the member Leases that have not changed for so long."""
    return (sighting for sighting in seen.values() if now - sighting.since >= seconds)
