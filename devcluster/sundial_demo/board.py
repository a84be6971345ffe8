"""How do schedules and runs look on a terminal, and how late were they? Values in, rich tables out.

A Job's delay is from the slot to its creationTimestamp, which is cut to whole seconds; a Pod's delay is from
the slot to the scheduler's event. A retry has no slot of its own, and what somebody asks for
comes when they ask: neither has a delay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from sundial_demo.observations import Run, Schedule

LEGEND = (
    "Job after: from the slot to the Job's creationTimestamp, which has whole seconds.\n"
    "Pod after: from the slot to the scheduler's event that gave the Job's Pod to a node."
)
STYLES = {"Succeeded": "green", "Failed": "red", "TimedOut": "red", "Cancelled": "yellow", "Running": "cyan"}


def build_schedules_table(schedules: Iterable[Schedule], now: datetime) -> Table:
    """Return one line per ScheduledJob."""
    next_column = Column("next (UTC)")
    table = _table("ScheduledJob", Column("schedule"), "active", "last result", next_column, "Ready")
    for one in schedules:
        next_run = f"in {describe_wait(one.next_run, now)} ({_clock(one.next_run)})" if one.next_run else "-"
        result = _styled(one.last_result or "-")
        table.add_row(one.name, _cut(one.text), str(one.active), result, _cut(next_run), one.ready)
    return table


def build_runs_table(runs: Iterable[Run], now: datetime) -> Table:
    """Return one line per Job."""
    table = _table(Column("Job"), "slot (UTC)", "Job after", "Pod after", "phase", "took", "node")
    for run in runs:
        slot = _clock(run.slot) + (f" #{run.attempt}" if run.attempt > 1 else "")
        took = f"{max(0, round(((run.ended or now) - run.created).total_seconds()))} s"
        table.add_row(_cut(run.job), slot, *describe_delays([run]), _styled(run.phase), took, run.node)
    return table


def build_summary(schedules: Iterable[Schedule], runs: list[Run]) -> RenderableType:
    """Return what came of each schedule."""
    table = _table("ScheduledJob", "Jobs", "phases", "worst Job after", "worst Pod after")
    for name in (schedule.name for schedule in schedules):
        own = [run for run in runs if run.schedule == name]
        phases = Counter(run.phase for run in own)
        words = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        table.add_row(name, str(len(own)), words or "-", *describe_delays(own))
    return Group(table, "", Text(LEGEND, style="dim"))


def describe_delays(runs: Iterable[Run]) -> tuple[str, str]:
    """Return the worst delay of Jobs and of Pods; a Job's is given as what it was surely less than."""
    first = [run for run in runs if run.attempt == 1 and run.trigger == "schedule"]
    jobs = [max(0, int((run.created - run.slot).total_seconds())) for run in first]
    pods = [(run.placed - run.slot).total_seconds() for run in first if run.placed]
    return f"< {max(jobs) + 1} s" if jobs else "-", f"{max(pods):.2f} s" if pods else "-"


def describe_wait(until: datetime, now: datetime) -> str:
    """Return the time until an instant in its two largest units."""
    seconds = max(0, round((until - now).total_seconds()))
    parts = (
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])


def _table(*columns: Column | str) -> Table:
    """Return a table in which only the columns given as such may shrink."""
    fixed = (one if isinstance(one, Column) else Column(one, no_wrap=True) for one in columns)
    return Table(*fixed, box=None, pad_edge=False)


def _cut(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%H:%M:%S}"


def _styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))
