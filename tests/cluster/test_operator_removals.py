"""A pause or an end that is removed while no operator runs: what it held back does not start afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}
AWAY = timedelta(seconds=5)
REMOVE_PAUSE = {"op": "remove", "path": "/metadata/annotations/sundial.dev~1paused"}
REMOVE_END = {"op": "remove", "path": "/spec/schedule/endsAt"}
REMOVALS: dict[str, tuple[str, ...]] = {
    "paused-annotate": ("annotate", "sj/paused-annotate", "sundial.dev/paused-"),
    "paused-json": ("patch", "sj/paused-json", "--type=json", "-p", json.dumps([REMOVE_PAUSE])),
    "paused-merge": (
        *("patch", "sj/paused-merge", "--type=merge"),
        *("-p", json.dumps({"metadata": {"annotations": {"sundial.dev/paused": None}}})),
    ),
    "ended-json": ("patch", "sj/ended-json", "--type=json", "-p", json.dumps([REMOVE_END])),
    "ended-merge": (
        *("patch", "sj/ended-merge", "--type=merge"),
        *("-p", json.dumps({"spec": {"schedule": {"endsAt": None}}})),
    ),
}
LABEL = ("label", "sj", "--all", "team=other")
NOTE = ("annotate", "sj", "--all", "example.com/note=unrelated")


def _apply(sundial: Sundial, name: str, schedule: JsonObject) -> None:
    rule = {"concurrency": {"policy": "Allow"}, "history": {"successful": 100, "failed": 100}}
    late = {"catchUp": {"graceSeconds": 600}}  # what counts starts, however long this takes
    sundial.apply(build_scheduled_job(name, schedule, **rule, **late))
    until(lambda: sundial.jobs(name))


def _hold_back(sundial: Sundial, name: str) -> datetime:
    """Have nothing of a schedule start any more; give the instant from which on that is stored."""
    if name.startswith("paused"):
        _apply(sundial, name, EVERY_SECOND)
        sundial.cluster.kubectl("annotate", "-n", sundial.ns, f"sj/{name}", "sundial.dev/paused=true")
        until(lambda: sundial.condition(name, "Suspended").get("reason") == "Paused")
    else:
        ends_at = datetime.now(UTC) + timedelta(seconds=4)
        _apply(sundial, name, EVERY_SECOND | {"endsAt": ends_at.isoformat(timespec="seconds")})
        sundial.until_ready(name, "Completed")
    return datetime.now(UTC)


def _read_slots(sundial: Sundial, name: str) -> list[datetime]:
    return [datetime.fromisoformat(slot_of(job)) for job in sundial.jobs(name)]


@pytest.mark.parametrize("edit", [LABEL, NOTE], ids=["a label", "another annotation"])
def test_what_was_held_back_does_not_start(start_operator: Starter, edit: tuple[str, ...]) -> None:
    sundial = start_operator()
    held = {name: _hold_back(sundial, name) for name in REMOVALS}
    sundial.end()
    sundial.cluster.kubectl(*edit, "-n", sundial.ns)
    edited = datetime.now(UTC)
    until(lambda: datetime.now(UTC) > edited + AWAY)
    removed = {}
    for name, removal in REMOVALS.items():
        removed[name] = datetime.now(UTC)
        sundial.cluster.kubectl(*removal, "-n", sundial.ns)
    sundial.start()
    for name, since in held.items():
        until(lambda name=name: _read_slots(sundial, name)[-1] > removed[name])  # type: ignore[misc]
        assert [slot for slot in _read_slots(sundial, name) if since < slot <= removed[name]] == [], name
