"""One run of the import: what is there is read and planned, then checked or applied, then the history."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.db.engine import build_engine
from sundial_api.db.probe import AWAY, DatabaseProbe
from sundial_api.importing.cluster import (
    Application,
    Applier,
    ApplyChoice,
    ApplyOutcome,
    find_obstacle,
    open_cluster,
)
from sundial_api.importing.history.executions import HistoryGround, HistoryPlace
from sundial_api.importing.history.repository import compare_executions, write_executions
from sundial_api.importing.history.service import HistoryImporter, HistoryReport
from sundial_api.importing.original.repository import Original
from sundial_api.importing.original.rows import OddValue
from sundial_api.importing.original.times import parse_time
from sundial_api.importing.planning.functions import plan_function
from sundial_api.importing.planning.jobs import PlanningGround, plan_job
from sundial_api.importing.planning.resources import PlannedResource
from sundial_api.importing.planning.templates import TemplatesFile
from sundial_api.importing.progress import Progress
from sundial_api.settings import DatabaseSettings

SILENT_FOR = timedelta(minutes=2)
"""How long a scheduler of the original must have been silent to count as stopped: it beats more often."""

OFFSET_STEP = timedelta(minutes=15)
WIDEST_OFFSETS = timedelta(hours=26)
"""How far two zones lie apart at most; their offsets are whole quarters of an hour."""

PATIENCE_SECONDS = 120.0
"""How long a batch of history may take, waiting for the mirror included: nobody waits for an answer."""

DEFAULT_NAMESPACE = "default"
DATABASE_URL = "SUNDIAL_API_DATABASE_URL"


class ImportRefused(Exception):
    """Nothing can be done so; the text says why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command was asked for."""

    templates: TemplatesFile | None
    choice: ApplyChoice
    zone: ZoneInfo
    instants: int
    has_history: bool
    now: datetime


@dataclass
class ImportReport:
    """What became, or would become, of the original installation."""

    options: ImportOptions
    functions: Sequence[PlannedResource] = ()
    jobs: Sequence[PlannedResource] = ()
    applied: Sequence[Application] = ()
    history: HistoryReport | None = None
    database_problem: str = ""
    """Why Sundial's own database was not looked at, in a dry run."""
    by_id: dict[tuple[str, str], Application] = field(default_factory=dict)

    def find(self, planned: PlannedResource) -> Application | None:
        """Find what the API server made of a planned resource."""
        return self.by_id.get((planned.resource.kind, planned.original_id))

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out, and all was looked at."""
        if self.database_problem:
            return False
        planned = [*self.functions, *self.jobs]
        is_refused = any(one.outcome is ApplyOutcome.REFUSED for one in self.applied)
        return not is_refused and not any(one.problem for one in planned) and not self._has_odd_history

    @property
    def _has_odd_history(self) -> bool:
        return self.history is not None and bool(self.history.odd.counts)


async def run_import(original: Original, options: ImportOptions, progress: Progress) -> ImportReport:
    """Plan all, then check it with the API server or apply it; raises ImportRefused, LoginError."""
    check_options(options)
    report = ImportReport(options)
    async with AsyncExitStack() as exits:
        engine = await exits.enter_async_context(open_history(report)) if options.has_history else None
        if options.choice.enables:
            await check_is_stopped(original, options)
        await _plan(original, report, progress)
        if options.templates is not None:
            await _apply(report, progress)
        if options.has_history:
            await _import_history(original, report, engine, progress)
    return report


def check_options(options: ImportOptions) -> None:
    """Check that what is to be written is known; raises ImportRefused."""
    if options.choice.writes and options.templates is None:
        raise ImportRefused("--apply needs --templates FILE; --print-templates prints a sample")
    if options.choice.writes and options.has_history and not os.environ.get(DATABASE_URL):
        raise ImportRefused(f"the history needs {DATABASE_URL}, Sundial's own database; or --without-history")


async def check_is_stopped(original: Original, options: ImportOptions) -> None:
    """Check that no scheduler of the original runs any more; raises ImportRefused, in doubt too."""
    for instance in await original.read_instances():
        try:
            seen = parse_time(instance.last_heartbeat, options.zone, "last_heartbeat")
        except OddValue:
            raise ImportRefused(
                f"whether the original's scheduler on {instance.hostname} still runs cannot be known: its"
                " heartbeat is no time that can be read; delete its row of scheduler_instances if it does not"
            ) from None
        if seen is not None and may_be_recent(seen, options.now):
            raise ImportRefused(
                f"the original's scheduler on {instance.hostname} may still run, its heartbeat is of"
                f" {seen:%Y-%m-%d %H:%M:%S} UTC: stop it, and wait {SILENT_FOR.seconds} s; if it is stopped,"
                " look at --time-zone"
            )


def may_be_recent(seen: datetime, now: datetime) -> bool:
    """Tell whether a heartbeat is of the last two minutes in any zone: its own may be another one."""
    age = now - seen
    return age < SILENT_FOR or (age <= WIDEST_OFFSETS and age % OFFSET_STEP < SILENT_FOR)


async def _plan(original: Original, report: ImportReport, progress: Progress) -> None:
    options = report.options
    report.functions = [plan_function(row, options.templates) for row in await original.read_functions()]
    ground = PlanningGround(
        {one.original_id: one for one in report.functions}, options.zone, options.now, options.instants
    )
    rows = await original.read_jobs()
    with progress.show("jobs planned", len(rows)) as advance:
        jobs = []
        for row in rows:
            jobs.append(plan_job(row, ground))
            advance(1)
    report.jobs = jobs


async def _apply(report: ImportReport, progress: Progress) -> None:
    count = sum(one.manifest is not None for one in [*report.functions, *report.jobs])
    async with open_cluster() as kube:
        if obstacle := await find_obstacle(kube):
            raise ImportRefused(obstacle)
        applier = Applier(kube, report.options.choice)
        with progress.show("resources", count) as advance:
            functions = await applier.apply_all(report.functions, lambda: advance(1))
            report.jobs = leave_out_jobs(report.jobs, functions)
            jobs = await applier.apply_all(report.jobs, lambda: advance(1))
    report.applied = [*functions, *jobs]
    report.by_id = {(one.planned.resource.kind, one.planned.original_id): one for one in report.applied}


def leave_out_jobs(
    jobs: Sequence[PlannedResource], functions: Sequence[Application]
) -> list[PlannedResource]:
    """Leave out the jobs whose function is not there: another one of its name may be somebody else's."""
    absent = {
        one.planned.original_id
        for one in functions
        if one.outcome is ApplyOutcome.REFUSED and one.uid is None
    }
    return [
        replace(job, manifest=None, problem="its function was refused") if job.function_id in absent else job
        for job in jobs
    ]


