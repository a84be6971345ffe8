"""Which Jobs are not what they say: logged once each, and counted as long as they are there.

Those in the namespace of their ScheduledJob are on its status too (docs/semantics.md, "Which Jobs are ours").
"""

from __future__ import annotations

import structlog

from sundial_core.resources.objects import ScheduledJob
from sundial_core.runs.custody import Custody
from sundial_core.runs.jobs import ObservedJob

log = structlog.get_logger()

Doubtful = tuple[str, tuple[str, ...]]
"""A Job's UID, and those of its marks that were changed: none where it is not ours."""


class Doubts:
    """The Jobs of each ScheduledJob, by its UID, that are not what they say."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[Doubtful]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def note(self, parent: ScheduledJob, custody: Custody) -> None:
        """Take what was found of a ScheduledJob's Jobs."""
        found: dict[Doubtful, ObservedJob] = {(job.uid, ()): job for job in custody.strangers}
        found |= {(job.uid, job.changed): job for job in custody.ours if job.changed}
        known = self._known.pop(parent.uid, frozenset())
        for key in found.keys() - known:
            event = "marks of a Job were changed" if key[1] else "a Job is not ours"
            job = found[key]
            log.warning(event, namespace=job.ns, name=parent.name, job=job.name, marks=key[1])
        if found:
            self._known[parent.uid] = frozenset(found)

    def is_stranger(self, job: ObservedJob) -> bool:
        """Tell whether a Job was found to be no run's of the ScheduledJob that it names."""
        return (job.uid, ()) in self._known.get(job.owner_uid, ())

    def forget(self, uid: str) -> None:
        """Forget those of a ScheduledJob that is gone."""
        self._known.pop(uid, None)
