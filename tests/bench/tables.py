"""Writes the tables of docs/benchmarks.md: `PYTHONPATH=tests python -m bench.tables REPORT.json`.

A table replaces what is between its marks, `<!-- name -->` and `<!-- /name -->`; the words around it stay.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
Row = Iterable[Any]


def main() -> None:
    """Write the tables of those benches that the report has."""
    report = json.loads(Path(sys.argv[1]).read_text())
    PAGE.write_text(fill(PAGE.read_text(), build_tables(report)))


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Put each table between its marks; raises ValueError where a page has none for it."""
    for name, table in tables.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page, found = marks.subn(lambda match, table=table: match[1] + table + match[2], page)
        if found != 1:
            raise ValueError(f"the page has {found} places for the table {name}")
    return page


def build_tables(report: Mapping[str, Any]) -> dict[str, str]:
    """Build the tables of the benches that were run."""
    builders = {
        "burst": build_burst,
        "scale": build_scale,
        "rate": build_rate,
        "writes": build_writes,
        "api": build_api,
    }
    tables = {
        name: build(report[name]) for name, build in builders.items() if "machine" in report.get(name, {})
    }
    return tables | {"goals": build_goals(report["goals"])}


def build_goals(goals: Iterable[Mapping[str, Any]]) -> str:
    """Build the table of the goals."""
    rows = ([one["name"], one["figure"], one["goal"], "yes" if one["met"] else "**no**"] for one in goals)
    return _table(["", "figure", "goal", "met"], rows)


def build_burst(burst: Mapping[str, Any]) -> str:
    """Build the tables of the burst: seconds late, then ratios."""
    columns = {
        "half the Jobs": "p50_job_seconds",
        "last Job": "last_job_seconds",
        "half the Pods": "p50_pod_seconds",
        "last Pod": "last_pod_seconds",
    }
    rows = (
        [name.removesuffix("-raised"), one["flags"], *(one[key] for key in columns.values()), _cores(one)]
        for name, one in burst["contestants"].items()
    )
    lateness = _table(["", "flags", *columns, "CPU seconds until the last Job"], rows)
    names = list(burst["rounds"][0]) if burst["rounds"] else []
    last = _table(["last Job, s", *names], ([n, *one.values()] for n, one in enumerate(burst["rounds"], 1)))
    return _said(burst) + lateness + "\n" + last + "\n" + _table(["ratio", ""], burst["ratios"].items())


def _cores(one: Mapping[str, Any]) -> str:
    used = one["cpu_seconds_until_last_job"]
    return ", ".join(f"{name.removeprefix('kube-')} {seconds:g}" for name, seconds in used.items())


def build_scale(scale: Mapping[str, Any]) -> str:
    """Build the table of scale: a column without, and one with finished Jobs."""
    without, having = scale["restart"], scale["restart_with_jobs"]
    rows = {
        "restart to fully planned, s": "seconds",
        "CPU of the operator until then, s": "cpu_seconds",
    }
    idle = {
        "idle, % of a core": "cpu_percent_of_a_core",
        "idle, MB resident": "resident_mb",
        "at most, MB resident": "peak_mb",
    }
    lines: list[Row] = [[text, without[key], having[key]] for text, key in rows.items()]
    lines += [[text, without["idle"][key], having["idle"][key]] for text, key in idle.items()]
    lines += [
        [
            f"idle for {without['idle']['seconds']} s, {kind.replace('_', ' ')}",
            *(_counts(one, kind) for one in (without, having)),
        ]
        for kind in ("stored", "heartbeats", "not_stored")
    ]
    head = ["", f"{scale['schedules']:,} ScheduledJobs", f"and {scale['finished_jobs']:,} finished Jobs"]
    return _said(scale) + _table(head, lines)


def _counts(restart: Mapping[str, Any], kind: str) -> str:
    counts = restart["idle"]["writes"][kind]
    return ", ".join(f"{count} x {what}" for what, count in counts.items()) or "none"


