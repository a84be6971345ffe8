"""A backfill runs each slot of the past once, in order, and says beforehand what it would do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from testkit.api_callers import Api
from testkit.processes.operators import Starter
from testkit.rows import execution_row, slot_row

from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobSlot
from sundial_clock.instants import format_instant
from sundial_core.resources.names import build_run_id
from sundial_devcluster.polling import until

JsonObject = dict[str, Any]
SCHEDULE = {"cron": "0 9 * * *", "timeZone": "UTC"}
FIRST = datetime(2026, 1, 1, 9, tzinfo=UTC)


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number - 1)


def range_of(first: int, last: int, **more: Any) -> JsonObject:
    return {"from": format_instant(day(first)), "to": format_instant(day(last)), **more}


class Job:
    """A job of kubectl's with a daily slot since long before it was made."""

    def __init__(self, api: Api, shown: JsonObject) -> None:
        self.api, self.id, self.path = api, shown["id"], f"/jobs/{shown['id']}/backfill"

    async def ask(self, body: JsonObject, status: int = 200, **headers: str) -> Any:
        return await self.api.ask("POST", self.path, body, status, **headers)

    async def states(self, body: JsonObject, **headers: str) -> str:
        """Ask, and give the first letters of the states, slot by slot."""
        answer = await self.ask(body, 200, **headers)
        return "".join(slot["state"][0] for slot in answer["slots"])

    async def plans(self, body: JsonObject, **headers: str) -> list[str]:
        """Ask, and give each slot's state, with `again` where it runs; newCount must count these."""
        answer = await self.ask(body, 200, **headers)
        assert answer["newCount"] == sum(slot["willRun"] for slot in answer["slots"])
        return [slot["state"] + " again" * slot["willRun"] for slot in answer["slots"]]

    def list_runs(self) -> list[str]:
        """List the slots of the ScheduledJobRuns, by name."""
        found = self.api.cluster.kubectl("get", "-n", self.api.ns, "sjr", "-o", "json")
        runs = json.loads(found)["items"]
        return [run["spec"]["scheduledFor"] for run in sorted(runs, key=lambda run: run["metadata"]["name"])]

    async def add(self, table: type[Any], row: JsonObject) -> None:
        async with self.api.engine.begin() as connection:
            await connection.execute(insert(table).values({"job_id": self.id} | row))

    async def change(self, **columns: Any) -> None:
        named = ", ".join(f"{name} = :{name}" for name in columns)
        async with self.api.engine.begin() as connection:
            await connection.execute(text(f"UPDATE scheduled_jobs SET {named}"), columns)


async def make(api: Api, **concurrency: Any) -> Job:
    return Job(api, await api.adopt({"schedule": SCHEDULE, "concurrency": concurrency}))


def ran(job: Job, slot: datetime, **row: Any) -> JsonObject:
    """Build the execution of a slot."""
    known = {"id": build_run_id(job.id, slot), "job_id": job.id, "namespace": job.api.ns}
    return execution_row() | known | {"scheduled_for": slot, "started_at": slot} | row


async def test_dry_run_tells_and_makes_nothing(api: Api) -> None:
    job = await make(api, policy="Allow")
    answer = await job.ask(range_of(1, 3, dryRun=True))
    assert (answer["dryRun"], answer["total"], answer["newCount"], answer["problem"]) == (True, 3, 3, None)
    assert answer["slots"][0] == {
        "scheduledFor": "2026-01-01T09:00:00Z",
        "state": "new",
        "willRun": True,
        "executionId": None,
    }
    assert job.list_runs() == []


async def test_each_slot_is_asked_for_once_and_in_order(api: Api) -> None:
    job = await make(api, policy="Allow")
    answer = await job.ask(range_of(2, 4, reason="the source was empty"))
    assert job.list_runs() == [format_instant(day(number)) for number in (2, 3, 4)]
    shown = await api.ask("GET", f"/executions/{answer['slots'][0]['executionId']}")
    assert (shown["scheduledFor"], shown["requestReason"]) == ("2026-01-02T09:00:00Z", "the source was empty")
    assert await job.states(range_of(1, 4)) == "nrrr"
    assert len(job.list_runs()) == 4


async def test_repeat_makes_no_second_run_even_if_the_database_lost_the_first(api: Api) -> None:
    job = await make(api, policy="Allow")
    first = await job.ask(range_of(1, 2))
    async with api.engine.begin() as connection:
        await connection.execute(text("DELETE FROM scheduled_job_executions"))
    again = await job.ask(range_of(1, 2))
    assert [slot["state"] for slot in again["slots"]] == ["asked", "asked"]
    assert [slot["executionId"] for slot in again["slots"]] == [s["executionId"] for s in first["slots"]]
    assert (again["newCount"], len(job.list_runs())) == (0, 2)


async def test_what_ran_what_may_come_and_what_is_not_known_is_left_out(api: Api) -> None:
    job = await make(api, policy="Allow")
    await job.add(ScheduledJobExecution, ran(job, day(2)))
    await job.add(ScheduledJobExecution, ran(job, day(3), id=job.id, triggered_by="api", attempt=1))
    skipped = {"triggered_by": "api", "status": "failed", "phase": "Failed", "attempt": 0}
    await job.add(ScheduledJobExecution, ran(job, day(4)) | {"id": str(api.function_id).zfill(32)} | skipped)
    await job.add(
        ScheduledJobSlot,
        slot_row() | {"job_id": job.id, "first_slot": day(5), "last_slot": day(6), "verdict": "NotMirrored"},
    )
    await job.add(
        ScheduledJobSlot, slot_row() | {"job_id": job.id, "first_slot": day(7), "last_slot": day(7)}
    )
    await job.change(history_floor=day(1))
    assert await job.states(range_of(1, 7)) == "urrnuun"
    assert job.list_runs() == [format_instant(day(4)), format_instant(day(7))]


