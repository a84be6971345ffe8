"""Which Jobs have ever been created? Read from the API server's audit log, which forgets no deleted Job.

Lists of Jobs are taken in too: an API server that is killed may have stored a Job and not logged it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

EVENT = b'{"kind":"Event"'
OWNER = "sundial.dev/scheduled-job-uid"
CREATED = 201


@dataclass(frozen=True, slots=True)
class Creation:
    """One Job that was created; `at` is the arrival of its request, else the stored second."""

    ns: str
    name: str
    uid: str
    owner: str
    run: str
    slot: datetime | None
    attempt: int
    term: int
    at: datetime


class Record:
    """All Jobs of ours by UID; `poll` reads what the log has more. Used by several threads."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0
        self._rest = b""
        self._lock = threading.Lock()
        self._logged: dict[str, Creation] = {}
        self._listed: dict[str, Creation] = {}

    def poll(self) -> None:
        """Take what the API server has logged since the last look."""
        if not self._log.exists():
            return
        with self._lock, self._log.open("rb") as log:
            log.seek(self._position)
            data = log.read()
            self._position += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._logged |= {creation.uid: creation for creation in read_creations(lines)}

    def take_list(self, jobs: Iterable[dict[str, Any]]) -> None:
        """Take the Jobs of a list that the log does not have, or not yet."""
        with self._lock:
            for job in jobs:
                uid = job["metadata"]["uid"]
                if OWNER in (job["metadata"].get("labels") or {}) and uid not in self._logged:
                    self._listed[uid] = parse_creation(job, job["metadata"]["creationTimestamp"])

    @property
    def creations(self) -> list[Creation]:
        """All creations so far."""
        with self._lock:
            return list((self._listed | self._logged).values())

    @property
    def unlogged(self) -> int:
        """How many Jobs only a list knows of."""
        with self._lock:
            return len(self._listed.keys() - self._logged.keys())

    def has_start(self, after: datetime, above_term: int = 0) -> bool:
        """Tell whether a Job was created after an instant, in a higher term."""
        with self._lock:
            newest = list(self._logged.values())[-200:]
        return any(creation.at > after and creation.term > above_term for creation in newest)


def read_creations(lines: Iterable[bytes]) -> Iterator[Creation]:
    """Read the creations of our Jobs from lines of an audit log; a killed server leaves half a line."""
    for line in lines:
        event = parse_event(line)
        if event is None or (event.get("responseStatus") or {}).get("code") != CREATED:
            continue
        job = event.get("responseObject") or {}
        is_ours = OWNER in ((job.get("metadata") or {}).get("labels") or {})
        if is_ours and "dryRun=" not in event["requestURI"]:
            yield parse_creation(job, event["requestReceivedTimestamp"])


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Parse a line, or the event that follows the half of another one; None when there is no whole event."""
    begin = line.rfind(EVENT)
    if begin < 0:
        return None
    try:
        event: dict[str, Any] = json.loads(line[begin:])
    except ValueError:
        return None
    return event


def parse_creation(job: dict[str, Any], at: str) -> Creation:
    """Read a Job's marks."""
    metadata = job["metadata"]
    labels, annotations = metadata["labels"], metadata["annotations"]
    slot = annotations.get("sundial.dev/scheduled-for")
    is_slot = labels["sundial.dev/trigger"] == "schedule"
    return Creation(
        ns=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner=labels[OWNER],
        run=labels["sundial.dev/run"],
        slot=datetime.fromisoformat(slot) if slot and is_slot else None,
        attempt=int(annotations["sundial.dev/attempt"]),
        term=int(annotations["sundial.dev/term"]),
        at=datetime.fromisoformat(at),
    )
