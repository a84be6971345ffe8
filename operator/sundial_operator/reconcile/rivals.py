"""Which other installations start Jobs of the same ScheduledJobs? None should (docs/installation.md)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from sundial_core.runs.jobs import ObservedJob

log = structlog.get_logger()

MOST_TOLD = 10
"""How many are logged: what a Job says of its installation may be forged where no policy holds."""


class Rivals:
    """What other installations have started since this process began, by the UID of its ScheduledJob."""

    def __init__(self, installation: str, since: datetime) -> None:
        self._own = frozenset(("", installation))
        self._since = since
        self._known: dict[str, frozenset[str]] = {}
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(frozenset().union(*self._known.values()))

    def note(self, uid: str, jobs: Iterable[ObservedJob]) -> None:
        """Take the Jobs that a ScheduledJob has now; those from before may be of one that was removed."""
        self._known.pop(uid, None)
        found = {job.installation: job for job in jobs if job.created_at > self._since}
        rivals = found.keys() - self._own
        if rivals:
            self._known[uid] = frozenset(rivals)
        for rival in sorted(rivals - self._told):
            if len(self._told) < MOST_TOLD:
                self._told.add(rival)
                job = found[rival]
                log.warning(
                    "another installation starts Jobs of the same ScheduledJobs; namespaces belong to one",
                    installation=rival,
                    namespace=job.ns,
                    job=job.name,
                )

    def forget(self, uid: str) -> None:
        """Forget a ScheduledJob that is gone."""
        self._known.pop(uid, None)
