"""Stories of users, crashes and trouble around one schedule, and everything that must hold after one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from bans import Ban, build_ban, check_bans, is_past_over, read_written
from serving import floor
from situations import CREATED
from world import LONG_AFTER, TOMBSTONE, Cluster, Process

from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_core.model import Schedule

MICROSECOND = timedelta(microseconds=1)


@dataclass
class Era:
    """A stretch of time in which a schedule was in force and runs were wanted: slots in (since, until]."""

    schedule: CompiledSchedule
    since: datetime
    until: datetime = LONG_AFTER


@dataclass
class Story:
    """Plays steps, and notes which slots count; `waived` are stretches in which a verdict is optional."""

    cluster: Cluster
    process: Process
    eras: list[Era] = field(default_factory=list)
    waived: list[tuple[datetime, datetime]] = field(default_factory=list)
    paused: str | None = None
    unheard_since: datetime | None = None
    frozen_since: datetime | None = None
    has_unbound: bool = False
    bans: list[Ban] = field(default_factory=list)

    def play(self, step: tuple[Any, ...]) -> None:
        """Play one step: the method of that name with its arguments, and then some time."""
        name, *arguments, seconds = step
        getattr(self, name)(*arguments)
        self.process.pass_time(seconds)

    def wait(self) -> None:
        """Let only time pass."""

    def be_away(self, seconds: float) -> None:
        """Let time pass without a process."""
        self.crash()
        self.cluster.pass_to(self.cluster.now + timedelta(seconds=seconds))
        self.crash()

    def hear(self) -> None:
        """Let news arrive again; what changed meanwhile could not be known."""
        self.process.is_deaf = False
        if self.unheard_since is not None:
            self.waived.append((self.unheard_since, self.cluster.now))
            self.unheard_since = None
        self.process.wake_at = CREATED

    def grow_deaf(self) -> None:
        """Hold back all news."""
        self.process.is_deaf = True

    def meet_creates(self, mode: str) -> None:
        """Say what becomes of creates from now on."""
        self.cluster.create_mode = mode

    def meet_statuses(self, mode: str) -> None:
        """Say what becomes of status patches from now on."""
        self.process.status_mode = mode

    def plan_jobs(self, seconds: int, result: str) -> None:
        """Say how Jobs end from now on."""
        self.cluster.job_seconds, self.cluster.job_result = seconds, result

    def cancel(self) -> None:
        """Let a user cancel the newest Job's run."""
        self.cluster.cancel()

    def tamper(self, mark: str, value: str | None) -> None:
        """Let a user change a mark of the newest Job, or remove it."""
        self.cluster.mark(mark, value)

    def copy_job(self, field: str) -> None:
        """Let a user create a copy of the newest Job, which never ends, elsewhere or under another name."""
        self.cluster.copy_job(**{field: f"copy-{self.cluster.version}"})

    def hold(self, by: str) -> None:
        """Hold the starts of the installation, or let them go on."""
        self.process.circumstances = replace(self.process.circumstances, held_by=by)

    def set_clock(self, skew: int) -> None:
        """Let the process's clock be off; what was changed while nothing was decided is known at the end."""
        self.process.circumstances = replace(self.process.circumstances, skew=timedelta(seconds=skew))
        if self.frozen_since is not None:
            self.waived.append((self.frozen_since, self.cluster.now))
        self.frozen_since = self.cluster.now if skew else None
        self.process.wake_at = CREATED

    def ask(self, spec: dict[str, Any]) -> None:
        """Let a user ask for a run."""
        self.cluster.requests.create(spec)
        self.has_unbound |= spec.get("ignoreConcurrency", False)

    def withdraw(self, number: int) -> None:
        """Let a user delete a ScheduledJobRun."""
        uids = list(self.cluster.requests.items)
        if number < len(uids):
            self.cluster.requests.delete(uids[number])

    def label(self) -> None:
        """Let a user change a label."""
        self.cluster.touch()

    def write_as(self, client: str) -> None:
        """Say which program users write with from now on; without a name, several of kubectl's."""
        self.cluster.client = client

    def suspend(self, value: object) -> None:
        """Let a user set spec.suspend, or remove it."""
        spec = {name: field for name, field in self.cluster.item["spec"].items() if name != "suspend"}
        self.change(spec if value is None else spec | {"suspend": value})

    def suspend_for(self, seconds: float) -> None:
        """Let a user suspend and resume."""
        self.suspend(value=True)
        self.process.pass_time(seconds)
        self.suspend(value=False)

    def pause(self, value: object) -> None:
        """Let a user set or remove the pause annotation; a number is an end, in seconds from now."""
        until = self.cluster.now + timedelta(seconds=value) if isinstance(value, int) else None
        self.paused = format_instant(until) if until else value
        self.change(self.cluster.item["spec"])

    def edit(self, schedule: dict[str, Any]) -> None:
        """Let a user change the schedule."""
        self.change(self.cluster.item["spec"] | {"schedule": schedule})

    def crash(self) -> None:
        """Let the process die and its requests land or not; what it knew of changes not stored is lost."""
        self.cluster.land(LONG_AFTER if self.cluster.version % 2 else self.cluster.now)
        self.cluster.landings.clear()
        stored = self.cluster.item["status"].get("cursor")
        unknown_until = self.cluster.changed if self._is_seen() else self.cluster.now
        self.waived.append((parse_instant(stored) if stored else CREATED, unknown_until))
        self.hear()
        self.process.restart()

    def change(self, spec: dict[str, Any]) -> None:
        """Let a user write the object; a process that runs has decided what was due before."""
        self.process.look()
        before = self.cluster.item
        self.cluster.write_user_change(spec, self.paused)
        now = self.cluster.now
        self._end_era(now)
        start = self._find_start(now)
        if start is not None:
            self.eras.append(Era(compile_spec(spec), start))
            if is_past_over(before, self.cluster.item):
                self.bans.append(build_ban(self.cluster, self.process))
        if self.process.is_deaf:
            self.unheard_since = self.unheard_since or floor(now) - MICROSECOND
        else:
            self.process.look()

    def settle(self) -> None:
        """End all trouble, and let Jobs end and statuses be stored."""
        self.cluster.create_mode, self.process.status_mode = "ok", "store"
        self.hold("")
        self.set_clock(0)
        self.hear()
        self.process.pass_time(70)
        self.change(self.cluster.item["spec"] | {"suspend": True})
        for _ in range(30):
            self.process.pass_time(15)
        for _ in range(100):
            if all("result" in item["status"] for item in self.cluster.requests.items.values()):
                return
            self.process.pass_time(15)

    def _is_seen(self) -> bool:
        """Tell whether the stored status knows what users have written."""
        seen = self.cluster.item["status"].get("seen") or {}
        return seen.get("fields") == read_written(self.cluster.item)

    def _find_start(self, now: datetime) -> datetime | None:
        if self.cluster.item["spec"].get("suspend") or self.paused in ("true", "rubbish"):
            return None
        if self.paused in (None, "false"):
            return floor(now)
        return max(floor(now), parse_instant(self.paused))

    def _end_era(self, now: datetime) -> None:
        if self.eras:
            self.eras[-1].until = min(self.eras[-1].until, now)


