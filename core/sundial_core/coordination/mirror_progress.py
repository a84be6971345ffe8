"""Up to where the database has what Jobs and Pods say, by the mirror's Lease; and who has to wait for it.

Clocks are parameters: seconds of the boot clock, as in `leader_record.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import ObservedPod

MAX_TRUST_SECONDS = 3600.0
"""After so long without a change of the Lease there is no mirror to wait for."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The versions up to which Jobs and Pods are committed to the database."""

    jobs: int = 0
    pods: int = 0

    def has(self, job: ObservedJob, pods: Iterable[ObservedPod]) -> bool:
        """Tell whether the newest states of a Job and of its Pods are in the database.

        A Job ends after its Pods have: past its version Pods are mirrored that were not heard of here yet.
        """
        is_there = job.resource_version <= min(self.jobs, self.pods)
        return is_there and all(pod.resource_version <= self.pods for pod in pods)


NOTHING = Mirrored()
"""What is known to be mirrored while the Lease has not been read, or cannot be understood."""


@dataclass(frozen=True, slots=True)
class ObservedMirrorLease:
    """The newest state of the mirror's Lease, and the local instant at which it was first seen."""

    resource_version: str
    mirrored: Mirrored
    seen_at: float


def observe_mirror_lease(
    known: ObservedMirrorLease | None, item: JsonObject, now: float
) -> ObservedMirrorLease:
    """Note what the Lease says at the local instant `now`; an unchanged one keeps its first sighting."""
    version = str(item["metadata"]["resourceVersion"])
    if known is not None and known.resource_version == version:
        return known
    return ObservedMirrorLease(version, _parse_mirrored(item), now)


def find_mirrored(sighting: ObservedMirrorLease | None, now: float) -> Mirrored | None:
    """Find what is mirrored; None where nobody mirrors (any more), so that nothing waits for it."""
    if sighting is None or now - sighting.seen_at > MAX_TRUST_SECONDS:
        return None
    return sighting.mirrored


def _parse_mirrored(item: JsonObject) -> Mirrored:
    text = (item["metadata"].get("annotations") or {}).get(names.MIRRORED_UNTIL, "")
    try:
        said = orjson.loads(text)
        return Mirrored(int(said["jobs"]), int(said["pods"]))
    except (KeyError, TypeError, ValueError):
        return NOTHING
