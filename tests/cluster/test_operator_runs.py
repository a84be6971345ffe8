"""A ScheduledJob becomes Jobs on a real control plane, and its status says so."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

from testkit.processes.operators import Sundial, build_scheduled_job, slot_of

from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}


def test_each_slot_has_one_job(sundial: Sundial) -> None:
    sundial.apply(
        build_scheduled_job("each", EVERY_SECOND, concurrency={"policy": "Allow"}, history={"successful": 50})
    )
    until(lambda: len(sundial.jobs("each")) >= 4)
    sundial.patch("each", {"suspend": True})
    until(lambda: sundial.status("each").get("activeCount") == 0 and not _is_behind(sundial, "each"))
    slots = [slot_of(job) for job in sundial.jobs("each")]
    seconds = [datetime.fromisoformat(slot) for slot in slots]
    assert all(b - a == timedelta(seconds=1) for a, b in itertools.pairwise(seconds))
    assert sundial.status("each")["counters"]["verdicts"] == {"started": len(slots)}


def _is_behind(sundial: Sundial, name: str) -> bool:
    return bool(sundial.status(name).get("cursor") != slot_of(sundial.jobs(name)[-1]))


def test_the_status_follows_a_run_to_its_end(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("follow", {"interval": {"seconds": 2}}))
    until(lambda: sundial.status("follow").get("lastResult") == "Succeeded")
    status = sundial.status("follow")
    assert status["scheduleText"] == "Every 2 seconds"
    assert status["lastScheduleTime"] <= status["cursor"] < status["nextRunTime"]
    assert len(status["upcomingRuns"]) == 5
    assert sundial.condition("follow", "LastRunSucceeded")["status"] == "True"


def test_an_instant_runs_once_and_completes(sundial: Sundial) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=5)).replace(microsecond=0)
    sundial.apply(build_scheduled_job("once", {"at": at.isoformat().replace("+00:00", "Z")}))
    sundial.until_ready("once", "Scheduled")
    sundial.until_ready("once", "Completed")
    assert "nextRunTime" not in sundial.status("once")
    assert len(sundial.jobs("once")) == 1


def test_suspending_and_resuming_runs_nothing_of_the_time_between(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("resume", EVERY_SECOND, suspend=True, concurrency={"policy": "Allow"}))
    until(lambda: sundial.condition("resume", "Suspended").get("status") == "True")
    created = datetime.now(UTC)
    until(lambda: datetime.now(UTC) > created + timedelta(seconds=3))
    sundial.patch("resume", {"suspend": False})
    resumed = datetime.now(UTC)
    jobs = until(lambda: sundial.jobs("resume"))
    assert datetime.fromisoformat(slot_of(jobs[0])) > resumed - timedelta(seconds=1)
    assert "missed" not in sundial.status("resume").get("counters", {}).get("verdicts", {})


def test_a_pause_with_an_end_ends_by_itself(sundial: Sundial) -> None:
    until_instant = (datetime.now(UTC) + timedelta(seconds=4)).replace(microsecond=0)
    job = build_scheduled_job("pause", EVERY_SECOND)
    job["metadata"]["annotations"] = {"sundial.dev/paused": until_instant.isoformat()}
    sundial.apply(job)
    until(lambda: sundial.condition("pause", "Suspended").get("reason") == "PausedUntil")
    jobs = until(lambda: sundial.jobs("pause"))
    assert datetime.fromisoformat(slot_of(jobs[0])) > until_instant
    assert sundial.condition("pause", "Suspended")["status"] == "False"


def test_forbid_skips_slots_while_a_run_is_active(sundial: Sundial) -> None:
    job = build_scheduled_job("forbid", EVERY_SECOND)
    pod = job["spec"]["template"]["spec"]["template"]
    pod["metadata"] = {"annotations": {"pod-complete.stage.kwok.x-k8s.io/delay": "1h"}}
    sundial.apply(job)
    until(lambda: _skipped(sundial, "forbid").get("AlreadyActive", 0) >= 3)
    assert len(sundial.jobs("forbid")) == 1
    assert sundial.status("forbid")["active"][0]["phase"] == "Running"


def _skipped(sundial: Sundial, name: str) -> Counter[str]:
    return Counter(sundial.status(name).get("counters", {}).get("verdicts", {}).get("skipped", {}))


def test_a_run_over_its_timeout_is_timed_out(sundial: Sundial) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()
    job = build_scheduled_job("late", {"at": at}, timeoutSeconds=2, retry={"count": 0})
    pod = job["spec"]["template"]["spec"]["template"]
    pod["metadata"] = {"annotations": {"pod-complete.stage.kwok.x-k8s.io/delay": "1h"}}
    sundial.apply(job)
    until(lambda: sundial.status("late").get("lastResult") == "TimedOut")
    assert sundial.condition("late", "LastRunSucceeded")["reason"] == "TimedOut"


def test_a_deleted_job_ends_its_run_as_cancelled(sundial: Sundial) -> None:
    job = build_scheduled_job("deleted", EVERY_SECOND)
    pod = job["spec"]["template"]["spec"]["template"]
    pod["metadata"] = {"annotations": {"pod-complete.stage.kwok.x-k8s.io/delay": "1h"}}
    sundial.apply(job)
    until(lambda: sundial.status("deleted").get("activeCount") == 1)
    sundial.patch("deleted", {"suspend": True})
    job = sundial.jobs("deleted")[0]["metadata"]["name"]
    sundial.cluster.kubectl("delete", "job", job, "-n", sundial.ns)
    until(lambda: sundial.status("deleted").get("lastResult") == "Cancelled")
    ended = [slot for slot in sundial.status("deleted")["recentSlots"] if slot.get("result")]
    assert [slot["reason"] for slot in ended] == ["JobDeleted"]


def test_finished_jobs_beyond_the_history_go_after_the_floor(sundial: Sundial) -> None:
    sundial.apply(
        build_scheduled_job(
            "history", EVERY_SECOND, concurrency={"policy": "Allow"}, history={"successful": 2, "failed": 0}
        )
    )
    until(lambda: sundial.status("history").get("counters", {}).get("verdicts", {}).get("started", 0) >= 8)
    sundial.patch("history", {"suspend": True})
    until(lambda: len(sundial.jobs("history")) == 2)
    newest = sundial.status("history")["lastScheduleTime"]
    assert slot_of(sundial.jobs("history")[-1]) == newest
