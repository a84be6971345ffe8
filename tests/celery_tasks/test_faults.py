"""What becomes of a run when broker, result backend or worker fail?"""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import pytest
from testkit.celery_worlds.servers import answer_no_syn, listen_in_silence, run_redis
from testkit.celery_worlds.worlds import World
from testkit.runner_processes import Ended
from testkit.wires import lay_wire

from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.polling import until

PASSWORD = "hunter2hunter2"
QUICK = {"SUNDIAL_DISPATCH_SECONDS": "1"}
BROKER_FIRST = {"SUNDIAL_DISPATCH_SECONDS": "4"}


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize(
    ("place", "why"),
    [(f"{LOOPBACK}:1", "Connection refused"), ("no-such-name.invalid:6379", "ame")],
    ids=["refused", "unknown name"],
)
def test_a_broker_that_is_not_there_is_tried_for_a_while(
    redis_world: World, scheme: str, place: str, why: str
) -> None:
    url = f"{scheme}://user:{PASSWORD}@{place}//"
    ended = redis_world.run("reports.add", CELERY_BROKER_URL=url, **QUICK)
    error = ended.message["error"]
    assert (ended.code, "task" in ended.message) == (69, False)
    assert error.startswith(f"the broker {scheme}://user:***@")
    assert "could not be reached within 1 s, nothing was sent: " in error
    assert why in error
    assert PASSWORD not in error + ended.log


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("listen", [listen_in_silence, answer_no_syn], ids=["silent", "SYN unanswered"])
def test_a_broker_that_does_not_answer_is_given_up(
    redis_world: World, scheme: str, listen: Callable[[], AbstractContextManager[int]]
) -> None:
    with listen() as port:
        url = f"{scheme}://user:{PASSWORD}@{LOOPBACK}:{port}//"
        ended = redis_world.run("reports.add", CELERY_BROKER_URL=url, **QUICK)
    assert ended.code == 69
    assert "could not be reached within 1 s, nothing was sent: no answer" in ended.message["error"]
    assert PASSWORD not in ended.message["error"] + ended.log


@pytest.mark.parametrize("listen", [listen_in_silence, answer_no_syn], ids=["silent", "SYN unanswered"])
def test_nothing_is_sent_while_the_result_backend_does_not_answer(
    world: World, listen: Callable[[], AbstractContextManager[int]]
) -> None:
    with listen() as port:
        url = f"redis://:{PASSWORD}@{LOOPBACK}:{port}/0"
        run = world.start("reports.add", {"x": 1}, CELERY_RESULT_BACKEND=url, **BROKER_FIRST)
        _assert_backend_missing(world, run.finish())


def test_nothing_is_sent_while_the_result_backend_refuses(world: World) -> None:
    url = f"redis://:{PASSWORD}@{LOOPBACK}:1/0"
    _assert_backend_missing(
        world, world.run("reports.add", {"x": 1}, CELERY_RESULT_BACKEND=url, **BROKER_FIRST)
    )


def _assert_backend_missing(world: World, ended: Ended) -> None:
    world.start_worker()
    probe = world.run("reports.add", {"x": 1})
    assert (ended.code, probe.code, world.count_starts()) == (69, 0, 1)
    assert ended.message["error"].startswith("the result backend redis://:***@")
    assert "could not be reached within 4 s, nothing was sent" in ended.message["error"]
    assert PASSWORD not in ended.message["error"] + ended.log


def test_a_queue_with_other_arguments_needs_the_application(rabbitmq_world: World) -> None:
    rabbitmq_world.start_worker()
    bare = rabbitmq_world.start("reports.ranked", SUNDIAL_CELERY_QUEUE="ranked_queue")
    with_app = rabbitmq_world.start(
        "reports.ranked", SUNDIAL_CELERY_QUEUE="ranked_queue", SUNDIAL_CELERY_APP="catalog"
    )
    ended = bare.finish()
    assert (ended.code, with_app.finish().message["result"]) == (69, {"result": "ranked"})
    assert "PRECONDITION_FAILED" in ended.message["error"]
    assert "x-max-priority" in ended.message["error"]
    assert ended.message["error"].endswith(
        "set handler.celery.app to the application that declares the queue so"
    )


