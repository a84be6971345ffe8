"""Which slots have all jobs together? Found beside the event loop, within a limit of time, and kept.

What is kept of a job is what its schedule named; it holds as long as the job is not edited and the days that
were looked at have not passed.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sundial_api.auth.visible_namespaces import Reach
from sundial_api.computations import Budget, Computations
from sundial_api.forecast.job_slots import QUARTER, JobSlots, find_slots
from sundial_api.forecast.repository import MAX_JOBS, StoredSchedule
from sundial_api.forecast.schemas import (
    ConstantJob,
    Forecast,
    JobForecast,
    QuarterRead,
    UnknownJob,
    WhyUnknown,
)

MAX_KEPT = 20_000
MAX_LISTED = 1_000
"""How many jobs each list names."""
MAX_QUARTERS = 10_000
"""How many quarters of an hour the jobs that are listed have together."""

Identity = tuple[str, str | None, str | None, str]
"""By what it shows that a job was edited: its ETag, its schedule, and its zone where that is apart."""


@dataclass(frozen=True, slots=True)
class Window:
    """The hours that are asked for, (since, until], and when their first quarter of an hour began."""

    since: datetime
    until: datetime
    first_quarter: datetime

    @classmethod
    def of(cls, now: datetime, hours: int) -> Window:
        """Build the window of some hours from now on."""
        began = now.timestamp() // QUARTER.seconds * QUARTER.seconds
        return cls(now, now + timedelta(hours=hours), datetime.fromtimestamp(began, UTC))

    def number(self, instants: Iterable[float]) -> list[int]:
        """Number the quarters of an hour in which instants of the window lie; its very end is of the last."""
        began, last = self.first_quarter.timestamp(), self.count - 1
        return [min(int((instant - began) // QUARTER.seconds), last) for instant in instants]

    @property
    def count(self) -> int:
        """How many quarters of an hour the window touches."""
        return -((self.first_quarter - self.until) // QUARTER)


@dataclass(frozen=True, slots=True)
class JobStarts:
    """A job with slots in a window, and the quarter of an hour of each."""

    job: StoredSchedule
    first: float
    quarters: list[int]


@dataclass(slots=True)
class Forecaster:
    """Answers what starts in the next hours; one question at a time, apart from previews."""

    _kept: OrderedDict[UUID, tuple[Identity, JobSlots]] = field(default_factory=OrderedDict)
    _computations: Computations = field(default_factory=Computations)

    async def foresee(self, jobs: Sequence[StoredSchedule], window: Window, reach: Reach) -> bytes:
        """Give the answer about the jobs in reach, as JSON; raises Problem 503 when others take too long."""

        def answer(budget: Budget) -> bytes:
            forecast = self.describe(jobs, window, budget)
            forecast.is_complete &= reach.is_complete
            return forecast.model_dump_json(by_alias=True).encode()

        return await self._computations.run(answer)

    def describe(self, jobs: Sequence[StoredSchedule], window: Window, budget: Budget) -> Forecast:
        """Describe what starts in a window; what the budget does not suffice for is unknown."""
        found = list(self._find_all(jobs[:MAX_JOBS], window, budget))
        plain = [(job, s) for job, s in found if isinstance(s, JobSlots) and not s.is_constant]
        constant = [_tell_constant(job, s) for job, s in found if isinstance(s, JobSlots) and s.is_constant]
        unknown = [_tell_unknown(job, why) for job, why in found if isinstance(why, WhyUnknown)]
        starting = sorted(_list_starts(plain, window), key=lambda starts: starts.first)
        counts = Counter(number for starts in starting for number in starts.quarters)
        shown = [_describe(starts) for starts in _choose(starting)]
        return Forecast(
            since=window.since,
            until=window.until,
            first_quarter=window.first_quarter,
            counts=[counts[number] for number in range(window.count)],
            jobs=shown,
            omitted_jobs=len(starting) - len(shown),
            constant_jobs=constant[:MAX_LISTED],
            omitted_constant_jobs=max(len(constant) - MAX_LISTED, 0),
            unknown_jobs=unknown[:MAX_LISTED],
            omitted_unknown_jobs=max(len(unknown) - MAX_LISTED, 0),
            is_complete=not unknown and len(jobs) <= MAX_JOBS,
        )

    def _find_all(
        self, jobs: Sequence[StoredSchedule], window: Window, budget: Budget
    ) -> Iterator[tuple[StoredSchedule, JobSlots | WhyUnknown]]:
        """Find the slots of each job: what is kept at once, the rest while there is time."""
        for job in jobs:
            slots: JobSlots | WhyUnknown | None = self._recall(job, window)
            if slots is None and not budget.is_spent:
                slots = self._find(job, window)
            yield job, slots if slots is not None else WhyUnknown.TIME_UP

    def _recall(self, job: StoredSchedule, window: Window) -> JobSlots | None:
        identity, slots = self._kept.get(job.id, (None, None))
        if slots is None or identity != _identify(job) or not slots.covers(window.since, window.until):
            return None
        self._kept.move_to_end(job.id)
        return slots

    def _find(self, job: StoredSchedule, window: Window) -> JobSlots | WhyUnknown:
        """Find and keep the slots of a job; whatever is wrong with a schedule is that job's trouble alone."""
        try:
            slots = find_slots(job, window.first_quarter)
        except Exception:  # noqa: BLE001 - a stored schedule may be anything
            return WhyUnknown.UNUSABLE
        self._kept[job.id] = (_identify(job), slots)
        self._kept.move_to_end(job.id)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return slots


def _identify(job: StoredSchedule) -> Identity:
    return job.etag, job.schedule, job.config, job.time_zone


def _list_starts(found: Iterable[tuple[StoredSchedule, JobSlots]], window: Window) -> Iterator[JobStarts]:
    """List the jobs that have slots in a window, after their pause if they have one."""
    until = window.until.timestamp()
    for job, slots in found:
        after = max(window.since, job.paused_until or window.since).timestamp()
        if instants := slots.list_between(after, until):
            yield JobStarts(job, instants[0], window.number(instants))


def _choose(starting: Sequence[JobStarts]) -> Iterator[JobStarts]:
    """Choose the jobs that are listed, from the first on."""
    room = MAX_QUARTERS
    for starts in starting[:MAX_LISTED]:
        room -= len(set(starts.quarters))
        if room < 0:
            return
        yield starts


def _describe(starts: JobStarts) -> JobForecast:
    job = starts.job
    return JobForecast(
        job_id=job.id,
        name=job.name,
        namespace=job.namespace,
        first_slot=datetime.fromtimestamp(starts.first, UTC),
        count=len(starts.quarters),
        quarters=[QuarterRead(quarter=q, count=count) for q, count in Counter(starts.quarters).items()],
    )


def _tell_constant(job: StoredSchedule, slots: JobSlots) -> ConstantJob:
    per_day = slots.slots_per_day
    return ConstantJob(job_id=job.id, name=job.name, namespace=job.namespace, slots_per_day=per_day)


def _tell_unknown(job: StoredSchedule, why: WhyUnknown) -> UnknownJob:
    return UnknownJob(job_id=job.id, name=job.name, namespace=job.namespace, reason=why)
