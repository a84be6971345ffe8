"""Which processes of the operator are there, and which one leads? Read from their Leases."""

from __future__ import annotations

from dataclasses import dataclass

from sundial_api.mirror.projection.sanitize import fit_instant, parse_uuid, require_instant, trim
from sundial_api.mirror.projection.versions import Version
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

MAX_PID = 2**31 - 1
MAX_TERM_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Instance:
    """A row of `scheduler_instances` as a member Lease tells; who leads is told by the leader's Lease."""

    id: str
    hostname: str
    pid: int
    last_heartbeat: str
    started_at: str
    version: str
    term: int | None
    fence: str | None
    held_by: str | None
    held_until: str | None
    resource_version: int
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """Who leads since when, by the UUID of the process; nobody does without one."""

    holder_id: str | None
    since: str | None
    version: Version


def is_member(item: JsonObject) -> bool:
    """Tell whether a Lease is that of a replica."""
    return names.MEMBER in (item["metadata"].get("labels") or {})


def parse_instance(item: JsonObject, epoch: int) -> Instance:
    """Read a member Lease; raises KeyError or ValueError when its marks are missing."""
    metadata, spec = item["metadata"], item["spec"]
    marks = metadata["annotations"]
    found = parse_uuid(marks[names.INSTANCE])
    if found is None:
        raise ValueError(f"{names.INSTANCE} is not a UUID")
    return Instance(
        id=found,
        hostname=trim(marks.get(names.HOSTNAME), 255) or "",
        pid=min(int(marks[names.PID]), MAX_PID),
        last_heartbeat=require_instant(spec["renewTime"]),
        started_at=require_instant(marks[names.STARTED_AT]),
        version=trim(marks.get(names.VERSION), 50) or "",
        term=_parse_term(marks.get(names.TERM)),
        fence=trim(marks.get(names.FENCE), 20),
        held_by=trim(marks.get(names.STARTS_HELD_BY), 500),
        held_until=trim(marks.get(names.STARTS_HELD_UNTIL), 500),
        resource_version=int(metadata["resourceVersion"]),
        epoch=epoch,
    )


def _parse_term(text: str | None) -> int | None:
    """Read the term in which a replica leads; None where it says none, or nothing that is one."""
    is_term = text is not None and text.isascii() and text.isdigit() and len(text) <= MAX_TERM_DIGITS
    return int(text) if text is not None and is_term else None


def parse_leader_row(item: JsonObject, epoch: int) -> LeaderRow:
    """Read the leader's Lease; its holder is `<hostname>_<UUID of the process>`."""
    spec, number = item.get("spec") or {}, int(item["metadata"]["resourceVersion"])
    holder = str(spec.get("holderIdentity") or "")
    return LeaderRow(
        parse_uuid(holder.rpartition("_")[2]), fit_instant(spec.get("acquireTime")), Version(epoch, number)
    )
