"""Stories of users, crashes and trouble around one schedule, and everything that must hold after one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from testkit.api_server import floor
from testkit.scheduled_jobs import CREATED
from testkit.simulation.bans import (
    Ban,
    build_ban,
    is_past_over,
    read_written,
)
from testkit.simulation.cluster import LONG_AFTER, Cluster
from testkit.simulation.process import Process

from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_core.resources.schedules import ScheduleSpec

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
        self.process.requeue_at = CREATED

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
        self.process.installation = replace(self.process.installation, starts_held_by=by)

    def set_clock(self, skew: int) -> None:
        """Let the process's clock be off; what was changed while nothing was decided is known at the end."""
        self.process.installation = replace(self.process.installation, skew=timedelta(seconds=skew))
        if self.frozen_since is not None:
            self.waived.append((self.frozen_since, self.cluster.now))
        self.frozen_since = self.cluster.now if skew else None
        self.process.requeue_at = CREATED

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
    schedule = ScheduleSpec.model_validate(spec["schedule"]).to_schedule()
    return compile_schedule(schedule, name="team/tick", created_at=CREATED)


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
