"""What is said of an import: tables for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sundial_api.importing.cluster import ApplyOutcome
from sundial_api.importing.history.service import HistoryReport
from sundial_api.importing.planning.resources import PlannedResource
from sundial_api.importing.run import ImportReport
from sundial_core.resources.raw import JsonObject

PLAIN_WIDTH = 200
MAX_CELL_CHARS = 80
DONE = {
    ApplyOutcome.CREATED: ("would be created", "created"),
    ApplyOutcome.CHANGED: ("would be changed", "changed"),
    ApplyOutcome.UNCHANGED: ("is so already", "was so already"),
    ApplyOutcome.REFUSED: ("is refused", "was refused"),
}


def build_document(report: ImportReport) -> JsonObject:
    """Build the report for programs."""
    return {
        "applied": report.options.choice.writes,
        "taskFunctions": [_describe(report, one) for one in report.functions],
        "jobs": [_describe(report, one) | _describe_instants(report, one) for one in report.jobs],
        "history": _describe_history(report.history) if report.history is not None else None,
        "databaseProblem": report.database_problem or None,
    }


def _describe(report: ImportReport, planned: PlannedResource) -> JsonObject:
    application = report.find(planned)
    return {
        "originalId": planned.original_id,
        "name": planned.title,
        "namespace": planned.namespace or None,
        "resourceName": planned.name or None,
        "id": application.uid if application is not None else None,
        "outcome": application.outcome.value if application is not None else None,
        "problem": planned.problem or (application.message if application is not None else "") or None,
        "notes": list(planned.notes),
    }


def _describe_instants(report: ImportReport, job: PlannedResource) -> JsonObject:
    told = job.instants
    return {
        "isEnabled": job.is_enabled,
        "original": [_show(report, one) for one in told.old],
        "sundial": [_show(report, one) for one in told.new],
        "differences": [{"instant": _show(report, one), "onlyBy": who} for one, who in told.differences],
    }


def _describe_history(history: HistoryReport) -> JsonObject:
    written = history.written
    return {
        "total": history.total,
        "added": written.added,
        "changed": written.changed,
        "left": written.left,
        "notTaken": dict(history.not_taken),
        "odd": {
            sort: {"count": n, "first": history.odd.examples[sort]} for sort, n in history.odd.counts.items()
        },
    }


def print_report(report: ImportReport, console: Console) -> None:
    """Print the report for people."""
    console.print(_build_table(report, "Task functions", report.functions))
    console.print(_build_table(report, "Jobs", report.jobs))
    for line in _list_lines(report):
        console.print(Text(clean(line)), soft_wrap=True)


def _build_table(report: ImportReport, title: str, planned: Sequence[PlannedResource]) -> Table:
    table = Table(title=f"{title}: {len(planned)}", title_justify="left", show_edge=False)
    for column in ("name", "becomes", "on", "next instants", "what"):
        table.add_column(column)
    for one in planned:
        cells = (one.title, _name(one), _say_enabled(one), _count_instants(one), _say_outcome(report, one))
        table.add_row(*(Text(clean(cell)[:MAX_CELL_CHARS]) for cell in cells))
    return table


def _name(planned: PlannedResource) -> str:
    return f"{planned.namespace}/{planned.name}" if planned.manifest is not None else "-"


def _say_enabled(planned: PlannedResource) -> str:
    return "yes" if planned.is_enabled else "-"


def _count_instants(planned: PlannedResource) -> str:
    told = planned.instants
    if not told.new:
        return "-"
    return f"{len(told.differences)} differ" if told.differences else f"{len(told.new)} the same"


def _say_outcome(report: ImportReport, planned: PlannedResource) -> str:
    application = report.find(planned)
    if planned.problem:
        return "is left out, see below"
    if application is None:
        return "is planned"
    return DONE[application.outcome][report.options.choice.writes]


def _list_lines(report: ImportReport) -> Iterator[str]:
    yield from _list_instants(report)
    yield from _list_problems(report)
    yield from _list_mapping(report)
    if report.history is not None:
        yield from _list_history(report, report.history)
    if not report.options.choice.writes:
        yield "Nothing was written: this is what --apply would do."


def _list_instants(report: ImportReport) -> Iterator[str]:
    """List the next instants of each job, in the zone of the original."""
    for job in (job for job in report.jobs if job.instants.new):
        told = job.instants
        shown = [_show(report, one) for one in told.new]
        yield f"{job.title}: {'Sundial' if told.differences else 'both'} at {', '.join(shown)}"
        if told.differences:
            yield f"  the original at {', '.join(_show(report, one) for one in told.old)}"
        yield from (f"  {_show(report, one)} only by {who}" for one, who in told.differences)


def _list_problems(report: ImportReport) -> Iterator[str]:
    for one in (*report.functions, *report.jobs):
        application = report.find(one)
        problem = one.problem or (application.message if application is not None else "")
        kind = one.resource.kind
        if problem:
            yield f"left out: {kind} {one.title} ({one.original_id}): {problem}"
        yield from (f"note: {kind} {one.title} ({one.original_id}): {note}" for note in one.notes)


def _list_mapping(report: ImportReport) -> Iterator[str]:
    for one in report.applied:
        planned = one.planned
        new = f"{planned.namespace}/{planned.name} {one.uid or ''}".rstrip()
        yield f"id: {planned.resource.kind} {planned.original_id} -> {new}"


def _list_history(report: ImportReport, history: HistoryReport) -> Iterator[str]:
    written, are = history.written, "" if report.options.choice.writes else "would be "
    added, changed, left = (f"{count:,}" for count in (written.added, written.changed, written.left))
    yield (
        f"history: {history.total:,} executions, {added} {are}added, {changed} {are}changed,"
        f" {left} left as they are"
    )
    if report.database_problem:
        yield f"  what is there already was not looked at: Sundial's database: {report.database_problem}"
    yield from (f"  {count:,} not imported: {why}" for why, count in history.not_taken.most_common())
    for sort, count in history.odd.counts.most_common():
        yield f"  {count:,} {sort}, such as {', '.join(history.odd.examples[sort][:3])}"


def _show(report: ImportReport, instant: datetime) -> str:
    return instant.astimezone(report.options.zone).isoformat()


def clean(text: Any) -> str:
    """Take what a terminal would obey out of a text of others."""
    return "".join(one if one.isprintable() else "\ufffd" for one in str(text))
