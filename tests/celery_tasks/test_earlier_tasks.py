"""What does attempt k do about the tasks of the attempts before it? Never do two of them run at a time."""

import signal
import uuid

import pytest
from testkit.celery_worlds.servers import Redis
from testkit.celery_worlds.worlds import Run, World

from sundial_devcluster.polling import until

TEXT = {"reports.say": "value", "endings.fail": "text"}
"""The argument of a task that takes a text."""


def name_task(run: Run, attempt: int) -> str:
    return str(uuid.uuid5(uuid.UUID(run.id), str(attempt)))


def lose(world: World, task: str, args: object = None) -> Run:
    """Start a run, and lose its node once the task has begun."""
    run = world.start(task, args)
    world.until_begun(run.id)
    run.kill()
    return run


def test_an_earlier_success_is_taken(shared_world: World) -> None:
    first = shared_world.start("reports.add", {"x": 1})
    first.finish()
    ended = shared_world.start_attempt(2, first, "reports.add", {"x": 1}).finish()
    assert ended.message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert (ended.code, ended.message["result"]) == (0, {"sum": 3})
    assert shared_world.read_marks(name_task(first, 2)) == []


@pytest.mark.parametrize(
    ("task", "sign"),
    [
        pytest.param("reports.tracked_hold", "is STARTED", id="STARTED"),
        pytest.param("reports.progress", "is PROGRESS", id="a state of its own"),
        pytest.param("reports.plain_hold", "a worker has task", id="PENDING, a worker has it"),
    ],
)
def test_an_earlier_task_that_runs_is_waited_for(shared_world: World, task: str, sign: str) -> None:
    first = lose(shared_world, task)
    second = shared_world.start_attempt(2, first, task)
    second.until_says(sign)
    shared_world.release(first.id)
    assert second.finish().message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert shared_world.read_marks(name_task(first, 2)) == []


def test_an_earlier_task_that_retries_is_waited_for(shared_world: World) -> None:
    first = lose(shared_world, "reports.retrying")
    ended = shared_world.start_attempt(2, first, "reports.retrying").finish()
    assert (ended.code, ended.message["task"]["id"]) == (0, first.id)
    assert shared_world.read_marks(name_task(first, 2)) == []


def test_after_a_failure_the_next_attempt_sends_its_own(shared_world: World) -> None:
    first = shared_world.start("endings.fail")
    first.finish()
    second = shared_world.start_attempt(2, first, "endings.fail").finish()
    third = shared_world.start_attempt(3, first, "endings.fail").finish()
    assert [one.message["task"]["id"] for one in (second, third)] == [name_task(first, k) for k in (2, 3)]
    assert [len(shared_world.read_marks(name_task(first, k))) for k in (2, 3)] == [1, 1]


def test_after_a_revoked_task_the_next_attempt_sends_its_own(shared_world: World) -> None:
    first = shared_world.start("reports.plain_hold")
    shared_world.until_begun(first.id)
    first.stop()
    assert first.finish().message["task"] == {"id": first.id, "state": "REVOKED"}
    second = shared_world.start_attempt(2, first, "reports.plain_hold")
    shared_world.until_begun(name_task(first, 2))
    shared_world.release(name_task(first, 2))
    assert second.finish().message["task"] == {"id": name_task(first, 2), "state": "SUCCESS"}


def test_a_second_pod_of_an_attempt_takes_its_failure(shared_world: World) -> None:
    first = shared_world.start("endings.fail")
    first.finish()
    again = shared_world.start("endings.fail", run_id=first.id).finish()
    assert (again.code, again.message["task"]["state"]) == (1, "FAILURE")
    assert shared_world.read_marks(first.id) == ["start"]


def test_a_task_that_a_worker_has_put_aside_is_waited_for(world: World) -> None:
    world.start_worker("-c", "1")
    busy = world.start("reports.plain_hold")
    world.until_begun(busy.id)
    first = world.start("reports.plain_hold")
    first.until_says("sent reports.plain_hold")
    first.kill()
    second = world.start_attempt(2, first, "reports.plain_hold")
    second.until_says("a worker has task")
    for one in (busy, first):
        world.release(one.id)
    assert second.finish().message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert world.count_starts() == 2


@pytest.mark.parametrize(("task", "state"), [("reports.say", "SUCCESS"), ("endings.fail", "FAILURE")])
def test_a_task_that_may_be_queued_is_waited_for(world: World, task: str, state: str) -> None:
    first = world.start(task, {TEXT[task]: "x"})
    first.until_says(f"sent {task}")
    first.kill()
    later = [world.start_attempt(k, first, task, {TEXT[task]: "x"}) for k in (2, 3)]
    for one in later:
        one.until_says("a task of an earlier attempt may be in queue celery")
    world.start_worker()
    for one in later:
        assert one.finish().message["task"] == {"id": first.id, "state": state}
    assert world.count_starts() == 1


