"""What would a schedule do? Read as an edit would read it, with the anchor of its job; found in a budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sundial_api.computations import Budget
from sundial_api.http.errors import Invalids
from sundial_api.http.invalid_values import MISSING, InvalidValue
from sundial_api.jobs import edits, manifests
from sundial_api.previews.schemas import PreviewRequest, PreviewResponse, PreviewSlot
from sundial_clock.cron import has_hash
from sundial_clock.instants import parse_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_clock.sentences import Language, Sentence, say
from sundial_clock.zones import load_zone
from sundial_core.resources.raw import JsonObject

SHORT = timedelta(seconds=60)
UNNAMED = "default/preview"
"""What `H` hashes in a schedule of no job."""


@dataclass(frozen=True, slots=True)
class PreviewSubject:
    """A schedule to be looked at; an interval without an anchor counts from `anchor`."""

    schedule: JsonObject
    name: str
    anchor: datetime


def read_subject(
    body: PreviewRequest, job: JsonObject | None, default_zone: str, now: datetime
) -> PreviewSubject:
    """Read which schedule is meant: the given one, that of a job, or what an edit would make of it.

    Raises Invalid.
    """
    if job is None:
        schedule = _read_given(body) | {"timeZone": body.time_zone or default_zone}
        return PreviewSubject(schedule, UNNAMED, now)
    metadata, spec = job["metadata"], job["spec"]
    if body.schedule_config is not None or body.job_type_id is not None:
        spec = manifests.write_schedule(spec, _read_given(body))
    zone = body.time_zone or spec["schedule"].get("timeZone") or "UTC"
    return PreviewSubject(
        spec["schedule"] | {"timeZone": zone},
        f"{metadata['namespace']}/{metadata['name']}",
        parse_instant(metadata["creationTimestamp"]),
    )


def _read_given(body: PreviewRequest) -> JsonObject:
    given = {"jobTypeId": body.job_type_id, "scheduleConfig": body.schedule_config}
    missing = [name for name, value in given.items() if value is None]
    if body.job_type_id is None or body.schedule_config is None:
        raise Invalids([InvalidValue(("body", name), MISSING, "missing") for name in missing])
    return edits.read_schedule(body.job_type_id, body.schedule_config)


def preview(
    subject: PreviewSubject, count: int, now: datetime, language: Language, budget: Budget
) -> PreviewResponse:
    """List the next slots after `now`, as many as the budget lets be found; raises Invalid."""
    compiled = edits.check_timing({"schedule": subject.schedule}, subject.name, subject.anchor, language)
    slots, is_complete = _find_slots(compiled, count, now, budget)
    zone = load_zone(subject.schedule["timeZone"])
    return PreviewResponse(
        text=compiled.text,
        time_zone=zone.key,
        slots=[PreviewSlot(at=slot, local=slot.astimezone(zone).isoformat()) for slot in slots],
        is_complete=is_complete,
        warnings=[*_warn_of_hash(subject), *_list_warnings(slots, subject.schedule, is_complete)],
    )


def _warn_of_hash(subject: PreviewSubject) -> Iterator[Sentence]:
    """Warn of times that a job will not have: what `H` stands for is made of a name, and there is none."""
    if subject.name == UNNAMED and has_hash(subject.schedule.get("cron", "* * * * *")):
        yield say(
            "H stands for a time that is made of the job's name: text and slots here are an example, and the"
            " job will have others; preview it by its jobId when it is made"
        )


def _find_slots(
    compiled: CompiledSchedule, count: int, now: datetime, budget: Budget
) -> tuple[list[datetime], bool]:
    """Find slots one by one, and tell whether these are all; each is a search through at most ten years."""
    slots: list[datetime] = []
    while len(slots) < count:
        if budget.is_spent:
            return slots, False
        slot = compiled.next_slot(slots[-1] if slots else now)
        if slot is None:
            break
        slots.append(slot)
    return slots, True


def _list_warnings(slots: list[datetime], schedule: JsonObject, is_complete: bool) -> Iterator[Sentence]:  # noqa: FBT001
    if not is_complete:
        yield say("the search took too long and was ended: later slots are missing here")
    elif not slots:
        yield say("no slot in the next ten years: the job would never run")
    if any(after - before < SHORT for before, after in pairwise(slots)):
        yield say("slots are less than a minute apart; each run starts a Pod")
    if "interval" not in schedule and len(_list_offsets(slots, schedule["timeZone"])) > 1:
        yield say("a clock change lies between these slots")


def _list_offsets(slots: list[datetime], zone: str) -> set[timedelta | None]:
    return {slot.astimezone(load_zone(zone)).utcoffset() for slot in slots}
