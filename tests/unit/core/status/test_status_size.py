"""The largest status that there can be: etcd takes 1.5 MiB for an object, and its spec needs room too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from testkit.scheduled_jobs import (
    SECOND,
    UID,
    at,
    build_item,
    build_observed,
    build_plan,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import decide
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.jobs import ObservedJob
from sundial_core.status.omitted import MAX_LISTED, MAX_RANGES, MAX_RESULTS
from sundial_core.status.recent_slots import KEPT
from sundial_core.status.verdicts import VerdictRecord

MEBIBYTE = 1024 * 1024
WORDS = "<" * 5000
"""The API server writes each of these as six bytes."""

SLOTS = 2_000
HOUR = 3_600


def write(value: object) -> str:
    """Write JSON as the API server does."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def observe(slot: float | None, condition: str, number: int) -> ObservedJob:
    """Give a Job with all that is long in a status."""
    how: dict[str, Any] = {"trigger": "backfill"} if slot is None else {}
    run_id = names.build_run_id(UID, at(slot if slot is not None else number + 0.5))
    created = SLOTS + HOUR + number / 1000
    job = build_observed(slot, condition, reason=WORDS, run_id=run_id, created=created, **how)
    name = f"{'n' * 52}-{number:010}"
    return replace(job, name=name, uid=name, message=WORDS, slot=at(number + 0.000001))


def build_largest() -> dict[str, Any]:
    """Build a status with as much of everything as there is room for."""
    spec = build_spec(schedule={"interval": {"seconds": 1}}, concurrency={"policy": "Allow"})
    spec["schedule"]["anchor"] = format_instant(at(0.000001))
    marks = {"paused": "true", "paused_by": WORDS, "paused_reason": WORDS}
    job = parse_scheduled_job(build_item(spec, **marks))
    slots = [observe(n, "FailureTarget" if n % 2 else "Failed", n) for n in range(1, SLOTS)]
    asked = [observe(None, "Failed", SLOTS + n) for n in range(2 * MAX_RESULTS)]
    rejected = VerdictRecord(at(SLOTS), at(SLOTS), 1, Verdict.SKIPPED, Reason.REJECTED, WORDS)
    memory = Remembered(decided_until=at(SLOTS), verdicts=(rejected,))
    snapshot = Snapshot(job, build_plan(job), (*slots, *asked), memory)
    status = decide(snapshot, at(SLOTS + HOUR + 60), Limits(SECOND)).status
    assert status is not None
    return status


def test_the_largest_status_leaves_room_for_the_spec() -> None:
    status = build_largest()
    assert (len(status["active"]), len(status["activeOmitted"]["ranges"])) == (MAX_LISTED, MAX_RANGES)
    assert len(status["recentSlots"]) <= KEPT + MAX_LISTED + MAX_RESULTS
    assert len(write(status)) < MEBIBYTE
