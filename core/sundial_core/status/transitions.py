"""What a newly stored status tells that the one before did not: what logs and Events are made of.

A run that starts is told when its Job is created, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sundial_clock.instants import parse_instant
from sundial_core.resources.phases import Phase, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import EXPECTED_SKIPS, ConditionType, Reason

MAX_NOTE_CHARS = 300


class Notice(StrEnum):
    """Whether a transition becomes an Event, and of which type."""

    NONE = ""
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a status that people are told of."""

    event: str
    """What the log calls it."""
    reason: str
    """What an Event calls it."""
    note: str
    notice: Notice
    series: str = ""
    """Repetitions of one reason are counted in one Event while this is the same."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """The log's fields."""

    @property
    def series_key(self) -> str:
        """What is the same in all that one Event counts."""
        return f"{self.reason} {self.series}"


def list_transitions(old: JsonObject, new: JsonObject) -> list[Transition]:
    """Find what has changed from one stored status to the next, oldest first within each kind."""
    return [*_list_verdicts(old, new), *_list_results(old, new), *_list_conditions(old, new)]


def describe_unstored(refusal: str) -> Transition:
    """Describe that a status is refused, while starts still go on."""
    return Transition(
        event="status not stored",
        reason=Reason.STATUS_NOT_STORED,
        note=f"the status cannot be stored, and is tried again: {refusal}"[:MAX_NOTE_CHARS],
        notice=Notice.WARNING,
        fields={"reason": Reason.STATUS_NOT_STORED.value, "message": refusal},
    )


def describe_stop(refusal: str) -> Transition:
    """Describe that nothing more of a schedule starts, because too little of it could be stored."""
    words = f"nothing starts until the status can be stored: {refusal}"
    return Transition(
        event="starts stopped",
        reason=Reason.STATUS_NOT_STORED,
        note=words[:MAX_NOTE_CHARS],
        notice=Notice.WARNING,
        fields={"reason": Reason.STATUS_NOT_STORED.value, "message": refusal},
    )


def _list_verdicts(old: JsonObject, new: JsonObject) -> Iterator[Transition]:
    """Tell of slots that were skipped or missed, by reason: the counters say how many."""
    before, after = _count_verdicts(old), _count_verdicts(new)
    for (verdict, reason), count in after.items():
        more = count - before.get((verdict, reason), 0)
        if more > 0:
            yield _describe_verdict(new, verdict, reason, more)


def _describe_verdict(status: JsonObject, verdict: Verdict, reason: str, count: int) -> Transition:
    said_the_same = (
        entry
        for entry in status.get("recentSlots", ())
        if (entry["verdict"], entry.get("reason")) == (verdict, reason)
    )
    entry: JsonObject = next(said_the_same, {})
    slot = entry.get("slot") or entry.get("to", "")
    slots = "slot" if count == 1 else f"{count} slots, the newest"
    said = f": {entry['message']}" if entry.get("message") else ""
    is_expected = verdict is Verdict.SKIPPED and reason in EXPECTED_SKIPS
    fields = {"slot": slot, "reason": reason, "count": count}
    return Transition(
        event=f"slot {verdict.lower()}",
        reason=f"Slot{verdict}",
        note=f"{slots} {slot}, {verdict.lower()} as {reason}{said}"[:MAX_NOTE_CHARS],
        notice=Notice.NORMAL if is_expected else Notice.WARNING,
        series=reason,
        fields=fields,
    )


def _list_results(old: JsonObject, new: JsonObject) -> Iterator[Transition]:
    known = {entry["runId"] for entry in old.get("recentSlots", ()) if "result" in entry}
    jobs = {entry["runId"]: entry.get("job", "") for entry in old.get("active", ())}
    for entry in reversed(new.get("recentSlots", ())):
        if "result" in entry and entry["runId"] not in known:
            yield _describe_result(entry, jobs.get(entry["runId"], ""))