async def test_slot_that_its_own_run_may_still_come_for_is_left_out(api: Api) -> None:
    job = Job(api, await api.adopt({"schedule": {"cron": "* * * * * *"}, "concurrency": {"policy": "Allow"}}))
    created = datetime.fromisoformat((await api.ask("GET", f"/jobs/{job.id}"))["createdAt"])
    until(lambda: datetime.now(UTC) > created + timedelta(seconds=2))
    body = {
        "from": format_instant(created - timedelta(seconds=1)),
        "to": format_instant(created + timedelta(seconds=1)),
        "dryRun": True,
    }
    assert await job.states(body) == "nnu"
    assert await job.states(body | {"slots": "all"}) == "nnu"


async def test_all_runs_again_what_ran_once_a_key(api: Api) -> None:
    job = await make(api, policy="Allow")
    await job.add(ScheduledJobExecution, ran(job, day(1)))
    body = range_of(1, 2, slots="all")
    assert await job.plans(body | {"dryRun": True}) == ["ran again", "new again"]
    assert await job.plans(range_of(1, 2, dryRun=True)) == ["ran", "new again"]
    assert await job.plans(body) == ["ran again", "new again"]
    assert await job.plans(body) == ["asked", "asked"]
    assert await job.plans(body, Idempotency_Key="k") == ["ran again", "ran again"]
    assert await job.plans(body, Idempotency_Key="k") == ["asked", "asked"]
    assert len(job.list_runs()) == 4


@pytest.mark.parametrize(
    ("concurrency", "room"),
    [
        pytest.param({"policy": "Forbid"}, 1, id="forbid"),
        pytest.param({"policy": "Replace", "maxInstances": 2}, 2, id="replace"),
        pytest.param({"policy": "Queue", "maxQueued": 1}, 2, id="queue"),
    ],
)
async def test_what_the_concurrency_rule_would_skip_is_refused_as_a_whole(
    api: Api, concurrency: JsonObject, room: int
) -> None:
    job = await make(api, **concurrency)
    assert f"room for {room}" in (await job.ask(range_of(1, 3), 409))["detail"]
    assert f"room for {room}" in (await job.ask(range_of(1, 3, dryRun=True)))["problem"]
    assert job.list_runs() == []
    await job.ask(range_of(1, room))
    assert len(job.list_runs()) == room


async def test_job_that_is_disabled_runs_nothing(api: Api) -> None:
    job = await make(api, policy="Allow")
    await api.ask("POST", f"/jobs/{job.id}/pause")
    assert (await job.ask(range_of(1, 1), 409))["detail"] == "the job is paused; resume it first"
    assert job.list_runs() == []


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        pytest.param(range_of(1, 101), "to", "has 101 slots", id="too many"),
        pytest.param(range_of(2, 1), "to", "before from", id="backwards"),
        pytest.param(
            {"from": "2999-01-01T00:00:00Z", "to": "2999-01-02T00:00:00Z"}, "from", "passed", id="to come"
        ),
        pytest.param(range_of(1, 1, slots="some"), "slots", "", id="unknown choice"),
        pytest.param({"to": "2026-01-01T00:00:00Z"}, "from", "", id="without a beginning"),
        pytest.param(range_of(1, 1) | {"from": "yesterday"}, "from", "no instant", id="no instant"),
    ],
)
async def test_unusable_range_names_its_place(api: Api, body: JsonObject, place: str, words: str) -> None:
    job = await make(api, policy="Allow")
    refused = await job.ask(body, 422)
    assert refused["detail"][0]["loc"] == ["body", place]
    assert words in refused["detail"][0]["msg"]


async def test_name_that_is_taken_for_something_else_is_told(api: Api) -> None:
    job = await make(api, policy="Allow")
    await job.ask(range_of(1, 1))
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns"
    (run,) = api.cluster.get_json(path)["items"]
    name, moved = run["metadata"]["name"], run["spec"] | {"scheduledFor": format_instant(day(2))}
    api.cluster.kubectl("delete", "-n", api.ns, "sjr", name)
    made = {"apiVersion": run["apiVersion"], "kind": run["kind"], "metadata": {"name": name}, "spec": moved}
    api.cluster.kubectl("create", "-n", api.ns, "-f", "-", input=json.dumps(made))
    async with api.engine.begin() as connection:
        await connection.execute(text("DELETE FROM scheduled_job_executions"))
    assert name in (await job.ask(range_of(1, 1), 409))["detail"]


async def test_operator_runs_them_one_after_another_in_the_order_of_their_slots(
    api: Api, start_operator: Starter
) -> None:
    operator = start_operator()
    job = await make(api, policy="Queue", maxQueued=3)
    operator.until_ready("by-hand", "Scheduled")
    await job.ask(range_of(1, 4))
    jobs = until(lambda: _find_four(operator.jobs("by-hand")), 60)
    began = sorted(jobs, key=lambda one: one["metadata"]["creationTimestamp"])
    assert [one["metadata"]["creationTimestamp"] for one in jobs] == [
        one["metadata"]["creationTimestamp"] for one in began
    ]
    assert {one["metadata"]["labels"]["sundial.dev/trigger"] for one in jobs} == {"backfill"}


def _find_four(jobs: list[JsonObject]) -> list[JsonObject] | None:
    return jobs if len(jobs) == 4 else None
