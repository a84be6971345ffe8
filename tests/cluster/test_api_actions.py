"""Pause, resume and retry reach the custom resources, and are refused where they would mislead."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from testkit.api_callers import Api
from testkit.rows import execution_row

from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_clock.instants import format_instant

JsonObject = dict[str, Any]
HOURLY = {"jobTypeId": 2, "scheduleConfig": {"expression": "0 * * * *"}, "timeZone": "UTC"}
SLOT = datetime(2026, 1, 1, 9, tzinfo=UTC)
SOON = format_instant(datetime.now(UTC).replace(microsecond=0) + timedelta(days=1))


def marks(api: Api, job: JsonObject) -> JsonObject:
    """Read the pause annotations of a job, by their last words."""
    annotations = api.read(job)["metadata"].get("annotations") or {}
    prefix = "sundial.dev/paused"
    return {name.removeprefix(prefix): value for name, value in annotations.items() if prefix in name}


async def test_pause_is_written_with_its_end_and_reason_and_resume_takes_it_back(api: Api) -> None:
    job = await api.create()
    path = f"/jobs/{job['id']}"
    paused = await api.ask("POST", f"{path}/pause", {"until": SOON, "reason": "release"})
    assert (paused["isPaused"], paused["isEnabled"]) == (True, False)
    assert marks(api, job) == {"": SOON, "-by": "local", "-reason": "release"}
    await api.ask("POST", f"{path}/pause")
    assert marks(api, job) == {"": "true", "-by": "local"}
    resumed = await api.ask("POST", f"{path}/resume")
    assert (resumed["isPaused"], resumed["isEnabled"], marks(api, job)) == (False, True, {})


async def test_what_would_change_nothing_writes_nothing(api: Api) -> None:
    job = await api.create()
    path, before = f"/jobs/{job['id']}", api.read(job)["metadata"]["resourceVersion"]
    await api.ask("POST", f"{path}/resume")
    assert api.read(job)["metadata"]["resourceVersion"] == before
    await api.ask("POST", f"{path}/pause", {"reason": "release"})
    paused = api.read(job)["metadata"]["resourceVersion"]
    await api.ask("POST", f"{path}/pause", {"reason": "release"})
    assert api.read(job)["metadata"]["resourceVersion"] == paused


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({"until": "2026-01-01T00:00:00Z"}, "until", id="past"),
        pytest.param({"until": "9000-01-01T00:00:00Z"}, "until", id="beyond the calendar"),
        pytest.param({"until": "2999-01-01T00:00:00"}, "until", id="without an offset"),
        pytest.param({"until": 4102444800}, "until", id="a number"),
        pytest.param({"until": ""}, "until", id="empty"),
        pytest.param({"reason": "x" * 301}, "reason", id="long"),
        pytest.param({"reason": "a\x00b"}, "reason", id="nul"),
    ],
)
async def test_unusable_pause_names_its_place(api: Api, body: JsonObject, place: str) -> None:
    job = await api.create()
    refused = await api.ask("POST", f"/jobs/{job['id']}/pause", body, 422)
    assert refused["detail"][0]["loc"] == ["body", place]
    assert marks(api, job) == {}


async def test_failed_if_match_pauses_and_resumes_nothing(api: Api) -> None:
    job = await api.create()
    path = f"/jobs/{job['id']}"
    old = (await api.http.get(path)).headers["ETag"]
    new = (await api.http.post(f"{path}/pause", headers={"If-Match": old})).headers["ETag"]
    await api.ask("POST", f"{path}/resume", None, 412, If_Match=old)
    await api.ask("POST", f"{path}/pause", {"reason": "x"}, 412, If_Match=old)
    assert marks(api, job) == {"": "true", "-by": "local"}
    await api.ask("POST", f"{path}/resume", None, 200, If_Match=new)


async def test_job_of_a_gitops_tool_is_paused_and_resumed(api: Api) -> None:
    job = await api.create()
    api.mark(job, "kustomize.toolkit.fluxcd.io/name=apps")
    spec = api.read(job)["spec"]
    assert (await api.ask("POST", f"/jobs/{job['id']}/pause"))["isPaused"] is True
    assert (await api.ask("POST", f"/jobs/{job['id']}/resume"))["isPaused"] is False
    assert api.read(job)["spec"] == spec


@pytest.mark.parametrize(
    ("label", "words"),
    [
        pytest.param("argocd.argoproj.io/instance=apps", "Argo CD keeps", id="by-git"),
        pytest.param("team=a", "PUT /jobs/{job_id}/status", id="by-a-user"),
    ],
)
async def test_resume_of_a_suspended_job_is_refused(api: Api, label: str, words: str) -> None:
    job = await api.create(isEnabled=False)
    api.mark(job, label)
    await api.ask("POST", f"/jobs/{job['id']}/pause")
    refused = await api.ask("POST", f"/jobs/{job['id']}/resume", None, 409)
    assert words in refused["detail"]
    assert marks(api, job) == {"": "true", "-by": "local"}


class Past:
    """A job of kubectl's with runs that have ended, as the mirror has them."""

    def __init__(self, api: Api, job: JsonObject) -> None:
        self.api, self.job = api, job

    async def add(self, number: int = 1, **row: Any) -> str:
        """Add an execution that has ended, and give its path."""
        known = {"job_id": self.job["id"], "namespace": self.api.ns, "status": "failed", "phase": "Failed"}
        values = execution_row(number) | known | row
        async with self.api.engine.begin() as connection:
            await connection.execute(insert(ScheduledJobExecution).values(values))
        return f"/executions/{values['id']}"

    def list_specs(self) -> list[JsonObject]:
        """List what ScheduledJobRuns there are."""
        found = self.api.cluster.kubectl("get", "-n", self.api.ns, "sjr", "-o", "json")
        return [run["spec"] for run in json.loads(found)["items"]]