def _describe_result(entry: JsonObject, job: str) -> Transition:
    """Tell how a run ended; only what failed for good or ran too long is worth an Event."""
    result, reason = entry["result"], entry.get("reason", "")
    is_failure = result in (Phase.FAILED, Phase.TIMED_OUT)
    said = ": ".join(word for word in (reason, entry.get("message", "")) if word)
    fields = {
        "slot": entry.get("slot", ""),
        "run": entry["runId"],
        "job": job,
        "result": result,
        "reason": reason,
        "duration_seconds": _find_seconds(entry),
    }
    return Transition(
        event="run ended",
        reason=f"Run{result}",
        note=f"run of {entry.get('slot') or entry['runId']} ended as {result}: {said}"[:MAX_NOTE_CHARS],
        notice=Notice.WARNING if is_failure else Notice.NONE,
        fields={name: value for name, value in fields.items() if value not in ("", None)},
    )


def _find_seconds(entry: JsonObject) -> float | None:
    if "startedAt" not in entry or "completedAt" not in entry:
        return None
    return (parse_instant(entry["completedAt"]) - parse_instant(entry["startedAt"])).total_seconds()


WORDS = {
    (ConditionType.READY, True): "Ready",
    (ConditionType.READY, False): "NotReady",
    (ConditionType.SUSPENDED, True): "Suspended",
    (ConditionType.SUSPENDED, False): "Resumed",
    (ConditionType.JOBS_RECOGNIZED, False): "JobsNotRecognized",
}


LOGGED = {
    ConditionType.READY: "ready changed",
    ConditionType.SUSPENDED: "suspended changed",
    ConditionType.JOBS_RECOGNIZED: "jobs recognized changed",
}


def _list_conditions(old: JsonObject, new: JsonObject) -> Iterator[Transition]:
    """Tell of Ready and Suspended, and of Jobs that are not what they say."""
    for kind in (ConditionType.READY, ConditionType.SUSPENDED, ConditionType.JOBS_RECOGNIZED):
        before, after = _get_condition(old, kind), _get_condition(new, kind)
        if after and _is_change(before, after):
            yield _describe_condition(kind, before, after)


def _is_change(before: JsonObject, after: JsonObject) -> bool:
    """Tell whether a condition says something else; that a new schedule is not suspended is no change.

    Of Jobs that are not what they say the message names each.
    """
    if not before and (after["type"], after["status"]) == (ConditionType.SUSPENDED, "False"):
        return False
    if after["type"] == ConditionType.JOBS_RECOGNIZED and before.get("message") != after["message"]:
        return True
    return (before.get("status"), before.get("reason")) != (after["status"], after["reason"])


def _describe_condition(kind: ConditionType, before: JsonObject, after: JsonObject) -> Transition:
    """Describe a condition; that a new schedule is accepted, or has completed, is no news for people."""
    holds = after["status"] == "True"
    is_usual = holds is (kind is not ConditionType.SUSPENDED)
    is_news = not is_usual or (before and before["status"] != after["status"])
    is_trouble = not is_usual and kind is not ConditionType.SUSPENDED
    notice = Notice.WARNING if is_trouble else Notice.NORMAL
    return Transition(
        event=LOGGED[kind],
        reason=WORDS[kind, holds],
        note=f"{after['reason']}: {after['message']}"[:MAX_NOTE_CHARS],
        notice=notice if is_news else Notice.NONE,
        series=after["message"],
        fields={kind.lower(): holds, "reason": after["reason"], "message": after["message"][:MAX_NOTE_CHARS]},
    )


def _get_condition(status: JsonObject, kind: ConditionType) -> JsonObject:
    return next((condition for condition in status.get("conditions", ()) if condition["type"] == kind), {})


def _count_verdicts(status: JsonObject) -> dict[tuple[Verdict, str], int]:
    verdicts = (status.get("counters") or {}).get("verdicts") or {}
    return {
        (verdict, reason): int(count)
        for verdict in (Verdict.SKIPPED, Verdict.MISSED)
        for reason, count in (verdicts.get(verdict.lower()) or {}).items()
    }