@asynccontextmanager
async def open_history(report: ImportReport) -> AsyncIterator[AsyncEngine | None]:
    """Connect to Sundial's database before anything is written; None where none is named.

    One that cannot be used is told in a dry run; else raises ImportRefused.
    """
    if not os.environ.get(DATABASE_URL):
        yield None
        return
    patient = DatabaseSettings(statement_seconds=PATIENCE_SECONDS, lock_seconds=PATIENCE_SECONDS)
    engine = build_engine(patient, connections=1)
    probe = DatabaseProbe(engine)
    problem = await probe.find_problem()
    if problem is not None:
        await probe.close()
        said = f"cannot be reached: check {DATABASE_URL}" if problem == AWAY else problem
        if report.options.choice.writes:
            raise ImportRefused(f"Sundial's database: {said}; nothing was written")
        report.database_problem = said
        yield None
        return
    yield engine
    await probe.close()


async def _import_history(
    original: Original, report: ImportReport, engine: AsyncEngine | None, progress: Progress
) -> None:
    write = write_executions if report.options.choice.writes else compare_executions
    importer = HistoryImporter(_build_ground(report), engine, write)
    report.history = importer.report
    with progress.show("history", await original.count_executions()) as advance:
        await importer.run(original, advance)


def _build_ground(report: ImportReport) -> HistoryGround:
    options = report.options
    keeps = timedelta(days=DatabaseSettings.model_fields["history_days"].default)
    if os.environ.get(DATABASE_URL):
        keeps = timedelta(days=DatabaseSettings().history_days)
    namespace = options.templates.namespace if options.templates is not None else DEFAULT_NAMESPACE
    places = {job.original_id: _find_place(report, job) for job in report.jobs}
    known = {job_id: place for job_id, place in places.items() if place is not None}
    left_out = frozenset(places) - frozenset(known)
    return HistoryGround(known, namespace, options.zone, options.now - keeps, left_out)


def _find_place(report: ImportReport, job: PlannedResource) -> HistoryPlace | None:
    """Find where a job is, none where it is left out; in a dry run a new one keeps its old id."""
    application, options = report.find(job), report.options
    if application is not None and application.uid is not None:
        return HistoryPlace(application.uid, job.namespace)
    is_planned = options.templates is None or job.manifest is not None
    return HistoryPlace(job.original_id, job.namespace) if is_planned and not options.choice.writes else None
