"""The newest slots and runs of a schedule with what became of them, as the status shows them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.messages import trim_message
from sundial_core.resources.phases import Trigger, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import EXPECTED_SKIPS
from sundial_core.runs.run import Run
from sundial_core.status.corrections import is_row, split_row
from sundial_core.status.verdicts import VerdictRecord

KEPT = 20
MAX_OLD_MESSAGE_CHARS = 100
"""How much of a message the entries keep that are beyond the newest."""

MAX_REASON_CHARS = 64
"""A reason is one word; that of a container is what its runtime says."""


@dataclass(slots=True)
class StartedItem:
    """The entry of a run in `recentSlots`; what is new is written when it is shown."""

    time: datetime
    run_id: str
    is_slot: bool
    stored: JsonObject | None = None
    """The entry as it is stored."""
    run: Run | None = None
    """The run, where its entry is new."""
    result: Run | None = None

    @property
    def has_result(self) -> bool:
        """Tell whether the entry has a result."""
        return self.result is not None or (self.stored is not None and "result" in self.stored)

    @property
    def entry(self) -> JsonObject:
        """The entry as the status shows it."""
        entry = self.stored
        if entry is None:
            assert self.run is not None
            entry = _build_start(self.run)
        return entry if self.result is None else entry | _build_result(self.result)


@dataclass(slots=True)
class VerdictItem:
    """The entry of slots without a run, the last of which is at `time`."""

    time: datetime
    first: datetime
    count: int
    verdict: str
    reason: str
    message: str
    run_id: str = ""
    is_row: bool | None = None
    """Whether it holds all slots of the schedule from its first to its last; None until that was counted."""

    @property
    def entry(self) -> JsonObject:
        """The entry as the status shows it."""
        span = _build_span(self.first, self.time, self.count)
        message = {"message": trim_message(self.message)} if self.message else {}
        return span | {"verdict": self.verdict, "reason": self.reason} | message


Item = StartedItem | VerdictItem


class RecentSlots:
    """The entries of `recentSlots`, newest first; those of runs that are named are never pushed out.

    Instants are read once, runs are found by their ids, and entries are written when they are shown: the work
    grows with the number of entries, and no faster.
    """

    def __init__(self, stored: Iterable[JsonObject]) -> None:
        self._items: list[Item] = [_parse_item(entry) for entry in stored]
        self._of_run = {item.run_id: item for item in self._items if isinstance(item, StartedItem)}
        self._between: list[datetime] = []

    def part(self, slots: Iterable[datetime]) -> None:
        """Do not merge entries that have one of these slots between them: its entry is still to come."""
        self._between = sorted(slots)

    def record_start(self, run: Run) -> bool:
        """Add a run that started; tell whether it was new."""
        is_slot = run.trigger is Trigger.SCHEDULE
        time = run.slot if is_slot else run.started_at
        if time is None or run.run_id in self._of_run:
            return False
        self._of_run[run.run_id] = item = StartedItem(time, run.run_id, is_slot, run=run)
        self._items.append(item)
        return True

    def record_verdicts(self, verdicts: Iterable[VerdictRecord]) -> None:
        """Add verdicts without a run, each merged with the entry before it if that says the same."""
        older = sorted(self._items, key=_time, reverse=True)
        before: Item | None = None
        for record in sorted(verdicts, key=_first):
            while older and older[-1].time < record.first:
                before = _get_later(before, older.pop())
            if isinstance(before, VerdictItem) and self._can_merge(before, record):
                before.time, before.count = record.last, before.count + record.count
                before.message = record.message or before.message
            else:
                self._items.append(_build_item(record))
                before = _get_later(before, self._items[-1])

    def retract(self, run: Run, schedule: CompiledSchedule | None) -> JsonObject | None:
        """Take the slot of a run out of the entry that says that it was not started; give that entry.

        Whoever takes out several takes the oldest first: then the slots of an entry are counted twice.
        """
        item = self._find_contrary(run.slot) if run.slot else None
        if item is None or run.slot is None:
            return None
        self._items = [other for other in self._items if other is not item]
        span = (item.first, item.time, item.count)
        if item.is_row is None:
            item.is_row = schedule is not None and is_row(span, schedule)
        if schedule is not None and item.is_row:
            spans = split_row(run.slot, span, schedule)
        else:
            spans = [(item.first, item.time, item.count - 1)] if item.count > 1 else []
        self._items += [replace(item, first=first, time=last, count=count) for first, last, count in spans]
        return item.entry

    def _find_contrary(self, slot: datetime) -> VerdictItem | None:
        """Find the entry that says of a slot, alone or among others, that it was not started."""
        verdicts = (item for item in self._items if isinstance(item, VerdictItem))
        return next((item for item in verdicts if item.first <= slot <= item.time), None)

    def record_result(self, run: Run) -> bool:
        """Add a run's result; a recorded result never changes. Tell whether it was new."""
        item = self._of_run.get(run.run_id)
        if item is None or item.has_result:
            return False
        item.result = run
        return True

    def find_missed(self) -> JsonObject | None:
        """Find the newest slot that should have run, if it did not: missed, or skipped for an odd reason."""
        self._sort()
        for item in self._items:
            if isinstance(item, StartedItem) and item.is_slot:
                return None
            if isinstance(item, VerdictItem) and item.reason not in EXPECTED_SKIPS:
                return item.entry
        return None

    def list_ahead(self, cursor: datetime) -> set[str]:
        """Find the runs of slots that the cursor has yet to pass."""
        return {item.run_id for item in self._of_run.values() if item.is_slot and item.time > cursor}

    def select_newest(self, run_ids: Collection[str], most: int) -> set[str]:
        """Find the newest of these runs that have an entry."""
        items = [self._of_run[run_id] for run_id in run_ids if run_id in self._of_run]
        return {item.run_id for item in sorted(items, key=_time, reverse=True)[: max(0, most)]}

    def build(self, named: set[str]) -> list[JsonObject]:
        """Build the list: the newest entries, and those of the runs that are named."""
        self._sort()
        older = [_shorten(item.entry) for item in self._items[KEPT:] if item.run_id in named]
        return [item.entry for item in self._items[:KEPT]] + older

    def _can_merge(self, item: VerdictItem, record: VerdictRecord) -> bool:
        return (
            item.time < record.first
            and item.verdict == record.verdict
            and item.reason == record.reason
            and not self._is_parted(item.time, record.first)
        )

    def _is_parted(self, before: datetime, after: datetime) -> bool:
        """Tell whether a slot whose entry is still to come lies between two others."""
        place = bisect_right(self._between, before)
        return place < len(self._between) and self._between[place] < after

    def _sort(self) -> None:
        self._items.sort(key=_time, reverse=True)


