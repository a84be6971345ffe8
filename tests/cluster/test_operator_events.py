"""What people see of a schedule in Events and in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from testkit.processes.operators import Sundial, build_scheduled_job, build_template

from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}
LONG = {"pod-complete.stage.kwok.x-k8s.io/delay": "600s"}


def list_events(sundial: Sundial, name: str) -> list[dict[str, Any]]:
    path = f"/apis/events.k8s.io/v1/namespaces/{sundial.ns}/events"
    items = sundial.cluster.get_json(path)["items"]
    return [item for item in items if item["regarding"].get("name") == name]


def find_series(sundial: Sundial, name: str, reason: str) -> int:
    events = [event for event in list_events(sundial, name) if event["reason"] == reason]
    counts = [event.get("series", {}).get("count", 1) for event in events]
    assert len(counts) <= 1
    return sum(counts)


def describe(sundial: Sundial, name: str) -> str:
    return sundial.cluster.kubectl("describe", "-n", sundial.ns, "sj", name)


def list_lines(sundial: Sundial, name: str) -> list[dict[str, Any]]:
    lines = map(json.loads, sundial.log.read_text().splitlines())
    return [line for line in lines if line.get("name") == name]


def test_skipped_slots_are_one_event_that_counts(sundial: Sundial) -> None:
    spec = {"template": build_template(["sleep", "600"], **LONG), "timeoutSeconds": 900}
    sundial.apply(build_scheduled_job("busy", EVERY_SECOND, **spec))
    until(lambda: find_series(sundial, "busy", "SlotSkipped") > 1)
    assert "SlotSkipped" in describe(sundial, "busy")
    (event,) = list_events(sundial, "busy")
    assert (event["type"], event["regarding"]["kind"]) == ("Normal", "ScheduledJob")


def test_a_schedule_that_is_refused_says_why(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("lost", EVERY_SECOND, taskFunctionRef={"name": "nowhere"}))
    until(lambda: find_series(sundial, "lost", "NotReady") == 1)
    assert "TaskFunctionNotFound" in describe(sundial, "lost")


def test_a_run_that_succeeds_leaves_two_lines_and_no_event(sundial: Sundial) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=4)).replace(microsecond=0).isoformat()
    sundial.apply(build_scheduled_job("quiet", {"interval": {"hours": 1}, "anchor": soon}))
    until(lambda: sundial.status("quiet").get("lastResult") == "Succeeded")
    until(lambda: any(line["event"] == "run ended" for line in list_lines(sundial, "quiet")))
    ended = next(line for line in list_lines(sundial, "quiet") if line["event"] == "run ended")
    started = next(line for line in list_lines(sundial, "quiet") if line.get("run") == ended["run"])
    assert (started["event"], started["slot"]) == ("run started", ended["slot"])
    assert list_events(sundial, "quiet") == []
