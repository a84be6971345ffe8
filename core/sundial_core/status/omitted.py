"""Which active runs a status leaves out: it lists the newest, and says between which slots the others are.

A run that a shortened list does not name may still be active. It counts as active while its slot lies in a
range of `Omitted` and its end is not stored. Each status draws the ranges anew, around the runs that have
ended and still have a Job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.objects import ScheduledJobRun
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.custody import Parent, is_for
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run
from sundial_core.status.ranges import Range, Ranges, build_ranges

MAX_LISTED = 200
"""How many active runs a status lists, with an entry of `recentSlots` each."""

MAX_RESULTS = 300
"""How many ended manual runs keep their result in a status: those that still have Jobs, of which the history
keeps at most 200. The result of a further one is taken as soon as there is room."""

MAX_AHEAD = 100
"""How many ended runs past the cursor that have no Job any more are shown: nothing else tells a new leader
that their slots have started. The first that come stay until the cursor passes them."""

MAX_RANGES = 500
"""More ranges need 500 ended runs with Jobs between active ones; retention keeps 100 and those of the last
two minutes. Beyond that the oldest active runs are given up: not tried again, nor counted when they end."""


@dataclass(frozen=True, slots=True)
class Omitted:
    """How many active runs are not listed, and the ranges of slots in which they are.

    Manual runs are only counted: without a stored result they are active anyway.
    """

    count: int = 0
    ranges: Ranges = field(default_factory=Ranges)


NOTHING = Omitted()


def choose_listed(active: Sequence[Run], results: frozenset[str]) -> list[Run]:
    """Choose the active runs that are listed, of those given in order: the newest.

    Before them go those that nothing else would remember: runs with a result that still hold a place, and
    runs whose Job has to be read.
    """
    room = len(active) - MAX_LISTED
    if room <= 0:
        return list(active)
    first = [run.run_id for run in active if run.run_id in results or run.phase is Phase.UNKNOWN]
    chosen = set(first[-MAX_LISTED:])
    rest = [run.run_id for run in active if run.run_id not in chosen]
    chosen.update(rest[room:])
    return [run for run in active if run.run_id in chosen]


def begin(run: Run) -> tuple[bool, datetime | None, str]:
    """Order runs by their slots, and manual runs by when they started."""
    instant = run.slot if run.trigger is Trigger.SCHEDULE else run.started_at
    return instant is not None, instant, run.run_id


def compute_omitted(left_out: Iterable[Run], others: Iterable[Run], cursor: datetime) -> Omitted:
    """Describe where the runs are that are left out; `others` are all other known runs.

    Runs of slots past the cursor are counted only: they have no entry yet that could be missing.
    """
    left_out = list(left_out)
    if not left_out:
        return NOTHING
    slots = sorted(slot for slot in _list_slots(left_out) if slot <= cursor)
    ranges = _compute_ranges(slots, sorted(_list_slots(others)))
    return Omitted(len(left_out), build_ranges(ranges[-MAX_RANGES:]))


def parse_omitted(entry: JsonObject) -> Omitted:
    """Read what a status says of the active runs that it leaves out."""
    ranges = (
        (parse_instant(bounds["from"]), parse_instant(bounds["to"])) for bounds in entry.get("ranges") or ()
    )
    return Omitted(int(entry.get("count", 0)), build_ranges(ranges))


def build_omitted(omitted: Omitted) -> JsonObject | None:
    """Build what a status says of the active runs that it leaves out; None where it lists all."""
    if not omitted.count:
        return None
    spans = zip(omitted.ranges.firsts, omitted.ranges.lasts, strict=True)
    ranges = [{"from": format_instant(first), "to": format_instant(last)} for first, last in spans]
    oldest = {"oldestSlot": ranges[0]["from"], "ranges": ranges} if ranges else {}
    return {"count": omitted.count} | oldest


def _list_slots(known: Iterable[Run]) -> Iterator[datetime]:
    return (run.slot for run in known if run.slot is not None and run.trigger is Trigger.SCHEDULE)


def _compute_ranges(slots: list[datetime], others: list[datetime]) -> list[Range]:
    """Compute ranges that hold these slots and none of the others; both oldest first."""
    ranges: list[Range] = []
    place = 0
    for slot in slots:
        before = place
        while place < len(others) and others[place] < slot:
            place += 1
        if ranges and place == before:
            ranges[-1] = (ranges[-1][0], slot)
        else:
            ranges.append((slot, slot))
    return ranges


def list_manual_run_ids(
    jobs: Iterable[ObservedJob], parent: Parent, status: JsonObject, requests: Iterable[ScheduledJobRun]
) -> frozenset[str]:
    """List the manual runs among these Jobs, as far as the status or the ScheduledJobRuns prove them.

    A status whose lists are cut short proves nothing by not naming a run: all of them count then.
    """
    claimed = frozenset(job.run_id for job in jobs if job.trigger is not Trigger.SCHEDULE)
    if not claimed:
        return claimed
    entries = (*(status.get("active") or ()), *(status.get("recentSlots") or ()))
    stored = {entry["runId"] for entry in entries if entry.get("trigger") not in (None, Trigger.SCHEDULE)}
    if "activeOmitted" in status or len(stored) >= MAX_RESULTS:
        return claimed
    return claimed & (stored | {request.uid for request in requests if is_for(request, parent)})