def test_a_task_that_died_with_its_worker_is_sent_anew(world: World) -> None:
    worker = world.start_worker()
    first = lose(world, "reports.plain_hold")
    worker.kill()
    world.start_worker()
    second = world.start_attempt(2, first, "reports.plain_hold")
    own = name_task(first, 2)
    world.until_begun(own)
    world.release(own)
    assert second.finish().message["task"] == {"id": own, "state": "SUCCESS"}
    assert "no worker knows it, and the queue is empty" in second.finish().log
    assert (world.count_starts(), world.read_marks(first.id)[1:]) == (2, [])


def test_a_task_that_died_with_the_only_worker_is_sent_anew_when_another_one_comes(world: World) -> None:
    worker = world.start_worker()
    first = lose(world, "reports.plain_hold")
    worker.kill()
    second = world.start_attempt(2, first, "reports.plain_hold", SUNDIAL_DISPATCH_SECONDS="6")
    second.until_says("no worker has answered", times=4)
    world.start_worker()
    own = name_task(first, 2)
    world.until_begun(own)
    world.release(own)
    assert second.finish().message["task"] == {"id": own, "state": "SUCCESS"}
    assert world.count_starts() == 2


def test_a_worker_that_cannot_answer_while_it_works_is_waited_for(world: World) -> None:
    world.start_worker("-P", "solo")
    first = lose(world, "reports.plain_hold")
    second = world.start_attempt(2, first, "reports.plain_hold")
    second.until_says("no worker has answered", times=4)
    world.release(first.id)
    assert second.finish().message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert world.count_starts() == 1


def test_a_worker_that_is_slow_to_answer_is_asked_twice(redis_world: World) -> None:
    worker = redis_world.start_worker("-P", "threads")
    first = lose(redis_world, "reports.plain_hold")
    worker.process.send_signal(signal.SIGSTOP)
    second = redis_world.start_attempt(2, first, "reports.plain_hold")
    second.until_says("no worker has answered")
    worker.process.send_signal(signal.SIGCONT)
    second.until_says("a worker has task")
    redis_world.release(first.id)
    assert second.finish().message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert redis_world.count_starts() == 1


def test_a_task_that_ends_while_it_is_looked_for_is_taken(redis_world: World, redis: Redis) -> None:
    worker = redis_world.start_worker("-P", "threads")
    first = lose(redis_world, "reports.plain_hold")
    worker.process.send_signal(signal.SIGSTOP)
    second = redis_world.start_attempt(2, first, "reports.plain_hold")
    second.until_says("no worker has answered")
    second.signal_all(signal.SIGSTOP)
    redis_world.release(first.id)
    worker.process.send_signal(signal.SIGCONT)
    until(lambda: redis.read_state(redis_world.surroundings.backend, first.id) == "SUCCESS")
    second.signal_all(signal.SIGCONT)
    assert second.finish().message["task"] == {"id": first.id, "state": "SUCCESS"}
    assert redis_world.count_starts() == 1


def test_without_a_result_backend_each_attempt_sends_its_own(shared_world: World) -> None:
    first = shared_world.start("reports.add", {"x": 1}, CELERY_RESULT_BACKEND="")
    first.finish()
    second = shared_world.start_attempt(2, first, "reports.add", {"x": 1}, CELERY_RESULT_BACKEND="")
    assert second.finish().message["task"]["id"] == name_task(first, 2)
    until(lambda: shared_world.read_marks(name_task(first, 2)) == ["start"])


class TestResultsByRpc:
    """Only who sent a task gets its result: what earlier attempts sent is ended first."""

    @pytest.fixture
    def rpc(self, rabbitmq_world: World) -> World:
        rabbitmq_world.use_backend("rpc://")
        return rabbitmq_world

    def test_the_sender_gets_it(self, rpc: World) -> None:
        rpc.start_worker()
        ended = rpc.run("reports.add", {"x": 1})
        assert (ended.code, ended.message["result"]) == (0, {"sum": 3})

    def test_an_earlier_task_is_ended_before_the_next_is_sent(self, rpc: World) -> None:
        rpc.start_worker()
        first = lose(rpc, "reports.plain_hold")
        second = rpc.start_attempt(2, first, "reports.plain_hold")
        own = name_task(first, 2)
        rpc.until_begun(own)
        assert rpc.read_marks(first.id)[1:] == ["finally"]
        rpc.release(own)
        assert second.finish().message["task"] == {"id": own, "state": "SUCCESS"}

    def test_an_earlier_task_that_goes_on_keeps_the_next_from_being_sent(self, rpc: World) -> None:
        rpc.start_worker("-P", "threads")
        first = lose(rpc, "reports.plain_hold")
        second = rpc.start_attempt(2, first, "reports.plain_hold", SUNDIAL_DISPATCH_SECONDS="4").finish()
        rpc.release(first.id)
        assert (second.code, rpc.count_starts()) == (69, 1)
        assert "nothing was sent" in second.message["error"]

    def test_an_earlier_task_in_the_queue_keeps_the_next_from_being_sent(self, rpc: World) -> None:
        first = rpc.start("reports.add", {"x": 1})
        first.until_says("sent reports.add")
        first.kill()
        second = rpc.start_attempt(2, first, "reports.add", {"x": 1}).finish()
        assert second.code == 69
        assert second.message["error"].startswith(
            "nothing was sent: the task of an earlier attempt may be in queue celery"
        )
