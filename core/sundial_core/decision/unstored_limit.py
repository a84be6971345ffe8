"""How much of a schedule is not stored in its status yet, and the limit beyond which nothing more starts.

The rules: docs/semantics.md, "A status that cannot be stored". If the status cannot be stored, a crash
loses verdicts, finished Jobs must stay, and memory grows. So from the limit on, due slots are Missed, reason
StatusNotStored, until a patch succeeds. Each decision computes these verdicts again: they are final only
after a status is stored.
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
"""While status patches fail, at most this many slots may start unstored."""

MAX_UNSTORED_TIME = timedelta(minutes=5)
"""While status patches fail, verdicts may stay unstored for this long; then starts stop."""

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
    """Compute the new backlog; `starts` are the slots that the current decision starts."""
    known = {*memory.backlog.starts, *starts}
    unstored = sorted(slot for slot in known if not _is_stored(slot, stored))[:MAX_STARTS]
    if not unstored and not memory.verdicts and not memory.withheld:
        return Backlog()
    since = memory.backlog.since if memory.refusal else None
    return Backlog(frozenset(unstored), since or now)


def miss_all_due(due: Due, memory: Remembered) -> tuple[VerdictRecord, ...]:
    """Give every due slot the verdict Missed, because nothing may start."""
    message = trim_message(f"the status could not be stored: {memory.refusal}" if memory.refusal else "")
    return missed_verdicts(due, Reason.STATUS_NOT_STORED, message)


def _is_stored(slot: datetime, stored: StoredStatus) -> bool:
    return stored.cursor is not None and slot <= stored.cursor and not stored.is_queued(slot)
