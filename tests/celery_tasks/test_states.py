"""What becomes of a run by the state of its task? Each with a real worker, on Redis and on RabbitMQ."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from testkit.celery_worlds.worlds import Run, World
from testkit.runner_processes import Ended

from sundial_devcluster.polling import until

AT_A_TIME = 4


@dataclass(frozen=True)
class Row:
    """A run of a task, and how it is to end."""

    task: str
    args: dict[str, Any]
    code: int
    state: str
    message: dict[str, Any]


def failed(task: str, state: str, error: str, args: dict[str, Any] | None = None) -> Row:
    return Row(task, args or {}, 1, state, {"error": error})


ROWS = {
    "SUCCESS": Row("reports.add", {"x": 1}, 0, "SUCCESS", {"result": {"sum": 3}}),
    "SUCCESS, no object": Row(
        "reports.say", {"value": [1, "ب"]}, 0, "SUCCESS", {"result": {"result": [1, "ب"]}}
    ),
    "SUCCESS, nothing": Row("reports.say", {"value": None}, 0, "SUCCESS", {}),
    "FAILURE": failed("endings.fail", "FAILURE", "ValueError: فشل المزامنة ✗"),
    "FAILURE, odd exception": failed("endings.fail_oddly", "FAILURE", "Odd('odd 1 2')"),
    "FAILURE, no such task": failed("reports.typo", "FAILURE", "NotRegistered: 'reports.typo'"),
    "FAILURE, worker process killed": failed(
        "endings.die", "FAILURE", "WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: *."
    ),
    "FAILURE, result is no JSON": failed("endings.return_object", "FAILURE", "EncodeError: *"),
    "FAILURE, stored without an exception": Row(
        "endings.end_as",
        {"state": "FAILURE"},
        78,
        "PENDING",
        {"error": "the task has ended, its result cannot be read, *: ValueError: *"},
    ),
    "worker process killed, acks late": Row(
        "endings.die_once", {}, 0, "SUCCESS", {"result": {"result": "the second time"}}
    ),
    "RETRY": Row("reports.retrying", {}, 0, "SUCCESS", {"result": {"result": "at last"}}),
    "REVOKED": failed("endings.revoke_itself", "REVOKED", "the task ended as REVOKED (*terminated*)"),
    "REJECTED": failed(
        "endings.end_as", "REJECTED", "the task ended as REJECTED (by itself)", {"state": "REJECTED"}
    ),
    "IGNORED": failed(
        "endings.end_as", "IGNORED", "the task ended as IGNORED (by itself)", {"state": "IGNORED"}
    ),
}


@pytest.fixture(scope="module")
def endings(shared_world: World) -> dict[str, Ended]:
    """Run all rows, some at a time: they mostly wait."""
    runs: dict[str, Run] = {}
    for name, row in ROWS.items():
        until(lambda: sum(run.process.poll() is None for run in runs.values()) < AT_A_TIME)
        runs[name] = shared_world.start(row.task, row.args)
    return {name: run.finish() for name, run in runs.items()}


@pytest.mark.parametrize("name", ROWS)
def test_a_run_ends_as_its_task_does(endings: dict[str, Ended], name: str) -> None:
    row, ended = ROWS[name], endings[name]
    assert ended.message, ended
    told = {key: one for key, one in ended.message.items() if key in ("error", "result")}
    assert (ended.code, ended.message["task"]["state"]) == (row.code, row.state), ended
    assert matches(told, row.message), ended


def matches(told: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether a message is as wanted, whose error may be a pattern with `*`."""
    error = told.get("error", "")
    return told | {"error": ""} == wanted | {"error": ""} and fnmatchcase(error, wanted.get("error", ""))


def test_a_failure_has_the_workers_traceback(endings: dict[str, Ended]) -> None:
    traceback = endings["FAILURE"].message["traceback"]
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.rstrip().endswith("ValueError: فشل المزامنة ✗")
    assert "user_app/endings.py" in traceback
    assert "sundial_runner" not in traceback


def test_a_task_that_tells_its_progress_is_waited_for(shared_world: World) -> None:
    run = shared_world.start("reports.progress")
    run.until_says(f"task {run.id} is PROGRESS")
    shared_world.release(run.id)
    ended = run.finish()
    assert (ended.code, ended.message["task"]) == (0, {"id": run.id, "state": "SUCCESS"})


def test_a_task_that_has_started_is_waited_for(shared_world: World) -> None:
    run = shared_world.start("reports.tracked_hold")
    run.until_says(f"task {run.id} is STARTED")
    shared_world.release(run.id)
    assert run.finish().message["result"] == {"held": True}


def test_a_large_result_is_cut_to_the_size_of_a_message(shared_world: World) -> None:
    run = shared_world.start("reports.big", {"size": 1_000_000})
    ended = run.finish()
    assert 3900 < run.measure_message() <= 4096
    assert ended.message["result"]["ok"] is True
    assert ended.message["truncated"] == ["result.text"]


@pytest.mark.parametrize(
    "environment",
    [{"SUNDIAL_CELERY_WAIT": "false"}, {"CELERY_RESULT_BACKEND": ""}],
    ids=["not to be waited for", "no result backend"],
)
def test_a_task_may_be_only_sent(shared_world: World, environment: dict[str, str]) -> None:
    run = shared_world.start("reports.plain_hold", **environment)
    ended = run.finish()
    task = {"id": run.id, "state": "DISPATCHED"}
    assert (ended.code, ended.message) == (0, {"sundial": 1, "task": task, "result": {"dispatched": True}})
    shared_world.until_begun(run.id)
    shared_world.release(run.id)
    until(lambda: "done" in shared_world.read_marks(run.id))


def test_a_queue_without_a_worker_is_named(world: World) -> None:
    world.start_worker()
    run = world.start("reports.add", {"x": 1}, SUNDIAL_CELERY_QUEUE="typo_queue")
    run.until_says("no worker takes tasks from queue typo_queue (1 workers answer)")
    run.stop()
    ended = run.finish()
    assert (ended.code, ended.message["task"]["state"]) == (143, "REVOKED")
    assert ended.message["error"] == (
        "stopped by SIGTERM: the task is REVOKED; "
        "no worker takes tasks from queue typo_queue (1 workers answer)"
    )


def test_a_result_in_pickle_needs_the_application(redis_world: World) -> None:
    redis_world.start_worker(RESULT_SERIALIZER="pickle")
    bare = redis_world.start("reports.add", {"x": 1})
    with_app = redis_world.start(
        "reports.add", {"x": 1}, SUNDIAL_CELERY_APP="catalog", RESULT_SERIALIZER="pickle"
    )
    ended = bare.finish()
    assert (ended.code, with_app.finish().message["result"]) == (78, {"sum": 3})
    assert ended.message["error"].startswith(
        "the task has ended, its result cannot be read, perhaps for want of handler.celery.app: DecodeError"
    )
