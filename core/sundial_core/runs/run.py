"""A run, as its newest attempt shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sundial_core.resources.phases import Phase, Trigger


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its newest attempt shows it."""

    run_id: str
    slot: datetime | None
    trigger: Trigger
    attempt: int
    job_name: str
    phase: Phase
    reason: str
    message: str
    started_at: datetime | None
    completed_at: datetime | None
    counts_as_active: bool
    """It counts as active for the concurrency rule."""
    retry_at: datetime | None = None
    start_by: datetime | None = None
    """Until when a container has to have started, while none has."""
    overdue_at: datetime | None = None
    """Until when the attempt has to have a result, while it has none."""


class KnownRuns(dict[str, Run]):
    """The runs that are known, by their ids; not changed once anything was asked of them."""

    @cached_property
    def started_slots(self) -> frozenset[datetime]:
        """The slots that have a run of their own."""
        return frozenset(
            run.slot for run in self.values() if run.slot is not None and run.trigger is Trigger.SCHEDULE
        )

    @cached_property
    def holding(self) -> tuple[Run, ...]:
        """The runs that hold a place."""
        return tuple(run for run in self.values() if run.counts_as_active)
