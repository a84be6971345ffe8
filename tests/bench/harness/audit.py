"""What the operator has written, by the API server's own record: its audit log, by user name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

USER = "system:serviceaccount:sundial-system:sundial"
WRITES = ["create", "update", "patch", "delete", "deletecollection"]
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [USER], "verbs": WRITES}, {"level": "None"}],
}
"""Records the writes of the operator and nothing else: recording costs the API server time."""

HEARTBEATS = ("leases", "leaderterms")


@dataclass(frozen=True)
class Write:
    """One request; `what` is its verb and resource, `code` the status code of the answer."""

    at: float
    verb: str
    resource: str
    code: int
    is_stored: bool

    @property
    def what(self) -> str:
        """The verb and the resource."""
        return f"{self.verb} {self.resource}"


def read_writes(log: Path, since: float, until: float) -> list[Write]:
    """Read the writes that the API server received in [since, until), in seconds of the epoch."""
    with log.open("rb") as lines:
        return [write for write in parse_writes(lines) if since <= write.at < until]


def parse_writes(lines: Iterable[bytes]) -> Iterator[Write]:
    """Read the audit log; access reviews and dry runs are requests that store nothing."""
    for line in lines:
        event = orjson.loads(line)
        reference = event["objectRef"]
        resource = reference["resource"]
        if subresource := reference.get("subresource"):
            resource += f"/{subresource}"
        yield Write(
            at=datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
            verb=event["verb"],
            resource=resource,
            code=event.get("responseStatus", {}).get("code", 0),
            is_stored="dryRun=" not in event["requestURI"] and "accessreviews" not in resource,
        )


def summarise(writes: Iterable[Write]) -> dict[str, dict[str, int]]:
    """Count the writes: those that were stored, with heartbeats and Events apart, and the others."""
    counts: dict[str, Counter[str]] = {
        kind: Counter() for kind in ("stored", "heartbeats", "events", "refused", "not_stored")
    }
    for write in writes:
        counts[_classify(write)][write.what] += 1
    return {kind: dict(sorted(count.items())) for kind, count in counts.items()}


def _classify(write: Write) -> str:
    if not write.is_stored:
        return "not_stored"
    if write.code >= 400:
        return "refused"
    if write.resource in HEARTBEATS:
        return "heartbeats"
    return "events" if write.resource == "events" else "stored"
