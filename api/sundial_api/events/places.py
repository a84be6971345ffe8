"""Where in the log is a listener, and can it go on from there? Ids of events, and what they are worth now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_BEHIND = 10_000
"""How many changes are sent again, to one who was away or to all: reading the lists is cheaper than more."""
PLACE = re.compile(r"([0-9a-f]{32})-([0-9]{1,18})", re.ASCII)
"""An id; each such number fits the columns."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A place in a log: behind the change of that number. Its text is the id of an event."""

    log_id: str
    number: int

    def __str__(self) -> str:
        return f"{self.log_id}-{self.number}"


@dataclass(frozen=True, slots=True)
class LogState:
    """How a log stands: `newest` is committed with all before it, `issued` may still be under way.

    Jobs whose change was at or before `forgotten` may have been deleted for good.
    """

    log_id: str
    newest: int
    issued: int
    forgotten: int

    @property
    def end(self) -> LogPlace:
        """Where a listener begins that has seen nothing."""
        return LogPlace(self.log_id, self.newest)


class ResetReason(StrEnum):
    """Why a listener cannot go on from where it was."""

    UNKNOWN_ID = "UnknownId"
    OTHER_DATABASE = "OtherDatabase"
    TOO_FAR_BEHIND = "TooFarBehind"


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a listener begins; `reason` when that is not where it was."""

    place: LogPlace
    reason: ResetReason | None = None


def parse_place(event_id: str) -> LogPlace | None:
    """Read an id; None for what is not one of ours, plain numbers of earlier releases included."""
    found = PLACE.fullmatch(event_id)
    return LogPlace(found[1], int(found[2])) if found else None


def find_beginning(event_id: str | None, state: LogState) -> Beginning:
    """Find where a caller begins that has seen an event, or (None, or empty) nothing yet."""
    if not event_id:
        return Beginning(state.end)
    place = parse_place(event_id)
    reason = ResetReason.UNKNOWN_ID if place is None else judge_place(place, state)
    if place is None or reason is not None:
        return Beginning(state.end, reason)
    return Beginning(place)


def is_beyond(place: LogPlace, state: LogState) -> bool:
    """Tell whether a place is of a future that the log does not know: its numbers went back."""
    return place.log_id == state.log_id and place.number > state.issued


def judge_place(place: LogPlace, state: LogState) -> ResetReason | None:
    """Tell why the log cannot be followed from a place of its own or another one, None when it can."""
    if place.log_id != state.log_id:
        return ResetReason.OTHER_DATABASE
    if is_beyond(place, state):
        return ResetReason.UNKNOWN_ID
    if place.number < max(state.forgotten, state.newest - MAX_BEHIND):
        return ResetReason.TOO_FAR_BEHIND
    return None
