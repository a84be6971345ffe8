"""How the facts of a run become its row: states, order, results.

The rules: docs/architecture.md, "How an execution stands", and docs/api-contract.md, "Status of an
execution".
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import Any

import pytest
from testkit.mirror_facts import (
    ASKED_ID,
    INSTANCE,
    RUN_ID,
    asked_fact,
    build_schedule,
    build_termination,
    job_fact,
    pod_fact,
    settle_facts,
    stand,
    tell,
    told_fact,
)
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
)

from sundial_api.executions.schemas import AttemptRead
from sundial_api.mirror.projection.executions import (
    UNKNOWN_STANDING,
    ExecutionStanding,
    build_row,
    load,
    settle,
)
from sundial_api.mirror.projection.merging import merge
from sundial_api.mirror.projection.run_facts import JobFact, RunFact, RunRequestFact
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage.apply import parse_standing
from sundial_api.mirror.storage.json_rows import to_row
from sundial_core.resources import names

UNTOLD = stand(10, horizon=None)
LEFT, ACTIVE, BEFORE = stand(10), stand(10, RUN_ID), stand(0)
DELETED = stand(0, deleted_at="2026-01-01T00:01:00Z")
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:11Z"}}


def gone(fact: RunFact, version: int = 60) -> RunFact:
    assert isinstance(fact.part, JobFact | RunRequestFact)
    return replace(fact, part=replace(fact.part, is_gone=True, version=Version(1, version)))


@pytest.mark.parametrize(
    ("facts", "standing", "shown"),
    [
        pytest.param([job_fact()], BEFORE, "Pending", id="its Job was made"),
        pytest.param([job_fact(ready=True)], ACTIVE, "Running", id="its container is ready"),
        pytest.param([job_fact(), pod_fact(**RUNNING)], ACTIVE, "Running", id="the Pod says so sooner"),
        pytest.param([pod_fact()], BEFORE, "Pending", id="the Pod came first"),
        pytest.param([job_fact("Complete")], ACTIVE, "Waiting", id="done, still active in the status"),
        pytest.param([job_fact("Complete")], BEFORE, "Waiting", id="done, not in the status yet"),
        pytest.param([job_fact("Complete")], LEFT, "Succeeded", id="done, and left"),
        pytest.param([job_fact("Complete")], UNTOLD, "Waiting", id="done, and not told of yet"),
        pytest.param([job_fact("Failed"), told_fact()], UNTOLD, "Failed", id="told of, and left"),
        pytest.param([gone(job_fact())], UNTOLD, "Failed OutcomeUnknown", id="gone, and never told of"),
        pytest.param([job_fact("Complete")], UNKNOWN_STANDING, "Waiting", id="its schedule is not seen yet"),
        pytest.param([job_fact("Failed")], ACTIVE, "Waiting", id="between two attempts"),
        pytest.param([job_fact("Failed"), job_fact(attempt=2)], ACTIVE, "Pending", id="tried again"),
        pytest.param(
            [job_fact("Failed"), job_fact("Complete", attempt=2)], LEFT, "Succeeded", id="in the end"
        ),
        pytest.param(
            [job_fact("Failed", reason="DeadlineExceeded")], LEFT, "TimedOut DeadlineExceeded", id="too long"
        ),
        pytest.param([told_fact()], stand(10, RUN_ID), "Pending", id="only the status tells of it"),
        pytest.param([told_fact("Succeeded")], LEFT, "Succeeded", id="only the status tells of its end"),
        pytest.param([told_fact("Cancelled", reason="Replaced")], LEFT, "Cancelled Replaced", id="replaced"),
        pytest.param(
            [job_fact("Failed"), told_fact("Failed", reason="RetriesStopped")],
            LEFT,
            "Failed RetriesStopped",
            id="the recorded reason goes first",
        ),
        pytest.param([gone(job_fact())], LEFT, "Failed OutcomeUnknown", id="gone with its outcome"),
        pytest.param([gone(job_fact("Complete"))], LEFT, "Succeeded", id="gone after its outcome"),
        pytest.param([gone(job_fact())], ACTIVE, "Pending", id="gone, and not noticed by the operator yet"),
        pytest.param([told_fact()], LEFT, "Failed OutcomeUnknown", id="left without an outcome, no Job"),
        pytest.param([job_fact(ready=True)], DELETED, "Cancelled", id="its schedule was deleted"),
        pytest.param([job_fact("Complete")], DELETED, "Succeeded", id="deleted after the result"),
        pytest.param([gone(job_fact())], UNKNOWN_STANDING, "Cancelled", id="deleted unseen"),
        pytest.param([asked_fact()], BEFORE, "Pending", id="asked for"),
        pytest.param(
            [asked_fact(verdict="Skipped", result="Failed", reason="AlreadyActive")],
            BEFORE,
            "Failed AlreadyActive",
            id="asked for, and refused",
        ),
        pytest.param([gone(asked_fact())], BEFORE, "Cancelled Cancelled", id="taken back before it started"),
        pytest.param(
            [gone(asked_fact(verdict="Started"))], BEFORE, "Failed OutcomeUnknown", id="started, all gone"
        ),
    ],
)
def test_how_a_run_stands(facts: list[RunFact], standing: ExecutionStanding, shown: str) -> None:
    outcome = settle_facts(facts, replace(standing, version=Version(1, 70)))
    said = (
        f"{outcome.phase} {outcome.reason}" if outcome.phase.is_result and outcome.reason else outcome.phase
    )
    assert said == shown


def stand_among_many(*without: int) -> ExecutionStanding:
    """Build what a schedule says of which 300 runs are active, but for those of some slots."""
    spec = build_spec(schedule={"interval": {"seconds": 1}}, concurrency={"policy": "Allow"})
    jobs = tuple(build_observed(slot, "Complete" if slot in without else "") for slot in range(1, 301))
    row = build_schedule(look(build_scheduled_job(spec), 300.5, jobs).status, version=70).row
    told = {"cursor": at(300), "oldest": row.recent_slots[19], "deleted_at": None}
    return parse_standing(to_row(row) | told)


AMONG_MANY, ENDED_AMONG_MANY = stand_among_many(), stand_among_many(10)


@pytest.mark.parametrize(
    ("facts", "standing", "shown"),
    [
        pytest.param([job_fact(ready=True)], AMONG_MANY, "Running", id="it runs"),
        pytest.param([job_fact("Complete")], AMONG_MANY, "Waiting", id="done, its end is not stored"),
        pytest.param([job_fact("Failed"), told_fact()], AMONG_MANY, "Waiting", id="between two attempts"),
        pytest.param([told_fact()], AMONG_MANY, "Pending", id="only told of"),
        pytest.param([gone(job_fact(ready=True))], AMONG_MANY, "Running", id="its Job was deleted"),
        pytest.param([told_fact("Cancelled")], AMONG_MANY, "Cancelled", id="its result is told"),
        pytest.param([gone(job_fact("Complete"))], AMONG_MANY, "Succeeded", id="gone with its result"),
        pytest.param([gone(asked_fact(verdict="Started"))], AMONG_MANY, "Pending", id="asked for"),
        pytest.param([job_fact("Complete")], ENDED_AMONG_MANY, "Succeeded", id="done, and stored"),
        pytest.param([gone(job_fact())], ENDED_AMONG_MANY, "Failed", id="gone, and stored"),
    ],
)
def test_a_run_that_is_not_listed_ends_no_sooner_than_that_is_stored(
    facts: list[RunFact], standing: ExecutionStanding, shown: str
) -> None:
    assert settle_facts(facts, standing).phase == shown


MANY = [
    job_fact(version=20),
    job_fact("Failed", version=25),
    job_fact(attempt=2, version=26),
    pod_fact(version=22, **RUNNING),
    pod_fact(version=24, terminated=build_termination(3, {"sundial": 1, "error": "no disk"})),
    told_fact(version=27),
]


@pytest.mark.parametrize("order", range(0, 720, 7))
def test_the_order_of_facts_does_not_matter(order: int) -> None:
    facts = list(next(itertools.islice(itertools.permutations(MANY), order, None)))
    assert build_row(tell(*facts), ACTIVE) == build_row(tell(*MANY), ACTIVE)
    assert tell(*facts, *facts) == tell(*facts)


def test_a_recorded_result_never_changes() -> None:
    execution = tell(told_fact("Succeeded", version=30), told_fact("Failed", version=31))
    assert settle(execution, LEFT).phase == "Succeeded"


def test_a_restored_cluster_goes_before_what_was_there() -> None:
    execution = tell(job_fact("Complete", version=900), job_fact("Failed", epoch=2, version=20))
    assert settle(execution, LEFT).phase == "Failed"
    again = tell(told_fact("Succeeded", version=900), told_fact("Failed", version=20, epoch=2))
    assert settle(again, LEFT).phase == "Failed"


def test_an_older_state_of_an_object_is_refused() -> None:
    execution = tell(job_fact("Complete", version=21))
    assert merge(execution, job_fact(version=20)) is execution


def test_of_several_pods_the_failed_one_is_shown() -> None:
    fine = pod_fact(40, "pod-b", terminated=build_termination(0))
    failed = pod_fact(30, "pod-a", terminated=build_termination(7))
    for facts in ([fine, failed], [failed, fine]):
        row = build_row(tell(job_fact("Failed", reason="PodFailed"), *facts), LEFT)
        assert (row.pod_name, row.exit_code, row.reason) == ("pod-a", 7, "Error")


def test_the_row_of_a_run_that_failed() -> None:
    said = {"sundial": 1, "error": "ValueError: no disk", "traceback": "Traceback: ..."}
    pod = pod_fact(terminated=build_termination(3, said))
    marks = {"sundial.dev/instance": INSTANCE}
    row = build_row(tell(job_fact("Failed", marks=marks), pod, told_fact("Failed", reason="Error")), LEFT)
    assert (row.status, row.error_message, row.error_traceback) == (
        "failed",
        "ValueError: no disk",
        said["traceback"],
    )
    assert (row.node, row.pod_name, row.exit_code, row.attempt) == ("node-1", "pod-a", 3, 1)
    assert (row.started_at, row.completed_at) == ("2026-01-01T00:00:10Z", "2026-01-01T00:00:15Z")
    assert (row.triggered_by, row.job_id, row.scheduler_instance_id) == ("scheduler", UID, INSTANCE)
    assert (row.id, row.celery_task_id) == (RUN_ID, None)


@pytest.mark.parametrize(
    ("reason", "error", "shown"),
    [
        pytest.param("Error", "ValueError: x", "ValueError: x", id="a word for any exit code is left out"),
        pytest.param("Error", None, "Error: container main exited with code 3", id="unless nothing was told"),
        pytest.param("OOMKilled", "no memory", "OOMKilled: no memory", id="a reason that tells more"),
        pytest.param("Error", "Error: x", "Error: x", id="an exception of that name"),
    ],
)
def test_why_a_run_failed_is_what_its_container_told(reason: str, error: str | None, shown: str) -> None:
    said = {"sundial": 1, "error": error} if error else None
    pod = pod_fact(terminated=build_termination(3, said) | {"reason": reason})
    row = build_row(tell(job_fact("Failed"), pod), DELETED)
    assert row.error_message == shown


OTHER_ID = "9d5b1c2e-0f4a-4c7e-b1a7-2f1f5a0c9d11"


@pytest.mark.parametrize(
    ("marks", "task", "shown"),
    [
        pytest.param({}, None, None, id="no Celery function"),
        pytest.param({names.CELERY_TASK: RUN_ID}, None, RUN_ID, id="what is sent"),
        pytest.param({names.CELERY_TASK: RUN_ID}, {"id": OTHER_ID}, OTHER_ID, id="what really ran"),
        pytest.param({names.CELERY_TASK: RUN_ID}, {"id": "../x"}, RUN_ID, id="what is no id"),
        pytest.param({names.CELERY_TASK: "../x"}, None, None, id="a mark that somebody changed"),
        pytest.param({}, {"id": OTHER_ID}, OTHER_ID, id="any container may tell"),
    ],
)
def test_which_celery_task_a_run_is(marks: dict[str, str], task: Any, shown: str | None) -> None:
    pod = pod_fact(terminated=build_termination(0, {"sundial": 1, "task": task}))
    row = build_row(tell(job_fact("Complete", marks=marks), pod), LEFT)
    assert row.celery_task_id == shown


def test_the_row_of_a_run_that_succeeded_has_its_result() -> None:
    pod = pod_fact(terminated=build_termination(0, {"sundial": 1, "result": {"rows": 3}}))
    row = build_row(tell(job_fact("Complete"), pod, told_fact("Succeeded")), LEFT)
    assert (row.status, row.result, row.error_message, row.exit_code) == ("success", {"rows": 3}, None, 0)


def test_each_attempt_keeps_its_own_times_and_the_newest_names_the_task() -> None:
    of = [{names.CELERY_TASK: names.build_celery_task_id(RUN_ID, attempt)} for attempt in (1, 2)]
    facts = [job_fact("Failed", marks=of[0]), job_fact(attempt=2, created=70, marks=of[1])]
    row = build_row(tell(*facts), ACTIVE)
    assert [entry["job"]["created_at"] for entry in row.attempts] == [
        "2026-01-01T00:00:10Z",
        "2026-01-01T00:01:10Z",
    ]
    assert (row.started_at, row.attempt, row.status) == ("2026-01-01T00:00:10Z", 2, "pending")
    assert row.celery_task_id == str(uuid.uuid5(uuid.UUID(RUN_ID), "2"))


@pytest.mark.parametrize(
    ("source", "word"), [pytest.param("manual", "manual", id="click"), pytest.param("api", "api", id="other")]
)
def test_who_asked_for_a_run(source: str, word: str) -> None:
    asked = asked_fact()
    assert isinstance(asked.part, RunRequestFact)
    row = build_row(tell(replace(asked, part=replace(asked.part, source=source))), BEFORE)
    assert (row.id, row.triggered_by, row.triggered_by_user_id) == (ASKED_ID, word, INSTANCE)
    assert (row.started_at, row.run_name) == ("2026-01-01T00:00:08Z", "by-hand")


@pytest.mark.parametrize("standing", [LEFT, ACTIVE, DELETED], ids=["left", "active", "deleted"])
def test_a_row_is_read_back_as_it_was_built(standing: ExecutionStanding) -> None:
    execution = tell(*MANY, asked_fact())
    row: Any = build_row(execution, standing)
    assert load(row.sources, row.attempts) == execution


def test_an_attempt_says_why_its_container_did_not_start() -> None:
    said = 'exec: "python3": executable file not found in $PATH'
    ended = build_termination(128, {}) | {"reason": "StartError", "message": said}
    failed = job_fact("Failed", reason="BackoffLimitExceeded")
    row = build_row(tell(failed, pod_fact(terminated=ended), job_fact(attempt=2)), ACTIVE)
    first = AttemptRead.model_validate(row.attempts[0])
    assert first.reason == "StartError"
    assert said in (first.message or "")


def test_each_attempt_is_shown_with_its_own_times() -> None:
    failed = pod_fact(terminated=build_termination(3, {"sundial": 1, "truncated": ["traceback"]}))
    row = build_row(tell(job_fact("Failed"), failed, job_fact(attempt=2)), ACTIVE)
    first, second = (
        AttemptRead.model_validate(attempt).model_dump(by_alias=True) for attempt in row.attempts
    )
    assert (first["attempt"], first["exitCode"], first["podName"]) == (1, 3, "pod-a")
    assert first["startedAt"] is not None
    assert first["completedAt"] is not None
    assert (second["attempt"], second["phase"], second["podName"]) == (2, "Pending", None)
    assert (first["truncated"], second["truncated"]) == (["traceback"], [])
