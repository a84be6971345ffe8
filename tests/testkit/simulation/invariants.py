"""What must hold after every story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from testkit.simulation.bans import (
    check_bans,
)
from testkit.simulation.cluster import TOMBSTONE, Cluster
from testkit.simulation.process import Process
from testkit.simulation.stories import Story, Verdicts, list_slot_entries, list_waived

from sundial_clock.instants import parse_instant


def list_slots(story: Story) -> Iterator[datetime]:
    """List the slots that counted."""
    for era in story.eras:
        until = min(era.until, story.cluster.now)
        yield from era.schedule.latest_slots(min(era.since, until), until, 100_000)


def read_verdicts(status: dict[str, Any]) -> Verdicts:
    """Read a status's verdicts; a slot with two entries is an error."""
    found = Verdicts({}, [])
    for entry in list_slot_entries(status):
        if "slot" in entry:
            assert parse_instant(entry["slot"]) not in found.entries
            found.entries[parse_instant(entry["slot"])] = entry
        else:
            span = parse_instant(entry["from"]), parse_instant(entry["to"]), entry["count"]
            found.ranges.append(span)
    return found


def check_history(statuses: list[dict[str, Any]], cluster: Cluster) -> None:
    """What was stored stays: cursor and effectiveFrom do not go back, starts and results do not change.

    A verdict changes only for a slot whose Job has landed after all.
    """
    for old, new in pairwise(statuses):
        check_queue(old, new)
        assert parse_instant(old["cursor"]) <= parse_instant(new["cursor"])
        assert parse_instant(old["effectiveFrom"]) <= parse_instant(new["effectiveFrom"])
        now = read_verdicts(new)
        for slot, entry in read_verdicts(old).entries.items():
            if entry["verdict"] == "Started":
                assert entry.items() <= now.entries[slot].items()
            elif cluster.are_landings_late and now.entries.get(slot, {}).get("verdict") == "Started":
                assert slot in cluster.made_slots
            else:
                assert now.entries.get(slot) == entry or now.find_ranges(slot) == 1


def check_queue(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A slot that waits has no verdict, and has one as soon as it does not wait any more."""
    verdicts, waiting = read_verdicts(new), {entry["slot"] for entry in new.get("queued", [])}
    for slot in waiting:
        assert parse_instant(slot) <= parse_instant(new["cursor"])
        assert parse_instant(slot) not in verdicts.entries
        assert not verdicts.find_ranges(parse_instant(slot))
    for entry in old.get("queued", []):
        slot = parse_instant(entry["slot"])
        assert entry["slot"] in waiting or (slot in verdicts.entries) + verdicts.find_ranges(slot) == 1


def check_verdicts(story: Story, verdicts: Verdicts) -> None:
    """Each slot that counts has one verdict, and no other slot has any.

    A start that turns up late may stay within a range of several schedules' slots: its own entry says more.
    """
    slots = set(list_slots(story))
    optional = list_waived(story)
    for slot in slots - optional:
        is_own_enough = story.cluster.are_landings_late and slot in verdicts.entries
        ranges = 0 if is_own_enough else verdicts.find_ranges(slot)
        assert (slot in verdicts.entries) + ranges == 1, (slot, "has not one verdict")
    assert set(verdicts.entries) <= slots | optional
    for first, last, count in verdicts.ranges:
        inside = {slot for slot in slots | optional if first <= slot <= last} - set(verdicts.entries)
        assert len(inside - optional) <= count <= len(inside)


def check_jobs(story: Story, verdicts: Verdicts) -> None:
    """At most one Job was ever made for a slot; it is the slot's verdict, and its end the result."""
    cluster = story.cluster
    assert set(cluster.made.values()) <= {1}
    assert {slot for slot, e in verdicts.entries.items() if e["verdict"] == "Started"} == set(
        cluster.made_slots
    )
    for slot, name in cluster.made_slots.items():
        assert verdicts.entries[slot]["result"] == cluster.results[name]
    concurrency = cluster.spec["concurrency"]
    is_free = concurrency["policy"] == "Allow" or cluster.are_landings_late or story.has_unbound
    assert is_free or cluster.most_active <= concurrency["maxInstances"]


def check_deletes(process: Process) -> None:
    """A Job is deleted only after its outcome was stored and the floor has passed."""
    for job, status, now in process.deleted:
        entry = next(entry for entry in status["recentSlots"] if entry.get("runId") == job.run_id)
        assert "result" in entry
        assert job.run_id not in [entry["runId"] for entry in status.get("active", [])]
        if job.trigger == "schedule":
            assert job.slot is not None
            assert job.slot <= parse_instant(status["cursor"])
        assert job.released_at is not None
        assert job.released_at + TOMBSTONE <= now


def check_requests(story: Story) -> None:
    """Each ScheduledJobRun ended, started only if it has had a Job, and says how that one ended."""
    cluster, shown = story.cluster, story.cluster.item["status"].get("recentSlots", [])
    results = {entry["runId"]: entry["result"] for entry in shown if "runId" in entry}
    for uid, item in cluster.requests.items.items():
        status = item["status"]
        assert (status["verdict"] == "Started") == (uid in cluster.made_runs), status
        assert status["result"] == cluster.results.get(cluster.made_runs.get(uid, ""), "Failed")
        assert status["result"] == results.get(uid, "Failed")
    for statuses in cluster.requests.statuses.values():
        for old, new in pairwise(statuses):
            is_corrected = cluster.are_landings_late and old.get("verdict") == "Skipped"
            for name in ("verdict", "result", "startedAt", "scheduledJobUid"):
                assert is_corrected or name not in old or old[name] == new[name]
    for item in story.process.asking.deleted:
        assert "result" in item["status"]


def check_counters(status: dict[str, Any]) -> None:
    """The counters say what the entries say."""
    seen: Counter[tuple[str, str]] = Counter()
    for entry in list_slot_entries(status):
        is_start = entry["verdict"] == "Started"
        seen[entry["verdict"].lower(), "" if is_start else entry["reason"]] += entry.get("count", 1)
    counted = status.get("counters", {}).get("verdicts", {})
    reasons = {
        (verdict, r): n for verdict in ("skipped", "missed") for r, n in counted.get(verdict, {}).items()
    }
    started = {("started", ""): counted["started"]} if "started" in counted else {}
    assert reasons | started == dict(seen)


def check_story(story: Story) -> None:
    """Check everything that must hold after a story."""
    status = story.cluster.item["status"]
    assert "queued" not in status
    verdicts = read_verdicts(status)
    check_history(story.cluster.statuses, story.cluster)
    check_verdicts(story, verdicts)
    check_jobs(story, verdicts)
    check_bans(story.bans, story.cluster, set(list_slots(story)))
    check_deletes(story.process)
    check_counters(status)
    check_requests(story)
    assert story.process.memory.wanted_status is None