@pytest.mark.parametrize("has_worker", [True, False], ids=["begun", "not begun"])
def test_a_task_whose_sending_is_not_answered_is_known_by_its_state(
    redis_world: World, *, has_worker: bool
) -> None:
    if has_worker:
        redis_world.start_worker()
    broker = urlsplit(redis_world.surroundings.broker)
    with lay_wire((LOOPBACK, int(broker.port or 0))) as wire:
        wire.freeze_after(b"LPUSH")
        url = f"redis://{LOOPBACK}:{wire.port}{broker.path}"
        ended = redis_world.run("reports.add", {"x": 1}, CELERY_BROKER_URL=url, **BROKER_FIRST)
    if has_worker:
        assert (ended.code, ended.message["task"]["state"]) == (0, "SUCCESS")
    else:
        assert (ended.code, ended.message["task"]["state"]) == (69, "PENDING")
        assert "did not take the task within 4 s, perhaps after it was sent" in ended.message["error"]


def test_a_message_that_rabbitmq_refuses_is_no_task(rabbitmq_world: World) -> None:
    ended = rabbitmq_world.run("reports.lost", SUNDIAL_CELERY_APP="catalog")
    assert ended.code == 69
    assert ended.message["error"].startswith(
        "the broker did not take the task, nothing was sent: MessageNacked"
    )


def test_a_worker_that_died_gives_its_task_to_another_on_rabbitmq(rabbitmq_world: World) -> None:
    worker = rabbitmq_world.start_worker()
    run = rabbitmq_world.start("reports.late_hold")
    rabbitmq_world.until_begun(run.id)
    worker.kill()
    rabbitmq_world.start_worker()
    until(lambda: rabbitmq_world.count_starts() == 2)
    rabbitmq_world.release(run.id)
    assert run.finish().message["result"] == {"held": True}


@pytest.mark.parametrize("task", ["reports.plain_hold", "reports.late_hold"])
def test_a_task_that_died_with_its_worker_never_ends(redis_world: World, task: str) -> None:
    worker = redis_world.start_worker()
    run = redis_world.start(task)
    redis_world.until_begun(run.id)
    worker.kill()
    redis_world.start_worker()
    probe = redis_world.run("reports.add", {"x": 1})
    run.stop()
    ended = run.finish()
    assert (probe.code, ended.code, ended.message["task"]["state"]) == (0, 143, "REVOKED")
    assert redis_world.count_starts() == 2


class TestResultBackendThatGoesAway:
    """What has answered once is waited for."""

    def test_it_comes_back(self, redis_world: World) -> None:
        with run_redis() as backend:
            redis_world.use_backend(backend.make_world())
            redis_world.start_worker()
            run = redis_world.start("reports.plain_hold")
            redis_world.until_begun(run.id)
            backend.stop()
            run.until_says("the result backend does not answer")
            backend.start()
            redis_world.release(run.id)
            ended = run.finish()
        assert (ended.code, ended.message["result"]) == (0, {"held": True})
        assert ended.log.count("the result backend does not answer") == 1

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["refuses", "is silent"])
    def test_it_is_given_up_after_a_while(self, redis_world: World, number: int) -> None:
        limits = {
            "AWAY_SECONDS = 300.0": "AWAY_SECONDS = 2.0",
            "ANSWER_SECONDS = 30.0": "ANSWER_SECONDS = 0.5",
        }
        redis_world.change_source("celery_tasks/waiting.py", limits)
        redis_world.start_worker()
        with run_redis() as backend:
            run = redis_world.start("reports.plain_hold", CELERY_RESULT_BACKEND=backend.make_world())
            redis_world.until_begun(run.id)
            backend.send_signal(number)
            ended = run.finish()
        redis_world.release(run.id)
        assert (ended.code, ended.message["task"]["id"]) == (69, run.id)
        assert ended.message["error"].startswith(
            "the result backend has not answered for 2 s, the task may run: "
        )
