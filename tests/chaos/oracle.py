"""Did every slot get its one verdict, and every attempt its one Job? Recomputed without any code of Sundial.

The slots come from brute force over the seconds, the Jobs from the API server's record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.records import Creation

SECOND = timedelta(seconds=1)
LONGEST_DELAY = timedelta(seconds=1)
"""How much later than the creation the slots of a schedule may begin: both times are cut to the second."""


@dataclass(frozen=True, slots=True)
class Story:
    """What the stored status of a schedule says at one moment."""

    ns: str
    name: str
    uid: str
    schedule: dict[str, Any]
    created: datetime
    effective_from: datetime | None
    cursor: datetime | None
    counters: dict[str, Any]
    retries: int
    most_active: int | None
    queued: tuple[datetime, ...] = ()

    @property
    def label(self) -> str:
        """What to call it in a finding."""
        return f"{self.ns}/{self.name} ({self.uid[:8]})"

    @property
    def verdicts(self) -> int:
        """How many slots have a verdict."""
        skipped, missed = self.counters.get("skipped", {}), self.counters.get("missed", {})
        counts = [self.counters.get("started", 0), *skipped.values(), *missed.values()]
        return sum(map(int, counts))


def read_story(item: dict[str, Any]) -> Story:
    """Read a ScheduledJob."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    concurrency = spec.get("concurrency") or {}
    is_limited = concurrency.get("policy", "Forbid") != "Allow"
    return Story(
        ns=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        schedule=spec["schedule"],
        created=_read_instant(metadata["creationTimestamp"]),
        effective_from=_read_instant(status["effectiveFrom"]) if "effectiveFrom" in status else None,
        cursor=_read_instant(status["cursor"]) if "cursor" in status else None,
        counters=(status.get("counters") or {}).get("verdicts") or {},
        retries=int((spec.get("retry") or {}).get("count", 3)),
        most_active=int(concurrency.get("maxInstances", 1)) if is_limited else None,
        queued=tuple(_read_instant(entry["slot"]) for entry in status.get("queued") or ()),
    )


def list_slots(story: Story, until: datetime) -> list[datetime]:
    """List the slots that count, up to and including an instant: every second is asked."""
    slots = []
    instant = (story.effective_from or story.created).replace(microsecond=0) + SECOND
    while instant <= until:
        if _is_slot(story, instant):
            slots.append(instant)
        instant += SECOND
    return slots


def _is_slot(story: Story, instant: datetime) -> bool:
    """Ask the two kinds of schedule that the suite uses: an interval, and every n-th second of a minute."""
    if "interval" in story.schedule:
        period: int = story.schedule["interval"]["seconds"]
        return int((instant - story.created).total_seconds()) % period == 0
    second, *rest = story.schedule["cron"].split()
    assert rest == ["*"] * 5
    assert second.startswith("*/")
    return instant.second % int(second.removeprefix("*/")) == 0


def check_story(story: Story) -> list[str]:
    """Check what must be true of every stored status, whenever it is read."""
    if story.effective_from is None or story.cursor is None:
        return []
    findings = []
    if not story.created <= story.effective_from <= story.created + LONGEST_DELAY:
        findings.append(f"{story.label}: nobody changed it, but its slots count from {story.effective_from}")
    counted = len(list_slots(story, story.cursor))
    waiting = sum(slot <= story.cursor for slot in story.queued)
    if counted != story.verdicts + waiting:
        said = f"{story.verdicts} verdicts and {waiting} waiting for {counted} slots up to {story.cursor}"
        findings.append(f"{story.label}: {said}: {story.counters}")
    return findings


def find_verdictless(story: Story, until: datetime) -> list[datetime]:
    """Find the slots that count, up to an instant, and that the status has not passed."""
    cursor = story.cursor or datetime.min.replace(tzinfo=UTC)
    return [slot for slot in list_slots(story, until) if slot > cursor]


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


def check_names(story: Story, creations: Iterable[Creation]) -> list[str]:
    """Check that each Job belongs to a slot of the schedule, and the attempts of a run to its retries."""
    findings = []
    attempts = defaultdict(set)
    until = max((c.slot for c in creations if c.slot is not None), default=story.created)
    slots = set(list_slots(story, until))
    for creation in creations:
        if creation.owner == story.uid and creation.slot is not None:
            attempts[creation.run].add(creation.attempt)
            if creation.slot not in slots:
                findings.append(f"{story.label}: Job {creation.name} is of {creation.slot}, which is no slot")
    for run, made in attempts.items():
        if made != set(range(1, len(made) + 1)) or len(made) > story.retries + 1:
            findings.append(f"{story.label}: run {run} has the attempts {sorted(made)}")
    return findings


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


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