def build_rate(rate: Mapping[str, Any]) -> str:
    """Build the table of the rates."""
    rows = (
        [
            one["per_second"],
            f"{one['started']} of {one['wanted']}",
            *(one[f"{share}_seconds"] for share in ("p50", "p90", "p99", "max")),
            one["cores"]["machine"],
            ", ".join(f"{name.removeprefix('kube-')} {used:g}" for name, used in _top(one["cores"])),
        ]
        for one in rate["steps"]
    )
    head = ["starts/s", "started", "p50", "p90", "p99", "max", "cores busy", "of these"]
    return _said(rate) + _table(head, rows)


def _top(cores: Mapping[str, float]) -> list[tuple[str, float]]:
    users = ((name, used) for name, used in cores.items() if name != "machine")
    return sorted(users, key=lambda user: -user[1])[:4]


def build_writes(writes: Mapping[str, Any]) -> str:
    """Build the table of the writes per run."""
    rows: list[Row] = [*writes["by_request"].items(), ["in all", writes["writes_per_run"]]]
    rows += [
        [f"({what}: {count} in all)", ""]
        for kind in ("heartbeats", "events", "refused", "not_stored")
        for what, count in writes["counted"][kind].items()
    ]
    return _said(writes) + _table(["request", f"for each of {writes['runs']} runs"], rows)


def build_api(api: Mapping[str, Any]) -> str:
    """Build the tables of the mirror and of the API's lists."""
    sync, lag, reads = api["first_sync"], api["lag"], api["reads"]
    mirror: list[Row] = [
        [f"first sync of {sync['schedules']:,} ScheduledJobs with {sync['jobs']:,} Jobs, s", sync["seconds"]],
        ["CPU of the mirror until then, s", sync["cpu_seconds"]],
        ["resident then, MB", sync["resident_mb"]],
    ]
    mirror += [
        [f"lag at {lag['changes_per_second']:g} changes/s, {share}, ms", lag[f"{share}_ms"]]
        for share in ("p50", "p90", "p99")
    ]
    lists = (
        [name, one["total"] or None, one["first_page_p95_ms"], one["any_page_p95_ms"]]
        for name, one in reads["lists"].items()
    )
    head = [
        f"of {reads['executions']:,} executions in {reads['namespaces']:,} namespaces",
        "rows",
        "page 1, p95 ms",
        "any page, p95 ms",
    ]
    tables = _said(api) + _table(["", ""], mirror) + "\n" + _table(head, lists) + _build_events(reads)
    return f"{tables}\n{build_reach(api['reach'])}" if "reach" in api else tables


def _build_events(reads: Mapping[str, Any]) -> str:
    """Build the table of lists beside listeners, in a report that has it."""
    events = reads.get("events")
    if events is None:
        return ""
    beside = f"beside {events['listeners']} listeners and {events['changes_per_second']} changes/s"
    head = ["all lists at page 1, over HTTP", "p95, ms"]
    return "\n" + _table(head, [["without listeners", events["p95_ms_without"]], [beside, events["p95_ms"]]])


def build_reach(reach: Mapping[str, Any]) -> str:
    """Build the table of lists over some of many namespaces."""
    found = ["found, s (median, worst)", reach["complete_p50_seconds"], reach["complete_max_seconds"]]
    lists: list[Row] = [found]
    lists += [
        [name, one["first_page_p95_ms"], one["any_page_p95_ms"]] for name, one in reach["lists"].items()
    ]
    head = [
        f"{reach['visible']} of {reach['namespaces']:,} namespaces, {reach['executions']:,} executions",
        "page 1, p95 ms",
        "any page, p95 ms",
    ]
    return _table(head, lists)


def _said(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    return (
        f"{machine['date']} UTC, {machine['cores']} cores, Kubernetes {machine['kubernetes']},"
        f" Python {machine['python']}.\n\n"
    )


def _table(head: Row, rows: Iterable[Row]) -> str:
    cells = [list(map(_write, row)) for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|---" * len(cells[0]) + "|", *lines[1:]]) + "\n"


def _write(cell: Any) -> str:
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, (int, float)) else str(cell)


if __name__ == "__main__":
    main()
