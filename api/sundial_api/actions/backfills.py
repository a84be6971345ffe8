"""How do slots of the past run? Each by a ScheduledJobRun that is named by job and slot, so never twice."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.actions import repository
from sundial_api.actions.schemas import BackfillRequest, BackfillResponse, BackfillSlotRead
from sundial_api.actions.slot_states import (
    SlotHistory,
    SlotState,
    check_range,
    explain_refusal,
    judge,
    list_range,
)
from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import service as executions
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import manifests, service
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.start_rules import find_obstacle, read_load
from sundial_api.jobs.trigger import RunStarter, compile_job
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_clock.instants import format_instant
from sundial_clock.sentences import Sentence, say
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.resources.raw import JsonObject
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it is now: its object, its row, and what the rows say of some of its slots."""

    item: JsonObject
    row: Row
    active: int
    history: SlotHistory
    slots: Sequence[datetime]

    def judge_all(self) -> dict[datetime, SlotState]:
        """Say where each slot stands."""
        return {slot: judge(slot, self.history) for slot in self.slots}


@dataclass(frozen=True, slots=True)
class Backfiller:
    """Runs slots of the past for one caller."""

    services: Services
    caller: CallerAccess

    async def backfill(self, job_id: UUID, wanted: BackfillRequest, key: str | None) -> BackfillResponse:
        """Ask for the runs of a range, oldest first, or tell what would run.

        Raises Problem 404; 409 where runs would not all start or wait; Invalid for a range that cannot be.
        """
        view = await self._view(job_id, wanted)
        states = view.judge_all()
        chosen = [slot for slot, state in states.items() if is_wanted(state, wanted)]
        problem = await self._find_problem(view, len(chosen)) if chosen else None
        asked: frozenset[datetime] = frozenset()
        runs: dict[datetime, JsonObject] = {}
        if not wanted.dry_run:
            if problem is not None:
                raise HTTPProblem(409, problem)
            asked, runs = await self._ask(view, chosen, wanted, key)
            await self._store(runs)
        ids = {slot: UUID(run["metadata"]["uid"]) for slot, run in runs.items()}
        states |= dict.fromkeys(asked, SlotState.ASKED)
        running = frozenset(chosen) - asked
        shown = describe_slots(states, dict(view.history.runs) | ids, running)
        return BackfillResponse(
            job_id=job_id,
            dry_run=wanted.dry_run,
            total=len(shown),
            new_count=len(running),
            problem=problem,
            slots=shown,
        )

    async def _view(self, job_id: UUID, wanted: BackfillRequest) -> JobView:
        """Look at a job; what its object tells is a row before the rows are asked."""
        async with self.services.engine.begin() as connection:
            row = await service.get_job(connection, job_id)
        await self.caller.require("create", SCHEDULED_JOB_RUNS, row["namespace"])
        await self.caller.require("get", SCHEDULED_JOBS, row["namespace"])
        item = await RunStarter(self.services, self.caller).read_job(row)
        now = self.services.read_clock()
        check_range(wanted.since, wanted.to, now)
        slots = list_range(compile_job(item), wanted.since, min(wanted.to, now))
        async with self.services.engine.begin() as connection:
            await take_answers(connection, [(ObjectKind.SCHEDULED_JOB, item)], now)
            row = await service.get_job(connection, job_id)
            active = await executions.count_unfinished(connection, row)
            history = await repository.read_history(connection, row, slots)
        return JobView(item, row, active, history, slots)

    async def _find_problem(self, view: JobView, wanted: int) -> Sentence | None:
        """Find out why so many more runs of a job are refused; None where they are not."""
        job = parse_scheduled_job(view.item)
        function = await RunStarter(self.services, self.caller).read_function(job)
        obstacle = find_obstacle(job, function, self.services.read_clock())
        return obstacle or explain_refusal(read_load(job, view.active), wanted)

    async def _ask(
        self, view: JobView, slots: Sequence[datetime], wanted: BackfillRequest, key: str | None
    ) -> tuple[frozenset[datetime], dict[datetime, JsonObject]]:
        """Make the ScheduledJobRuns, oldest first, and tell which were there already; these stay."""
        runs: dict[datetime, JsonObject] = {}
        asked: set[datetime] = set()
        scope = (str(self.caller.identity.uid), key) if key is not None and wanted.slots == "all" else ()
        for slot in slots:
            runs[slot], is_new = await self._create(view, slot, name_run(view.row, slot, *scope), wanted)
            if not is_new:
                asked.add(slot)
        return frozenset(asked), runs

    async def _create(
        self, view: JobView, slot: datetime, name: str, wanted: BackfillRequest
    ) -> tuple[JsonObject, bool]:
        """Make a ScheduledJobRun, and tell whether it is new."""
        ns: str = view.row["namespace"]
        author = Author(self.caller.identity.uid, self.caller.identity.name, self.services.read_clock())
        reason = wanted.reason or f"backfill of {format_instant(wanted.since)} to {format_instant(wanted.to)}"
        plain = manifests.build_run(view.item, name, author, manifests.REPEATABLE_SECONDS)
        manifest = manifests.order_run(plain, slot, reason)
        client = self.services.client
        try:
            return await client.create(SCHEDULED_JOB_RUNS, ns, manifest), True
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise translate_refusal(error) from error
        found = await client.get(SCHEDULED_JOB_RUNS, ns, name)
        if not is_same_request(found, manifest):
            raise HTTPProblem(
                409, say("the ScheduledJobRun {name} is there, and not for this slot; delete it", name=name)
            )
        return found, False

    async def _store(self, runs: Mapping[datetime, JsonObject]) -> None:
        """Let the caller read the runs; they are there even if that fails."""
        answers = [(ObjectKind.SCHEDULED_JOB_RUN, run) for run in runs.values()]
        try:
            async with self.services.engine.begin() as connection:
                await take_answers(connection, answers, self.services.read_clock())
        except SQLAlchemyError as error:
            log.warning("runs that were asked for are not in the database yet", kind=type(error).__name__)


def is_wanted(state: SlotState, wanted: BackfillRequest) -> bool:
    """Tell whether a slot that stands so is to run."""
    return state is SlotState.NEW or (wanted.slots == "all" and state is not SlotState.UNDECIDED)


def is_same_request(found: JsonObject, wanted: JsonObject) -> bool:
    """Tell whether a ScheduledJobRun asks for the same job and slot as another."""
    named = ("scheduledJobName", "scheduledFor")
    return all(found["spec"].get(field) == wanted["spec"].get(field) for field in named)


def name_run(row: Row, slot: datetime, *scope: str) -> str:
    """Name the run of a slot; names of one job sort as its slots, which is the order in which they start."""
    parts = "\n".join([str(row["id"]), format_instant(slot), *scope])
    digest = hashlib.sha256(parts.encode()).hexdigest()[:10]
    return f"{str(row['resource_name'])[:40].rstrip('-')}-{slot:%Y%m%dt%H%M%S}-{digest}"


def describe_slots(
    states: Mapping[datetime, SlotState], ids: Mapping[datetime, UUID], running: Collection[datetime]
) -> list[BackfillSlotRead]:
    """Describe the slots of a range, oldest first."""
    return [
        BackfillSlotRead(
            scheduled_for=slot, state=state, will_run=slot in running, execution_id=ids.get(slot)
        )
        for slot, state in sorted(states.items())
    ]
