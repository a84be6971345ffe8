"""How the Job of an attempt is created once, whatever becomes of the requests.

No I/O: `begin` says what to ask the API server, `take` what its answer means. The Job's name is
deterministic, so creating it again is always safe: on 409 AlreadyExists the Job of that name is read, and
adopted if it is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sundial_core.coordination.backoff import Backoff
from sundial_core.decision.create_error_kinds import CreateErrorKind, classify_create_error
from sundial_core.decision.installation import InstallationState, Trust
from sundial_core.resources.messages import trim_message
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.phases import Trigger, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp, CatchUpPolicy
from sundial_core.runs.custody import (
    is_job_of,
)
from sundial_core.runs.early_ends import is_ending
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_job,
    build_retry_job,
)
from sundial_core.runs.retries import NextAttempt
from sundial_core.status.verdicts import VerdictRecord

RETRY_BACKOFF = Backoff(first_seconds=0.5, max_seconds=30.0)
HELD_SECONDS = 5.0
NO_ANSWER = "no answer from the API server"
UNANSWERED_FOR = timedelta(seconds=60)
"""How long a create that got no answer may still land; only then can its slot get another verdict."""
MIN_WINDOW_SECONDS = 60
"""For how long at least a leader tries to create a retry or a manual run."""
FIRST_ROUND = timedelta(seconds=1)
MIN_TRIES = 2
"""One refusal ends nothing, however late it is: what was decided gets a back-off round."""


class Purpose(StrEnum):
    """Why a Job is read."""

    COPY = "copy"  # the attempt before, whose template the next one copies
    RESEND = "resend"  # an unanswered create may have landed, before it is sent again
    ADOPT = "adopt"  # whose Job has the name
    CONCLUDE = "conclude"  # an unanswered create may have landed, before its slot gets another verdict


@dataclass(frozen=True, slots=True)
class Read:
    """Read the Job of that name from the API server; where there is none, `record` is the verdict."""

    name: str
    purpose: Purpose
    record: VerdictRecord | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Create this Job."""

    manifest: JsonObject


CreateRequest = Read | Send


@dataclass(frozen=True, slots=True)
class Answered:
    """The object that was read or created; of a created one the metadata is enough."""

    item: JsonObject


@dataclass(frozen=True, slots=True)
class Denied:
    """An error answer: nothing was done. `retry_after`: the seconds that the API server asks for."""

    status: int
    reason: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer: what was sent may have been done, or may still be. `error` is for the log."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class Unsent:
    """The write gate was shut: nothing was sent."""


Answer = Answered | Denied | Unanswered | Unsent


@dataclass(frozen=True, slots=True)
class Created:
    """The Job exists, and is ours."""

    item: JsonObject


@dataclass(frozen=True, slots=True)
class Refused:
    """No Job, for good: the slot's verdict."""

    record: VerdictRecord


@dataclass(frozen=True, slots=True)
class Dropped:
    """There is nothing to create any more: the attempt before is gone, or somebody has ended the run."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not known or not possible yet: begin again after a back-off (before jitter), not sooner than asked."""

    seconds: float
    at_least_seconds: float = 0.0


CreateOutcome = Created | Refused | Dropped | Postponed
Step = CreateRequest | CreateOutcome