def _time(item: Item) -> datetime:
    return item.time


def _first(record: VerdictRecord) -> datetime:
    return record.first


def _get_later(item: Item | None, other: Item) -> Item:
    return other if item is None or other.time >= item.time else item


def _parse_item(entry: JsonObject) -> Item:
    """Read an entry: slots are ordered by themselves, runs that were asked for by when they started."""
    if "runId" in entry:
        is_slot = Trigger(entry.get("trigger", Trigger.SCHEDULE)) is Trigger.SCHEDULE
        time = parse_instant(entry["slot"] if is_slot else entry["startedAt"])
        return StartedItem(time, entry["runId"], is_slot, entry)
    first, last = entry.get("slot") or entry["from"], entry.get("slot") or entry["to"]
    said = (entry["verdict"], entry.get("reason", ""), entry.get("message", ""))
    return VerdictItem(parse_instant(last), parse_instant(first), entry.get("count", 1), *said)


def _build_item(record: VerdictRecord) -> VerdictItem:
    said = (record.verdict.value, record.reason.value, record.message)
    return VerdictItem(record.last, record.first, record.count, *said)


def _shorten(entry: JsonObject) -> JsonObject:
    """Shorten the message of an entry that is not one of the newest."""
    message = entry.get("message", "")
    is_short = len(message) <= MAX_OLD_MESSAGE_CHARS
    return entry if is_short else entry | {"message": message[:MAX_OLD_MESSAGE_CHARS]}


def _build_span(first: datetime, last: datetime, count: int) -> JsonObject:
    if first == last:
        return {"slot": format_instant(first)}
    return {"from": format_instant(first), "to": format_instant(last), "count": count}


def _build_start(run: Run) -> JsonObject:
    entry: JsonObject = {
        "slot": format_instant(run.slot) if run.slot else None,
        "verdict": Verdict.STARTED.value,
        "runId": run.run_id,
        "trigger": run.trigger.value,
        "startedAt": format_instant(run.started_at) if run.started_at else None,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _build_result(run: Run) -> JsonObject:
    result = {
        "result": run.phase.value,
        "completedAt": format_instant(run.completed_at) if run.completed_at else None,
        "reason": run.reason[:MAX_REASON_CHARS],
        "message": trim_message(run.message) if run.message else None,
    }
    return {name: value for name, value in result.items() if value}
