"""Which figures are the benches to reach, and do they? Pure: the report of all benches in, judgements out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure by its path in the report, and its bounds."""

    name: str
    path: tuple[str, ...]
    at_most: float | None = None
    at_least: float | None = None


RATIOS = ("burst", "ratios")
READS = ("api", "reads")
REACH = ("api", "reach")
GOALS = (
    Goal("burst: nobody lost or doubled a Job", ("burst", "complete"), at_least=1),
    Goal(
        "burst: last Job, Sundial / bare loop",
        (*RATIOS, "last_job: sundial / bare, median of rounds"),
        at_most=1.5,
    ),
    Goal(
        "burst: last Job, Sundial / loop that makes the same Jobs",
        (*RATIOS, "last_job: sundial / bare-marked, median of rounds"),
        at_most=1.5,
    ),
    Goal(
        "burst: last Job, CronJob raised / Sundial",
        (*RATIOS, "last_job: cronjob-raised / sundial"),
        at_least=1.5,
    ),
    Goal("burst: last Job, CronJob / Sundial", (*RATIOS, "last_job: cronjob / sundial"), at_least=30),
    Goal("burst: last Pod, Sundial / bare loop", (*RATIOS, "last_pod: sundial / bare"), at_most=1.1),
    Goal("scale: restart to fully planned, s", ("scale", "restart", "seconds"), at_most=8),
    Goal(
        "scale: idle, writes but Lease renewals", ("scale", "restart", "idle", "writes", "stored"), at_most=0
    ),
    Goal("scale: idle, % of a core", ("scale", "restart", "idle", "cpu_percent_of_a_core"), at_most=2),
    Goal("scale: idle, MB resident", ("scale", "restart", "idle", "resident_mb"), at_most=250),
    Goal(
        "scale: MB resident with finished Jobs",
        ("scale", "restart_with_jobs", "idle", "resident_mb"),
        at_most=400,
    ),
    Goal("rate: p99 lateness, s", ("rate", "steady", "p99_seconds"), at_most=0.5),
    Goal("rate: doubled Jobs", ("rate", "doubled"), at_most=0),
    Goal("api: first sync, s", ("api", "first_sync", "seconds"), at_most=15),
    Goal("api: lag of the mirror, p99, ms", ("api", "lag", "p99_ms"), at_most=250),
    Goal("api: slowest list at page 1, p95, ms", (*READS, "slowest_first_page_p95_ms"), at_most=25),
    Goal("api: slowest list at any page, p95, ms", (*READS, "slowest_any_page_p95_ms"), at_most=50),
    Goal(
        "api: lists beside 300 listeners and 50 changes/s, p95 / without",
        (*READS, "events", "p95_ratio"),
        at_most=1.5,
    ),
    Goal(
        "api: changes that a listener missed", (*READS, "events", "changes_missed_by_a_listener"), at_most=0
    ),
    Goal("api: 30 of 1,000 namespaces found, s", (*REACH, "complete_max_seconds"), at_most=5),
    Goal("api: lists over them at page 1, p95, ms", (*REACH, "slowest_first_page_p95_ms"), at_most=25),
    Goal("api: lists over them at any page, p95, ms", (*REACH, "slowest_any_page_p95_ms"), at_most=50),
    Goal("api: queries without their index", (*READS, "without_index"), at_most=0),
    Goal("writes per successful run", ("writes", "writes_per_run"), at_most=4),
)


def judge_all(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Judge the goals of the benches that were run."""
    return [judge(goal, report) for goal in GOALS if goal.path[0] in report]


def judge(goal: Goal, report: Mapping[str, Any]) -> dict[str, Any]:
    """Judge one goal; a figure that is not there misses it."""
    figure = read_figure(report, goal.path)
    bound = goal.at_most if goal.at_least is None else goal.at_least
    assert bound is not None
    is_met = figure is not None and (figure <= bound if goal.at_least is None else figure >= bound)
    limit = f"{'at least' if goal.at_most is None else 'at most'} {bound:g}"
    return {"name": goal.name, "figure": figure, "goal": limit, "met": is_met}


def read_figure(report: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    """Read a figure by its path; of counts by name it is their sum."""
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return sum(value.values()) if isinstance(value, Mapping) else value
