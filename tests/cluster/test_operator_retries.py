"""A failed run is tried again, each attempt a Job of its own, on a real control plane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from testkit.processes.operators import (
    JsonObject,
    Sundial,
    build_scheduled_job,
    build_template,
)

from sundial_devcluster.polling import until

FAILS = {"devcluster.local/simulate": "Failed"}


def _apply(sundial: Sundial, name: str, retry: JsonObject) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()
    template = build_template(["false"], **FAILS)
    sundial.apply(
        build_scheduled_job(name, {"at": at}, template=template, retry=retry, history={"failed": 5})
    )


def _marks(job: JsonObject) -> tuple[str, str]:
    annotations = job["metadata"]["annotations"]
    return annotations["sundial.dev/attempt"], annotations.get("sundial.dev/retries-used", "0")


def test_each_attempt_is_a_job_and_the_last_one_decides(sundial: Sundial) -> None:
    _apply(sundial, "thrice", {"count": 2, "delaySeconds": 1})
    until(lambda: sundial.status("thrice").get("lastResult") == "Failed")
    jobs = sorted(sundial.jobs("thrice"), key=_marks)
    assert [_marks(job) for job in jobs] == [("1", "0"), ("2", "1"), ("3", "2")]
    environment = jobs[2]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SUNDIAL_ATTEMPT", "value": "3"} in environment
    assert sundial.status("thrice")["counters"]["verdicts"] == {"started": 1}
    assert sundial.status("thrice")["consecutiveFailures"] == 1


def test_a_run_between_attempts_says_when_it_goes_on_and_suspension_stops_it(sundial: Sundial) -> None:
    _apply(sundial, "waits", {"count": 2, "delaySeconds": 3600})
    entry = until(lambda: _find_waiting(sundial))
    assert datetime.fromisoformat(entry["retryAt"]) > datetime.now(UTC) + timedelta(minutes=50)
    sundial.patch("waits", {"suspend": True})
    until(lambda: sundial.status("waits").get("lastResult") == "Failed")
    assert sundial.status("waits")["recentSlots"][0]["reason"] == "RetriesStopped"
    assert len(sundial.jobs("waits")) == 1
    until(
        lambda: (
            sundial.jobs("waits")[0]["metadata"]["annotations"].get("sundial.dev/ended") == "RetriesStopped"
        ),
    )


def _find_waiting(sundial: Sundial) -> JsonObject | None:
    active: list[JsonObject] = sundial.status("waits").get("active") or []
    return next((entry for entry in active if entry["phase"] == "Waiting"), None)
