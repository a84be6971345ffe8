"""The newest slots and runs of a schedule with what became of them, as the status shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sundial_core.corrections import Span, find_contrary, take_out
from sundial_core.foreign_text import trim_message
from sundial_core.instants import format_instant, parse_instant
from sundial_core.model import JsonObject
from sundial_core.runs import Run, Trigger
from sundial_core.schedule import CompiledSchedule
from sundial_core.verdicts import Judgement, Verdict

KEPT = 20


class RecentSlots:
    """The entries of `recentSlots`, newest first; those of runs that are named are never pushed out."""

    def __init__(self, stored: Iterable[JsonObject]) -> None:
        self._entries = [dict(entry) for entry in stored]
        self._between: list[datetime] = []

    def part(self, slots: Iterable[datetime]) -> None:
        """Keep entries apart that have one of these slots between them: its entry is yet to come."""
        self._between = list(slots)

    def record_start(self, run: Run) -> bool:
        """Add a run that started; tell whether it was new."""
        if self._find(run.run_id) is not None:
            return False
        entry: JsonObject = {
            "slot": format_instant(run.slot) if run.slot else None,
            "verdict": Verdict.STARTED.value,
            "runId": run.run_id,
            "trigger": run.trigger.value,
            "startedAt": format_instant(run.started_at) if run.started_at else None,
        }
        self._entries.append({name: value for name, value in entry.items() if value is not None})
        return True

    def record_judgement(self, judgement: Judgement) -> None:
        """Add a verdict without a run; merge it with the entry before it if that says the same."""
        self._sort()
        entries = enumerate(self._entries)
        before = next((i for i, entry in entries if _entry_time(entry) < judgement.first), None)
        if before is not None and self._can_merge(self._entries[before], judgement):
            self._entries[before] = _merge(self._entries[before], judgement)
        else:
            self._entries.append(_build_entry(judgement))

    def retract(self, run: Run, schedule: CompiledSchedule | None) -> JsonObject | None:
        """Take the slot of a run out of the entry that says that it was not started; give that entry."""
        entry = find_contrary(self._entries, run.slot) if run.slot else None
        if entry is None or run.slot is None:
            return None
        self._entries.remove(entry)
        said = {name: entry[name] for name in ("verdict", "reason", "message") if name in entry}
        spans = take_out(run.slot, _read_span(entry), schedule)
        self._entries += [_build_span(*span) | said for span in spans]
        return entry

    def record_result(self, run: Run) -> bool:
        """Add a run's result; a recorded result never changes. Tell whether it was new."""
        entry = self._find(run.run_id)
        if entry is None or "result" in entry:
            return False
        entry["result"] = run.phase.value
        if run.completed_at is not None:
            entry["completedAt"] = format_instant(run.completed_at)
        if run.reason:
            entry["reason"] = run.reason
        if run.message:
            entry["message"] = trim_message(run.message)
        return True

    def find_missed(self) -> JsonObject | None:
        """Find the newest slot that was started or missed, if it was missed."""
        self._sort()
        for entry in filter(_is_slot, self._entries):
            if entry["verdict"] == Verdict.STARTED:
                return None
            if entry["verdict"] == Verdict.MISSED:
                return entry
        return None

    def build(self, named: set[str]) -> list[JsonObject]:
        """Build the list: the newest entries, and those of the runs that are named."""
        self._sort()
        kept = self._entries[:KEPT]
        return kept + [entry for entry in self._entries[KEPT:] if entry.get("runId") in named]

    def _can_merge(self, entry: JsonObject, judgement: Judgement) -> bool:
        last = _entry_time(entry)
        return (
            "runId" not in entry
            and entry["verdict"] == judgement.verdict
            and entry.get("reason") == judgement.reason
            and not any(last < slot < judgement.first for slot in self._between)
        )

    def _find(self, run_id: str) -> JsonObject | None:
        return next((entry for entry in self._entries if entry.get("runId") == run_id), None)

    def _sort(self) -> None:
        self._entries.sort(key=_entry_time, reverse=True)


def _is_slot(entry: JsonObject) -> bool:
    return Trigger(entry.get("trigger", Trigger.SCHEDULE)) is Trigger.SCHEDULE


def _entry_time(entry: JsonObject) -> datetime:
    """Order slots by themselves, and runs that were asked for by when they started."""
    if not _is_slot(entry):
        return parse_instant(entry["startedAt"])
    return parse_instant(entry.get("slot") or entry["to"])


def _merge(entry: JsonObject, judgement: Judgement) -> JsonObject:
    merged = {
        "from": entry.get("slot") or entry["from"],
        "to": format_instant(judgement.last),
        "count": entry.get("count", 1) + judgement.count,
        "verdict": entry["verdict"],
        "reason": entry["reason"],
    }
    return merged | ({"message": judgement.message} if judgement.message else {})


def _read_span(entry: JsonObject) -> Span:
    first, last = entry.get("slot") or entry["from"], entry.get("slot") or entry["to"]
    return parse_instant(first), parse_instant(last), entry.get("count", 1)


def _build_span(first: datetime, last: datetime, count: int) -> JsonObject:
    if first == last:
        return {"slot": format_instant(first)}
    return {"from": format_instant(first), "to": format_instant(last), "count": count}


def _build_entry(judgement: Judgement) -> JsonObject:
    span = _build_span(judgement.first, judgement.last, judgement.count)
    said = {"verdict": judgement.verdict.value, "reason": judgement.reason.value}
    message = {"message": trim_message(judgement.message)} if judgement.message else {}
    return span | said | message
