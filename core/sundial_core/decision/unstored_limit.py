"""How much of a schedule no status holds, and when that is so much that nothing more of it starts.

The rules: docs/semantics.md, "A status that cannot be stored". Without a stored status a crash forgets
verdicts, Jobs may not be deleted, and what has to be remembered grows; so slots are Missed instead, reason
StatusNotStored, until a patch succeeds. Those verdicts are given anew with each decision: only a status that
is stored makes them final.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sundial_core.decision.catch_up import Due, missed_verdicts
from sundial_core.decision.remembered import Backlog
from sundial_core.resources.messages import trim_message
from sundial_core.resources.reasons import Reason
from sundial_core.status.stored import StoredStatus
from sundial_core.status.verdicts import VerdictRecord

if TYPE_CHECKING:
    from sundial_core.decision.remembered import Remembered

MAX_STARTS = 100
"""So many slots of a schedule may start without a status that holds them, while its patches fail."""

MAX_UNSTORED_TIME = timedelta(minutes=5)
"""How long verdicts may wait for a patch that succeeds, while its patches fail."""

MAX_VERDICTS = 1000
"""How many verdicts are remembered at most, whatever keeps them from being stored."""


def is_limit_reached(memory: Remembered, now: datetime) -> bool:
    """Tell whether nothing more may start."""
    if len(memory.verdicts) >= MAX_VERDICTS:
        return True
    since = memory.backlog.since
    has_waited = since is not None and now - since >= MAX_UNSTORED_TIME
    return bool(memory.refusal) and (has_waited or len(memory.backlog.starts) >= MAX_STARTS)


def track_unstored(
    memory: Remembered, stored: StoredStatus, starts: Iterable[datetime], now: datetime
) -> Backlog:
    """Follow the backlog from one decision to the next; `starts` are the slots that this one starts."""
    known = {*memory.backlog.starts, *starts}
    unstored = sorted(slot for slot in known if not _is_stored(slot, stored))[:MAX_STARTS]
    if not unstored and not memory.verdicts and not memory.withheld:
        return Backlog()
    since = memory.backlog.since if memory.refusal else None
    return Backlog(frozenset(unstored), since or now)


def miss_all_due(due: Due, memory: Remembered) -> tuple[VerdictRecord, ...]:
    """Decide about what is due while nothing may start."""
    message = trim_message(f"the status could not be stored: {memory.refusal}" if memory.refusal else "")
    return missed_verdicts(due, Reason.STATUS_NOT_STORED, message)


def _is_stored(slot: datetime, stored: StoredStatus) -> bool:
    return stored.cursor is not None and slot <= stored.cursor and not stored.is_queued(slot)
