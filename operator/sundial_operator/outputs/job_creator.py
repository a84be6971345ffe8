"""Carries the requests of a Job's creation to the API server, and the answers back.

What to ask and what an answer means is told by `sundial_core.decision.job_creation`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from sundial_clock.instants import format_instant
from sundial_core.decision.create_error_kinds import CreateErrorKind, classify_create_error
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answer,
    Answered,
    Created,
    CreateOutcome,
    CreateRequest,
    Denied,
    Dropped,
    PendingCreate,
    Postponed,
    Read,
    Refused,
    Send,
    Unanswered,
    Unsent,
)
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.runs.manifests import Attempt, Creator
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.jitter import with_jitter
from sundial_kube.resources import JOBS
from sundial_operator.clock import read_clock
from sundial_operator.outputs.lanes import Reply

log = structlog.get_logger()


class JobCreator:
    """Sends creates until something has come of them."""

    def __init__(
        self,
        client: KubeClient,
        describe_creator: Callable[[], Creator],
        read_installation: Callable[[], InstallationState] = InstallationState,
    ) -> None:
        self._client = client
        self._describe_creator = describe_creator
        self._read_installation = read_installation

    async def create(self, memory: ScheduleMemory, create: PendingCreate) -> tuple[CreateOutcome, Reply]:
        """Try once to create the Job of a run; what came of it is in the memory too."""
        creator, reply = self._describe_creator(), Reply.UNSENT
        step = memory.begin(create, creator, self._read_installation(), read_clock())
        while not isinstance(step, Created | Refused | Dropped | Postponed):
            answer = await self._ask(create, step)
            reply = classify_reply(answer) if isinstance(step, Send) else reply
            step = memory.take(create, step, answer, creator, read_clock())
        return step, reply

    async def _ask(self, create: PendingCreate, request: CreateRequest) -> Answer:
        ns = create.attempt.owner.ns
        if isinstance(request, Read):
            return await read_job(self._client, ns, request.name)
        answer = await self._send(ns, request)
        log_answer(create.attempt, answer)
        return answer

    async def _send(self, ns: str, request: Send) -> Answer:
        try:
            return Answered(await self._client.create_metadata_only(JOBS, ns, request.manifest))
        except NotLeading:
            return Unsent()
        except ApiUnreachable as error:
            return Unanswered(str(error))
        except ApiError as error:
            return Denied(error.status, error.reason, error.message, error.retry_after)


def classify_reply(answer: Answer) -> Reply:
    """Classify what an answer to a create tells of how fast its namespace is."""
    if isinstance(answer, Unsent):
        return Reply.UNSENT
    return Reply.UNANSWERED if isinstance(answer, Unanswered) else Reply.ANSWERED


async def read_job(client: KubeClient, ns: str, name: str) -> Answer:
    """Read a Job, uncached."""
    try:
        return Answered(await client.get(JOBS, ns, name))
    except ApiUnreachable as error:
        return Unanswered(str(error))
    except ApiError as error:
        return Denied(error.status, error.reason, error.message, error.retry_after)


def log_answer(attempt: Attempt, answer: Answer) -> None:
    """Log what became of a create that may be sent again."""
    if isinstance(answer, Unanswered):
        log.warning("creating a Job got no answer", **describe(attempt), error=answer.error)
    elif isinstance(answer, Denied):
        refusal = classify_create_error(answer.status, answer.reason, answer.message)
        if refusal is CreateErrorKind.RETRY:
            error = f"{answer.status} {answer.reason}: {answer.message}"
            log.warning("creating a Job was refused", **describe(attempt), error=error)


def log_start(create: PendingCreate, now: datetime) -> None:
    """Log that an attempt was started."""
    late_seconds = round((now - create.due_at).total_seconds(), 3)
    log.info("run started", **describe(create.attempt), late_seconds=late_seconds)


def describe(attempt: Attempt) -> dict[str, object]:
    """Name an attempt in the log, with the fields that all lines about runs have."""
    return {
        "namespace": attempt.owner.ns,
        "name": attempt.owner.name,
        "slot": format_instant(attempt.slot) if attempt.slot else None,
        "run": attempt.run_id,
        "job": attempt.job_name,
        "attempt": attempt.attempt,
    }


def compute_delay(postponed: Postponed) -> float:
    """Compute how many seconds to wait, with jitter."""
    return max(postponed.at_least_seconds, with_jitter(postponed.seconds))
