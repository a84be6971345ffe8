"""What one process knows of a schedule and no stored status holds; lost in a crash, and then found anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sundial_core.resources.raw import JsonObject
from sundial_core.runs.run import Run
from sundial_core.status.queued import QueueEntry
from sundial_core.status.verdicts import VerdictRecord


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one process has decided about a schedule and no stored status holds; a restart begins anew.

    `starts`: the slots that it has started, at most so many as matter. `since`: since when verdicts have
    waited, counted from the newest decision at which no patch had failed.
    """

    starts: frozenset[datetime] = frozenset()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one process knows of a schedule and has not stored yet; lost in a crash, and then found anew."""

    decided_until: datetime | None = None
    """Each slot up to there has a Job, a verdict, a create under way, or waits."""
    verdicts: tuple[VerdictRecord, ...] = ()
    creating: frozenset[datetime] = frozenset()
    """Slots whose Jobs are being created."""
    refused: frozenset[datetime] = frozenset()
    """Slots whose creates were all refused: none of these requests can still land."""
    refusals: Mapping[datetime, str] = field(default_factory=dict)
    """What the API server said to the creates of slots."""
    yielding: frozenset[datetime] = frozenset()
    """Those of `refused` that a newer slot makes Missed."""
    queued: tuple[QueueEntry, ...] = ()
    """Slots that wait for a place."""
    retrying: frozenset[str] = frozenset()
    """The ids of runs whose next attempt is being created, or the first of a manual run."""
    landing: frozenset[str] = frozenset()
    """Those of `retrying` whose Job may exist by now."""
    ending: frozenset[str] = frozenset()
    """The UIDs of Jobs that are being ended."""
    failed: Mapping[str, Run] = field(default_factory=dict)
    """Runs whose next attempt could not be created, by run id."""
    lost: Mapping[str, Run] = field(default_factory=dict)
    """Runs whose newest Job is known to be gone, as they were then, by run id."""
    rejected: Mapping[str, VerdictRecord] = field(default_factory=dict)
    """Manual runs whose Job could not be created, by run id."""
    postponed: Mapping[str, str] = field(default_factory=dict)
    """What the API server says to creates that it refuses for now, by run id."""
    decided: JsonObject = field(default_factory=dict)
    """The newest status, not stored yet."""
    run_request_statuses: Mapping[str, JsonObject] = field(default_factory=dict)
    """Those of ScheduledJobRuns, by UID."""
    read_at: Mapping[str, datetime] = field(default_factory=dict)
    """When an overdue attempt was last read uncached, by run id."""
    reset_at: datetime | None = None
    """The instant to which stored instants of the future were set back."""
    refusal: str = ""
    """What the API server said to the newest patch of the status; empty once one succeeds."""
    backlog: Backlog = field(default_factory=Backlog)
    """What waits for a status to be stored."""
    withheld: tuple[VerdictRecord, ...] = ()
    """These verdicts are not final until a status is stored."""
