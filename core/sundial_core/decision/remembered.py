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
    """What one process knows of a schedule and has not stored yet; lost in a crash, and then found anew.

    `judged_until`: each slot up to there has a Job, a judgement here, a create under way (`creating`), or
    waits (`queued`). `refused`: the creates of which nothing can land, `yielding` those of them that a newer
    slot makes Missed, `refusals`: what creates of slots were told. `retrying`: the ids of runs whose next
    attempt, or first one if somebody asked for them, is being created, `landing` those of them where it may
    exist by now; `ending`: the UIDs of Jobs that are being ended. By run id, `failed`: runs whose next
    attempt could not be created; `lost`: runs whose newest Job is known to be gone, as they were then;
    `rejected`: runs that were asked for and whose Job could not be created; `postponed`: what the API server
    says to creates that it refuses for now.
    `decided`: the newest status, not stored yet; `asked`: those of ScheduledJobRuns, by UID.
    `read_at`: when an attempt that is overdue was last read uncached, by run id.
    `reset_at`: to which instant a stored one of the future was set back. `refusal`: what the API server said
    to the newest patch of the status, until one succeeds; `backlog`: what waits for that, and `withheld` the
    judgements that only a status that is stored makes final.
    """

    judged_until: datetime | None = None
    verdicts: tuple[VerdictRecord, ...] = ()
    creating: frozenset[datetime] = frozenset()
    refused: frozenset[datetime] = frozenset()
    refusals: Mapping[datetime, str] = field(default_factory=dict)
    yielding: frozenset[datetime] = frozenset()
    queued: tuple[QueueEntry, ...] = ()
    retrying: frozenset[str] = frozenset()
    landing: frozenset[str] = frozenset()
    ending: frozenset[str] = frozenset()
    failed: Mapping[str, Run] = field(default_factory=dict)
    lost: Mapping[str, Run] = field(default_factory=dict)
    rejected: Mapping[str, VerdictRecord] = field(default_factory=dict)
    postponed: Mapping[str, str] = field(default_factory=dict)
    decided: JsonObject = field(default_factory=dict)
    asked: Mapping[str, JsonObject] = field(default_factory=dict)
    read_at: Mapping[str, datetime] = field(default_factory=dict)
    reset_at: datetime | None = None
    refusal: str = ""
    backlog: Backlog = field(default_factory=Backlog)
    withheld: tuple[VerdictRecord, ...] = ()
