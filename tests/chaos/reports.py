"""What came of it all, in figures: as a table on a terminal, as Markdown for docs/, and as a yes or no."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chaos.crew import Life
from chaos.faults import Kill
from chaos.lateness import find_percentile
from chaos.machine import Busyness
from chaos.records import Creation
from chaos.watcher import Crowd
from rich.table import Table

TAKEOVER_SECONDS_ABOVE_LEASE = 5.0
MOST_LATE = 1.0
LATE_SHARE = 0.99
LEAST_SLOTS = 50
"""Of fewer slots the share says no more than the latest one."""
MOST_OTHERS = 0.1
"""From which share of the cores on others' work makes figures of time worthless."""

NOTHING = "nothing"
UNBOUND = (NOTHING,)
"""Beside what lateness is measured and has no bound."""
MOST_MEMORY = 250 * 2**20
MIB = 2**20
CROWDS = {"jobs": "Jobs", "schedules": "ScheduledJobs", "requests": "ScheduledJobRuns"}
STATUSES = {0: "stopped", 1: "gave up", 3: "lost the leadership", -9: "killed"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What was run, and on what."""

    seed: int
    operators: int
    lease_seconds: float
    machine: str
    date: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted, measured, and found to be wrong."""

    seconds: float
    rounds: int
    faults: Counter[str]
    met: Counter[str]
    creations: int
    unlogged: int
    lists: int
    verdicts: Counter[str]
    requests: Counter[str]
    doubles: tuple[str, ...]
    excepted: tuple[str, ...]
    verdictless: tuple[str, ...]
    uncounted: tuple[str, ...]
    findings: tuple[str, ...]
    complaints: tuple[str, ...]
    takeovers: tuple[float, ...]
    disturbed_takeovers: tuple[float, ...]
    lateness: dict[str, tuple[float, ...]]
    ends: Counter[int]
    longest_life: Life
    most_memory: int
    crowds: tuple[Crowd, ...]
    busyness: Busyness

    @property
    def are_times_trusted(self) -> bool:
        """Tell whether the machine was free enough for figures of time to mean something."""
        return self.busyness.worst <= MOST_OTHERS


def measure_takeovers(kills: Sequence[Kill], creations: Sequence[Creation]) -> list[tuple[Kill, float]]:
    """Measure the seconds from each kill to the first Job of a later term; a kill before that has none."""
    measured = []
    ordered = sorted(creations, key=lambda creation: creation.at)
    for number, kill in enumerate(kills):
        first = next((c for c in ordered if c.at > kill.at and c.term > kill.term), None)
        following = kills[number + 1].at if number + 1 < len(kills) else None
        if first is not None and (following is None or first.at < following):
            measured.append((kill, (first.at - kill.at).total_seconds()))
    return measured


def find_failures(figures: Figures, setting: Setting) -> list[str]:
    """List what must not be; an empty list is a pass."""
    fat = figures.most_memory > MOST_MEMORY
    return [
        *(f"two Jobs for one attempt: {said}" for said in figures.doubles),
        *(f"no verdict: {said}" for said in figures.verdictless),
        *(f"should not have been started: {said}" for said in figures.uncounted),
        *figures.findings,
        *(f"{said}{_describe_trust(figures)}" for said in find_slow(figures, setting)),
        *([f"{figures.most_memory / MIB:.0f} MiB were resident"] if fat else []),
        *(f"unforeseen in a log: {said}" for said in figures.complaints),
    ]


def find_slow(figures: Figures, setting: Setting) -> list[str]:
    """List what took longer than it may."""
    bound = setting.lease_seconds + TAKEOVER_SECONDS_ABOVE_LEASE
    slow = [f"a takeover took {s:.1f} s, more than {bound:g} s" for s in figures.takeovers if s > bound]
    for trouble, seconds in figures.lateness.items():
        is_bound = trouble not in UNBOUND and len(seconds) >= LEAST_SLOTS
        if is_bound and (late := find_percentile(seconds, LATE_SHARE)) >= MOST_LATE:
            slow.append(f"beside {trouble} a healthy schedule was {late:.2f} s late at p99")
    return slow


def build_rows(figures: Figures, setting: Setting) -> list[tuple[str, str]]:
    """Build the table of results: what, and how much."""
    bound = setting.lease_seconds + TAKEOVER_SECONDS_ABOVE_LEASE
    life, verdicts = figures.longest_life, figures.verdicts
    memory = life.memory or [0]
    return [
        ("slots with a verdict", f"{verdicts.total()}: {_join(verdicts)}"),
        ("ScheduledJobRuns, by verdict", _join(figures.requests)),
        ("Jobs created, from the audit log", f"{figures.creations} ({figures.unlogged} only seen in a list)"),
        ("attempts with two Jobs", str(len(figures.doubles))),
        ("the same after a Job was deleted by hand (documented)", str(len(figures.excepted))),
        ("slots that count, and ScheduledJobRuns, without a verdict", str(len(figures.verdictless))),
        ("Jobs of slots of a pause, of an old or of a wrong spec", str(len(figures.uncounted))),
        (f"wrong statuses in {figures.lists} looks, and other findings", str(len(figures.findings))),
        ("unforeseen errors in the operators' logs", str(len(figures.complaints))),
        (
            f"first start after a kill, s (at most {bound:g})",
            describe_seconds(figures.takeovers) + _describe_trust(figures),
        ),
        ("the same, disturbed by other faults, s", describe_seconds(figures.disturbed_takeovers)),
        *_build_lateness(figures),
        *_build_surroundings(figures),
        (
            "resident memory, longest-lived process, MiB",
            f"{memory[0] / MIB:.0f} at first, {memory[-1] / MIB:.0f} after {len(memory)} s",
        ),
        ("most resident memory of any process, MiB", f"{figures.most_memory / MIB:.0f}"),
        ("ends of processes", _join(Counter({_name_end(k): v for k, v in figures.ends.items()}))),
    ]


def _build_lateness(figures: Figures) -> Iterator[tuple[str, str]]:
    for trouble, seconds in sorted(figures.lateness.items()):
        is_bound = trouble not in UNBOUND
        what = f"how late a healthy schedule was beside {trouble}, s" + (
            f" (p99 less than {MOST_LATE:g})" if is_bound else ""
        )
        yield what, describe_lateness(seconds) + (_describe_trust(figures) if is_bound else "")


def _build_surroundings(figures: Figures) -> Iterator[tuple[str, str]]:
    busy = figures.busyness
    worst = f"{busy.worst:.0%} in the worst minute" + (
        f", from {busy.worst_at:%H:%M:%S}" if busy.worst_at else ""
    )
    yield "all cores: used by others' processes", f"{busy.others:.0%}; {worst}"
    yield "all cores: used by this run; stolen", f"{busy.own:.0%}; {busy.stolen:.0%}"
    for name in ("jobs", "schedules", "requests"):
        counts = [getattr(crowd, name) for crowd in figures.crowds] or [0]
        yield f"{CROWDS[name]} lying about", f"p50 {statistics.median(counts):.0f}, max {max(counts)}"


def _describe_trust(figures: Figures) -> str:
    if figures.are_times_trusted:
        return ""
    return f" - not to be trusted: others used {figures.busyness.worst:.0%} of the machine for a minute"


def describe_lateness(seconds: Sequence[float]) -> str:
    """Write median, 99th percentile and most."""
    if not seconds:
        return "none measured"
    late = find_percentile(seconds, LATE_SHARE)
    most = f"{max(seconds):.2f} ({len(seconds)} slots)"
    return f"p50 {find_percentile(seconds, 0.5):.2f}, p99 {late:.2f}, max {most}"


def describe_seconds(seconds: Sequence[float]) -> str:
    """Write least, median and most."""
    if not seconds:
        return "none measured"
    least, most = min(seconds), max(seconds)
    return f"min {least:.2f}, p50 {statistics.median(seconds):.2f}, max {most:.2f} ({len(seconds)} kills)"


def build_tables(figures: Figures, setting: Setting) -> list[Table]:
    """Build what is printed."""
    faults = Table("fault", "times", title=f"{figures.faults.total()} faults, seed {setting.seed}")
    for name, count in sorted(figures.faults.items()):
        faults.add_row(name, str(count))
    results = Table("result", "", title=f"{setting.operators} operators for {figures.seconds:.0f} s")
    for row in build_rows(figures, setting):
        results.add_row(*row)
    return [faults, results]


def build_markdown(figures: Figures, setting: Setting) -> str:
    """Build docs/chaos.md."""
    failures = find_failures(figures, setting)
    lines = [
        "# Chaos",
        "",
        f"One run of `make chaos` ({setting.date}, seed {setting.seed}, {figures.seconds:.0f} s): a real"
        f" control plane with simulated nodes, {setting.operators} operators with a Lease of"
        f" {setting.lease_seconds:g} s, on {setting.machine}. Schedules of every policy had a slot every one"
        " to six seconds; finished Jobs were deleted after five. The oracle recomputes every slot by brute"
        " force, knows when users paused and edited, and reads every creation of a Job from the API server's"
        " audit log.",
        "",
        "| result | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in build_rows(figures, setting)),
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in sorted(figures.faults.items())),
        "",
        "Requests and watches that met trouble on the way: " + _join(figures.met) + ".",
        "",
        "How late a schedule was is the arrival of the create that made its Job, less the slot; left out is"
        " what fell between a leader's end and the first Job of the next term, and faults of the whole API"
        " server. How these figures are to be read:"
        " [decision 0013](decisions/0013-how-chaos-figures-are-read.md).",
        "",
        "## What was wrong" if failures else "Nothing was found to be wrong.",
        *(f"- {failure}" for failure in failures),
    ]
    return "\n".join(lines).rstrip() + "\n"


def read_date(now: datetime) -> str:
    """Write the day."""
    return f"{now:%Y-%m-%d}"


def _join(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _name_end(status: int) -> str:
    return STATUSES.get(status, f"status {status}" if status > 0 else f"signal {-status}")
