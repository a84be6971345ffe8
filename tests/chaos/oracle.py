"""Did every slot get its one verdict, and every attempt its one Job? Recomputed without any code of Sundial.

The slots come from brute force over the seconds, the Jobs from the API server's record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from chaos.changes import FAR, STOPPING, Change, Kind, count_slots, list_schedules, may_count_from
from chaos.records import Creation
from chaos.stories import Story, names_instant


def check_story(story: Story, changes: Sequence[Change] = ()) -> list[str]:
    """Check what must be true of every stored status, whenever it is read."""
    if story.effective_from is None or story.cursor is None:
        return []
    findings = []
    if not may_count_from(story, changes):
        done = changes[-1].kind.value if changes else "nobody changed it"
        findings.append(f"{story.label}: {done}, but its slots count from {story.effective_from}")
    counted = count_slots(story, changes, story.cursor)
    least, most = len(counted.sure), len(counted.sure) + len(counted.unsure)
    waiting = sum(slot <= story.cursor for slot in story.queued)
    if not least <= story.verdicts + waiting <= most:
        slots = f"{least} slots" if least == most else f"{least} to {most} slots"
        said = f"{story.verdicts} verdicts and {waiting} waiting for {slots} up to {story.cursor}"
        findings.append(f"{story.label}: {said}: {story.counters}")
    return findings


def check_queue(story: Story, changes: Sequence[Change] = ()) -> list[str]:
    """Check that nothing that waited was dropped but by a pause or an edit of the schedule itself."""
    dropped = int(story.counters.get("skipped", {}).get("QueueDropped", 0))
    if not dropped or any(change.kind is not Kind.REPLACED for change in changes):
        return []
    return [f"{story.label}: {dropped} slots that waited were dropped; nobody paused or edited the schedule"]


def find_verdictless(story: Story, until: datetime, changes: Sequence[Change] = ()) -> list[datetime]:
    """Find the slots that count, up to an instant, and that the status has not passed."""
    cursor = story.cursor or datetime.min.replace(tzinfo=UTC)
    return sorted(slot for slot in count_slots(story, changes, until).sure if slot > cursor)


def check_starts(story: Story, creations: Iterable[Creation], by_hand: frozenset[str]) -> list[str]:
    """Check that as many slots are Started as have Jobs.

    Either may be true of a slot whose Job was deleted by hand, and of one that is about to leave the queue.
    """
    cursor = story.cursor or datetime.min.replace(tzinfo=UTC)
    own = [c for c in creations if c.owner == story.uid and c.slot is not None and c.slot <= cursor]
    most = len({creation.slot for creation in own})
    sure = [one for one in own if one.run not in by_hand and one.slot not in story.queued]
    fewest = len({creation.slot for creation in sure})
    started = int(story.counters.get("started", 0))
    if fewest <= started <= most:
        return []
    return [f"{story.label}: {started} slots are Started, {most} have Jobs ({most - fewest} of them unsure)"]


def check_names(story: Story, creations: Iterable[Creation], changes: Sequence[Change] = ()) -> list[str]:
    """Check that each Job belongs to a slot of the schedule, and the attempts of a run to its retries."""
    findings = []
    attempts = defaultdict(set)
    schedules = list_schedules(story, changes)
    for creation in creations:
        if creation.owner == story.uid and creation.slot is not None:
            attempts[creation.run].add(creation.attempt)
            if not any(names_instant(schedule, story.created, creation.slot) for schedule in schedules):
                findings.append(f"{story.label}: Job {creation.name} is of {creation.slot}, which is no slot")
    for run, made in attempts.items():
        if made != set(range(1, len(made) + 1)) or len(made) > story.retries + 1:
            findings.append(f"{story.label}: run {run} has the attempts {sorted(made)}")
    return findings


def find_uncounted(story: Story, creations: Iterable[Creation], changes: Sequence[Change] = ()) -> list[str]:
    """Find the runs of slots that did not count, and those that began while nothing was to start."""
    firsts = [c for c in creations if c.owner == story.uid and c.slot is not None and c.attempt == 1]
    counted = count_slots(story, changes, max((c.slot for c in firsts if c.slot), default=story.created))
    findings = []
    for first in firsts:
        assert first.slot is not None
        stop = _find_stop(first.slot, first.at, changes)
        if stop is not None:
            said = f"{stop.kind.value} at {stop.sent:%H:%M:%S.%f}"
            findings.append(
                f"{story.label}: slot {first.slot:%H:%M:%S} was started at {first.at:%H:%M:%S.%f}, {said}"
            )
        elif first.slot not in counted:
            findings.append(f"{story.label}: slot {first.slot:%H:%M:%S} was started, and does not count")
    return findings


def _find_stop(slot: datetime, at: datetime, changes: Sequence[Change]) -> Change | None:
    """Find the pause or the wrong spec that should have kept a slot from being started at an instant.

    A leader may start runs until it hears of it; from then on nothing of the time up to its end may start.
    """
    ends = [change.sent for change in changes[1:]] + [FAR]
    for change, end in zip(changes, ends, strict=False):
        if change.kind in STOPPING and at > change.known and slot <= end:
            return change
    return None


def find_doubles(creations: Iterable[Creation]) -> dict[tuple[str, str, int], list[Creation]]:
    """Find the attempts, by schedule, run and number, that have more than one Job in the whole record."""
    jobs = defaultdict(list)
    for creation in creations:
        run = creation.slot.isoformat() if creation.slot else creation.run
        jobs[creation.owner, run, creation.attempt].append(creation)
    return {attempt: made for attempt, made in jobs.items() if len(made) > 1}


def split_doubles(
    doubles: dict[tuple[str, str, int], list[Creation]], by_hand: dict[str, datetime]
) -> tuple[list[str], list[str]]:
    """Split doubles into those that must not be, and those whose first Job somebody had deleted before."""
    wrong: list[str] = []
    excepted: list[str] = []
    for made in doubles.values():
        first, *others = sorted(made, key=lambda creation: creation.at)
        deleted_at = by_hand.get(first.run)
        is_excepted = deleted_at is not None and all(deleted_at <= other.at for other in others)
        said = ", ".join(f"{one.uid[:8]} of term {one.term} at {one.at:%H:%M:%S.%f}" for one in made)
        (excepted if is_excepted else wrong).append(f"{first.ns}/{first.name}: {said}")
    return wrong, excepted


def count_crowds(jobs: Iterable[dict[str, Any]], stories: Iterable[Story]) -> list[str]:
    """Find the schedules that have more unfinished Jobs in one list than their policy allows."""
    active: dict[str, int] = defaultdict(int)
    for job in jobs:
        conditions = (job.get("status") or {}).get("conditions") or ()
        is_finished = any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)
        if not is_finished:
            active[job["metadata"]["labels"].get("sundial.dev/scheduled-job-uid", "")] += 1
    return [
        f"{story.label}: {active[story.uid]} active Jobs, at most {story.most_active} are allowed"
        for story in stories
        if story.most_active is not None and active[story.uid] > story.most_active
    ]


def find_unanswered(requests: Iterable[dict[str, Any]]) -> list[str]:
    """Find the ScheduledJobRuns that have not come to an end."""
    return [
        f"{_name_request(item)} is not Complete"
        for item in requests
        if not any(c["type"] == "Complete" and c["status"] == "True" for c in _read_conditions(item))
    ]


def check_requests(
    requests: Iterable[dict[str, Any]], creations: Iterable[Creation], by_hand: frozenset[str]
) -> list[str]:
    """Check that a ScheduledJobRun is Started if and only if it has a Job; deleted ones excepted."""
    runs = {creation.run for creation in creations}
    findings = []
    for item in requests:
        uid, verdict = item["metadata"]["uid"], (item.get("status") or {}).get("verdict")
        if uid not in by_hand and (verdict == "Started") != (uid in runs):
            findings.append(
                f"{_name_request(item)} says {verdict}, and it has {'a' if uid in runs else 'no'} Job"
            )
    return findings


def _read_conditions(item: dict[str, Any]) -> list[dict[str, Any]]:
    return (item.get("status") or {}).get("conditions") or []


def _name_request(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return f"ScheduledJobRun {metadata['namespace']}/{metadata['name']} ({metadata['uid'][:8]})"