@pytest.fixture
async def past(api: Api) -> Past:
    return Past(api, await api.create(**HOURLY, maxInstances=2))


async def test_retry_asks_for_the_same_slot_and_says_which_run_it_repeats(api: Api, past: Past) -> None:
    path = await past.add(scheduled_for=SLOT, phase="TimedOut", status="timeout")
    answer = await api.ask("POST", f"{path}/retry")
    (spec,) = past.list_specs()
    assert (spec["scheduledFor"], spec["source"]) == ("2026-01-01T09:00:00Z", "manual")
    assert spec["reason"] == f"retry of execution {path.rpartition('/')[2]}"
    assert answer["execution"]["scheduledFor"] == "2026-01-01T09:00:00Z"
    shown = await api.ask("GET", f"/executions/{answer['executionId']}")
    assert shown["requestReason"] == spec["reason"]


async def test_retry_of_a_run_by_hand_names_no_slot(api: Api, past: Past) -> None:
    path = await past.add(triggered_by="manual")
    await api.ask("POST", f"{path}/retry")
    assert "scheduledFor" not in past.list_specs()[0]


async def test_retry_with_a_key_makes_one_run_of_each_execution(api: Api, past: Past) -> None:
    one, other = await past.add(1), await past.add(2)
    first = await api.ask("POST", f"{one}/retry", Idempotency_Key="k")
    again = await api.ask("POST", f"{one}/retry", Idempotency_Key="k")
    another = await api.ask("POST", f"{other}/retry", Idempotency_Key="k")
    assert again["executionId"] == first["executionId"] != another["executionId"]
    assert len(past.list_specs()) == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"status": "success", "phase": "Succeeded"}, "is success", id="succeeded"),
        pytest.param(
            {"status": "running", "phase": "Running", "completed_at": None}, "is running", id="runs"
        ),
        pytest.param({"scheduled_for": SLOT + timedelta(minutes=1)}, "is no slot", id="schedule-changed"),
        pytest.param({"job_id": "11111111-2222-4333-8444-555555555555"}, "is deleted", id="job-is-deleted"),
    ],
)
async def test_retry_is_refused(api: Api, past: Past, row: JsonObject, words: str) -> None:
    refused = await api.ask("POST", f"{await past.add(**row)}/retry", None, 409)
    assert words in refused["detail"]
    assert past.list_specs() == []


async def test_retry_is_checked_as_a_trigger_is(api: Api, past: Past) -> None:
    path = await past.add()
    await api.ask("PUT", f"/jobs/{past.job['id']}/status", {"isEnabled": False})
    assert "disabled" in (await api.ask("POST", f"{path}/retry", None, 409))["detail"]


async def test_a_cancelled_run_holds_its_place_until_its_pods_are_gone(api: Api, past: Past) -> None:
    """As the operator tells it: the run has its end, and is in status.active still."""
    path = await past.add(number=1, reason="Cancelled")
    stopping = [path.rpartition("/")[2], (await past.add(number=2)).rpartition("/")[2], "odd"]
    async with api.engine.begin() as connection:
        job = update(ScheduledJobRow).where(ScheduledJobRow.id == past.job["id"])
        await connection.execute(job.values(active_runs=stopping))
    for refused in (f"{path}/retry", f"/jobs/{past.job['id']}/trigger"):
        assert "already running: 2 active" in (await api.ask("POST", refused, None, 409))["detail"]
    async with api.engine.begin() as connection:
        await connection.execute(job.values(active_runs=stopping[1:]))
    await api.ask("POST", f"{path}/retry")