def compile_spec(spec: dict[str, Any]) -> CompiledSchedule:
    """Compile the schedule of a spec."""
    schedule = Schedule.model_validate(spec["schedule"]).to_schedule()
    return compile_schedule(schedule, name="team/tick", created_at=CREATED)


def list_slots(story: Story) -> Iterator[datetime]:
    """List the slots that counted."""
    for era in story.eras:
        until = min(era.until, story.cluster.now)
        yield from era.schedule.latest_slots(min(era.since, until), until, 100_000)


@dataclass
class Verdicts:
    """A status's `recentSlots`, by slot and as (first, last, count) ranges."""

    entries: dict[datetime, dict[str, Any]]
    ranges: list[tuple[datetime, datetime, int]]

    def find_ranges(self, slot: datetime) -> int:
        """Count the ranges that a slot is in."""
        return sum(first <= slot <= last for first, last, _ in self.ranges)


def list_slot_entries(status: dict[str, Any]) -> list[dict[str, Any]]:
    """List the entries that are about slots, not about runs that somebody asked for."""
    entries = status.get("recentSlots", [])
    return [entry for entry in entries if entry.get("trigger", "schedule") == "schedule"]


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


def list_waived(story: Story) -> set[datetime]:
    """List the slots whose verdict is optional, of every schedule that there ever was."""
    every = {era.schedule.source: era.schedule for era in story.eras}.values()
    return {
        slot
        for since, until in story.waived
        if since < until
        for schedule in every
        for slot in schedule.latest_slots(since, until, 100_000)
    }


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
    assert story.process.track.wanted_status is None
