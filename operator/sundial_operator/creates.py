"""Creates Jobs so that each exists once, whatever becomes of the requests.

The name is deterministic: creating again is always safe, and 409 means to look and adopt.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from sundial_core.circumstances import Circumstances, Trust
from sundial_core.conditions import Reason
from sundial_core.instants import format_instant
from sundial_core.manifests import Attempt, Creator
from sundial_core.model import CatchUpPolicy, JsonObject
from sundial_core.refusals import Refusal, classify_refusal, trim_message
from sundial_core.runs import Trigger, parse_job
from sundial_core.verdicts import Judgement, Verdict
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import JOBS
from sundial_operator.agenda import read_clock
from sundial_operator.tracks import Create

log = structlog.get_logger()

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
HELD_SECONDS = 5.0
NO_ANSWER = "no answer from the API server"
UNANSWERED_FOR = timedelta(seconds=60)
"""How long a create that got no answer may still land; only then can its slot get another verdict."""


@dataclass(frozen=True, slots=True)
class Created:
    """The Job exists, and is ours."""

    job: JsonObject


@dataclass(frozen=True, slots=True)
class Refused:
    """No Job, for good: the slot's judgement."""

    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not known or not possible yet: try again at `at`."""

    at: datetime


Result = Created | Refused | Postponed


class JobCreator:
    """Sends creates and judges the answers."""

    def __init__(
        self,
        client: KubeClient,
        describe_creator: Callable[[], Creator],
        find_circumstances: Callable[[], Circumstances] = Circumstances,
    ) -> None:
        self._client = client
        self._describe_creator = describe_creator
        self._find_circumstances = find_circumstances

    async def create(self, create: Create) -> Result:
        """Try once to create the Job of an attempt; past its time, only find out whether it landed."""
        attempt = create.attempt
        circumstances = self._find_circumstances()
        if not circumstances.may_start:
            return await self._hold(create, circumstances)
        if create.unanswered_at is not None and read_clock() >= find_deadline(create):
            return await self._give_up(create, Verdict.MISSED, Reason.CREATE_FAILED, NO_ANSWER)
        create.tries += 1
        create.is_refused = False
        if create.unanswered_at is not None and (found := await self._find_landed(create)) is not None:
            return found
        manifest = create.build(self._describe_creator())
        try:
            answer = await self._client.create_for_metadata(JOBS, attempt.owner.ns, manifest)
        except NotLeading:
            return _try_later(create)
        except ApiUnreachable as error:
            create.unanswered_at = read_clock()
            log.warning("creating a Job got no answer", **describe(attempt), error=str(error))
            return _try_later(create)
        except ApiError as error:
            return await self._judge_refusal(create, error)
        return Created(
            answer | {"spec": {"activeDeadlineSeconds": manifest["spec"]["activeDeadlineSeconds"]}}
        )

    async def _hold(self, create: Create, circumstances: Circumstances) -> Result:
        """Send nothing: a slot is missed by a hold, all else waits, as does everything for the clock."""
        is_slot = create.follows is None and create.attempt.trigger is Trigger.SCHEDULE
        if is_slot and circumstances.trust is not Trust.UNTRUSTED:
            message = f"starts are held by {circumstances.held_by}"
            return await self._give_up(create, Verdict.MISSED, Reason.HELD, message)
        return Postponed(read_clock() + timedelta(seconds=HELD_SECONDS))

    async def _find_landed(self, create: Create) -> Result | None:
        """Look for the Job before asking again; None when there is none.

        A create that is sent after its Job has ended could land after that was deleted, and start it twice:
        the tombstone floor covers only what was sent before the end.
        """
        attempt = create.attempt
        try:
            return _judge_found(create, await self._client.get(JOBS, attempt.owner.ns, attempt.job_name))
        except ApiUnreachable:
            return _try_later(create)
        except ApiError as error:
            return None if error.status == 404 else _try_later(create)

    async def _judge_refusal(self, create: Create, error: ApiError) -> Result:
        refusal = classify_refusal(error.status, error.reason, error.message)
        if refusal is Refusal.EXISTS:
            return await self._adopt(create)
        if refusal is Refusal.REJECTED:
            return await self._give_up(create, Verdict.SKIPPED, Reason.REJECTED, error.message)
        if refusal is not Refusal.NAMESPACE_GONE:
            log.warning("creating a Job was refused", **describe(create.attempt), error=str(error))
        if read_clock() >= find_deadline(create):
            return await self._give_up(create, Verdict.MISSED, Reason.CREATE_FAILED, error.message)
        create.is_refused = create.unanswered_at is None
        create.refusal = trim_message(error.message)
        if refusal is Refusal.NAMESPACE_GONE:
            return Postponed(read_clock() + timedelta(seconds=LONGEST_RETRY_SECONDS))
        return _try_later(create, error.retry_after)

    async def _adopt(self, create: Create) -> Result:
        """Look at the Job of that name: ours with the same run and attempt is the one we wanted."""
        attempt = create.attempt
        try:
            return _judge_found(create, await self._client.get(JOBS, attempt.owner.ns, attempt.job_name))
        except (ApiError, ApiUnreachable):
            return _try_later(create)

    async def _give_up(self, create: Create, verdict: Verdict, reason: Reason, message: str) -> Result:
        """Give another verdict than Started, unless a request without an answer has landed or still may."""
        attempt = create.attempt
        if create.unanswered_at is None:
            return _refuse(create, verdict, reason, message)
        if read_clock() - create.unanswered_at < UNANSWERED_FOR:
            return _try_later(create)
        try:
            return _judge_found(create, await self._client.get(JOBS, attempt.owner.ns, attempt.job_name))
        except ApiUnreachable:
            return _try_later(create)
        except ApiError as error:
            is_absent = error.status == 404
            return _refuse(create, verdict, reason, message) if is_absent else _try_later(create)


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


def find_deadline(create: Create) -> datetime:
    """Find until when a create is retried: its grace, or the catch-up window if that is longer."""
    catch_up = create.catch_up
    window = 0 if catch_up.policy is CatchUpPolicy.NONE else catch_up.window_seconds
    return create.due_at + timedelta(seconds=max(catch_up.grace_seconds, window))


def find_back_off(tries: int, retry_after: float | None) -> float:
    """Find how many seconds to wait before the next try, with jitter."""
    seconds: float = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(tries - 1, 10))
    return max(retry_after or 0.0, seconds * random.uniform(0.5, 1.0))


def is_same_attempt(item: JsonObject, attempt: Attempt) -> bool:
    """Tell whether a Job is ours: controller, run and attempt are equal; the term does not matter."""
    try:
        job = parse_job(item)
    except (KeyError, TypeError, ValueError):
        return False
    return (job.owner_uid, job.run_id, job.attempt) == (attempt.owner.uid, attempt.run_id, attempt.attempt)


def _try_later(create: Create, retry_after: float | None = None) -> Postponed:
    return Postponed(read_clock() + timedelta(seconds=find_back_off(create.tries, retry_after)))


def _judge_found(create: Create, found: JsonObject) -> Result:
    attempt = create.attempt
    if is_same_attempt(found, attempt):
        return Created(found)
    message = f"a Job named {attempt.job_name} exists and is not of this run; delete or rename it"
    return _refuse(create, Verdict.SKIPPED, Reason.NAME_TAKEN, message)


def _refuse(create: Create, verdict: Verdict, reason: Reason, message: str) -> Refused:
    slot = create.attempt.slot or create.due_at
    return Refused(Judgement(slot, slot, 1, verdict, reason, trim_message(message)))