@dataclass(slots=True)
class PendingCreate:
    """The creation of one Job, as it was decided: later edits do not change it."""

    attempt: Attempt
    template: JsonObject
    catch_up: CatchUp
    begun_at: datetime | None = None
    """Since when this leader tries; None while starts are held."""
    follows: NextAttempt | None = None
    """What a retry repeats; its template is the Job of the attempt before, read first."""
    served_at: datetime | None = None
    """When a slot that had waited, or a manual run, got its place."""
    tries: int = 0
    unanswered_at: datetime | None = None
    """When the newest request that got no answer was given up."""
    refusal: str | None = None
    """What the API server said, while every request was answered and the newest refusal may pass."""
    last_refusal: str = ""
    """For people: what was said last. It stays while the next request is under way."""

    @property
    def is_slot(self) -> bool:
        """Tell whether it is a slot's first attempt: those get verdicts."""
        return self.follows is None and self.attempt.trigger is Trigger.SCHEDULE

    @property
    def is_refused(self) -> bool:
        """Tell whether nothing of it can land until it is sent again."""
        return self.refusal is not None

    @property
    def may_yield(self) -> bool:
        """Tell whether a newer slot takes this one's place: under Latest, unless it had waited."""
        is_latest = self.catch_up.policy is CatchUpPolicy.LATEST
        return self.is_refused and is_latest and self.served_at is None

    @property
    def due_at(self) -> datetime:
        """When the attempt was to start."""
        due_at = self.follows.due_at if self.follows else self.served_at or self.attempt.slot
        assert due_at is not None
        return due_at

    def compute_deadline(self, now: datetime) -> datetime:
        """Compute until when the create is tried.

        For a slot: until its grace, or the catch-up window if that is longer, has passed since it was due.
        Retries and manual runs cannot be late: their window begins with this leader's first try.
        """
        window = self.catch_up.window_seconds
        if not self.is_slot:
            return (self.begun_at or now) + timedelta(seconds=max(MIN_WINDOW_SECONDS, window))
        if self.catch_up.policy is CatchUpPolicy.NONE:
            window = 0
        return self.due_at + timedelta(seconds=max(self.catch_up.grace_seconds, window))

    def _compute_last_turn(self, now: datetime) -> datetime:
        """Compute until when requests are sent: the deadline, but after one refusal always once more."""
        is_first_round = self.tries == 1 and self.unanswered_at is None
        return self.compute_deadline(now) + (FIRST_ROUND if is_first_round else timedelta(0))

    def begin(self, creator: Creator, installation: InstallationState, now: datetime) -> Step:
        """Try once; past its time, only find out whether an earlier try has landed."""
        if not installation.may_start:
            return self._hold(installation, now)
        self.begun_at = self.begun_at or now
        if now >= self._compute_last_turn(now):
            return self._give_up_late(now)
        if self.follows is not None and not self.template:
            return Read(self.follows.after.name, Purpose.COPY)
        return self._ask(creator)

    def take(self, request: CreateRequest, answer: Answer, creator: Creator, now: datetime) -> Step:
        """Take an answer; return what to ask next, or the outcome."""
        if isinstance(request, Send):
            return self._take_sent(request, answer, now)
        if request.purpose is Purpose.COPY:
            return self._take_previous(answer, creator)
        if isinstance(answer, Answered):
            return self._decide_found(answer.item)
        is_absent = isinstance(answer, Denied) and answer.status == 404
        if is_absent and request.purpose is Purpose.RESEND:
            return self._send(creator)
        if is_absent and request.record is not None:
            return Refused(request.record)
        return self._postpone()

    def _ask(self, creator: Creator) -> Step:
        """Create the Job; after a request that got no answer, read the Job first.

        The request may have landed: its Job may have run, ended and been deleted, and a second request would
        then start the slot twice. The tombstone floor keeps an ended Job, and with it the name, only for as
        long as requests that were sent before its end can still land.
        """
        self.tries += 1
        self.refusal = None
        if self.unanswered_at is not None:
            return Read(self.attempt.job_name, Purpose.RESEND)
        return self._send(creator)

    def _send(self, creator: Creator) -> Send:
        """Build the Job: from the user's template, or for a retry from the Job of the attempt before."""
        if self.follows is None:
            return Send(build_job(self.attempt, self.template, creator))
        return Send(build_retry_job(self.template, self.follows, self.attempt, creator))

    def _take_sent(self, request: Send, answer: Answer, now: datetime) -> Step:
        if isinstance(answer, Answered):
            seconds = request.manifest["spec"]["activeDeadlineSeconds"]
            return Created(answer.item | {"spec": {"activeDeadlineSeconds": seconds}})
        if isinstance(answer, Denied):
            return self._decide_refusal(answer, now)
        if isinstance(answer, Unanswered):
            self.unanswered_at = now
        return self._postpone()

    def _take_previous(self, answer: Answer, creator: Creator) -> Step:
        """Copy the Job of the attempt before, unless it is gone or somebody has ended the run."""
        assert self.follows is not None
        if isinstance(answer, Answered):
            after = self.follows.after
            is_same = answer.item["metadata"]["uid"] == after.uid
            is_same = is_same and is_job_of(answer.item, self.attempt.owner, after.run_id, after.name)
            if not is_same or is_ending(parse_job(answer.item)):
                return Dropped()
            self.template = answer.item
            return self._ask(creator)
        if isinstance(answer, Denied) and answer.status == 404:
            return Dropped()
        return self._postpone()

    def _decide_refusal(self, error: Denied, now: datetime) -> Step:
        refusal = classify_create_error(error.status, error.reason, error.message)
        if refusal is CreateErrorKind.EXISTS:
            return Read(self.attempt.job_name, Purpose.ADOPT)
        if refusal is CreateErrorKind.REJECTED:
            return self._give_up(Verdict.SKIPPED, Reason.REJECTED, error.message, now)
        if now >= self.compute_deadline(now) and self.tries >= MIN_TRIES:
            return self._give_up(Verdict.MISSED, Reason.CREATE_FAILED, error.message, now)
        self.last_refusal = trim_message(error.message)
        self.refusal = None if self.unanswered_at else self.last_refusal
        if refusal is CreateErrorKind.NAMESPACE_GONE:
            return Postponed(0.0, RETRY_BACKOFF.max_seconds)
        return self._postpone(error.retry_after)

    def _decide_found(self, item: JsonObject) -> Step:
        """Adopt the Job of that name if it is ours, of this run and this attempt."""
        if is_same_attempt(item, self.attempt):
            return Created(item)
        message = f"a Job named {self.attempt.job_name} exists and is not of this run; delete or rename it"
        return Refused(self._build_record(Verdict.SKIPPED, Reason.NAME_TAKEN, message))

    def _hold(self, installation: InstallationState, now: datetime) -> Step:
        """Send nothing. A hold makes a slot Missed; all else waits, and everything for a trusted clock."""
        if self.is_slot and installation.trust is not Trust.UNTRUSTED:
            message = f"starts are held by {installation.starts_held_by}"
            return self._give_up(Verdict.MISSED, Reason.HELD, message, now)
        self.begun_at = None
        return Postponed(0.0, HELD_SECONDS)

    def _give_up_late(self, now: datetime) -> Step:
        """Give up what got no answer, was refused, or had no turn until its time was over."""
        if self.unanswered_at is not None or self.refusal is not None:
            return self._give_up(Verdict.MISSED, Reason.CREATE_FAILED, self.refusal or NO_ANSWER, now)
        late = (now - self.due_at).total_seconds()
        message = (
            f"waited for its turn to be sent until {late:.0f} s after it was due: creates of Jobs in this"
            " namespace take long (an admission webhook?)"
        )
        reason = Reason.TOO_LATE if self.is_slot else Reason.CREATE_FAILED
        return Refused(self._build_record(Verdict.MISSED, reason, message))

    def _give_up(self, verdict: Verdict, reason: Reason, message: str, now: datetime) -> Step:
        """Give another verdict than Started, unless a request without an answer has landed or still may."""
        record = self._build_record(verdict, reason, message)
        if self.unanswered_at is None:
            return Refused(record)
        if now - self.unanswered_at < UNANSWERED_FOR:
            return self._postpone()
        return Read(self.attempt.job_name, Purpose.CONCLUDE, record)

    def _build_record(self, verdict: Verdict, reason: Reason, message: str) -> VerdictRecord:
        slot = self.attempt.slot or self.due_at
        return VerdictRecord(slot, slot, 1, verdict, reason, trim_message(message))

    def _postpone(self, retry_after: float | None = None) -> Postponed:
        return Postponed(RETRY_BACKOFF.after(self.tries), retry_after or 0.0)


def is_same_attempt(item: JsonObject, attempt: Attempt) -> bool:
    """Tell whether a Job is ours and of that run and attempt; the term does not matter."""
    return is_job_of(item, attempt.owner, attempt.run_id, attempt.job_name)


def build_retry_attempt(job: ScheduledJob, following: NextAttempt) -> Attempt:
    """Name the next attempt of a run; all else about it is copied from the Job of the one before."""
    after = following.after
    return Attempt(
        owner=Owner(job.ns, job.name, job.uid, job.generation),
        run_id=after.run_id,
        trigger=after.trigger,
        slot=after.slot,
        previous_slot=None,
        attempt=following.number,
        args=None,
        timeout_seconds=0,
    )
