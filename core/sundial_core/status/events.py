"""Kubernetes Events of what a status newly tells."""

from __future__ import annotations

from datetime import datetime

from sundial_clock.instants import format_micro_time
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.raw import JsonObject
from sundial_core.status.transitions import Transition


def build_event_name(name: str, now: datetime) -> str:
    """Name an Event: the object's name and the time in hexadecimal microseconds."""
    return f"{name}.{int(now.timestamp() * 1_000_000):x}"


def build_event(job: ScheduledJob, transition: Transition, name: str, now: datetime) -> JsonObject:
    """Build the Event (events.k8s.io/v1) of a transition."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": job.ns},
        "eventTime": format_micro_time(now),
        "reportingController": "sundial.dev/operator",
        "reportingInstance": "sundial-operator",
        "action": "Decide",
        "reason": transition.reason,
        "note": transition.note,
        "type": transition.notice.value,
        "regarding": {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJob",
            "namespace": job.ns,
            "name": job.name,
            "uid": job.uid,
        },
    }


def build_event_series(count: int, now: datetime) -> JsonObject:
    """Build the patch that says that the same has happened again."""
    return {"series": {"count": count, "lastObservedTime": format_micro_time(now)}}
