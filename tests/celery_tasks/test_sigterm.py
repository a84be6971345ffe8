"""What does SIGTERM do to a run of a task? It revokes: a Pod cannot tell a cancel from a drain."""

import signal
from pathlib import Path

from testkit.celery_worlds.servers import Redis, listen_in_silence
from testkit.celery_worlds.worlds import World

from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.polling import until


def test_a_task_is_revoked_and_cleans_up(shared_world: World) -> None:
    run = shared_world.start("reports.plain_hold")
    shared_world.until_begun(run.id)
    run.stop()
    ended = run.finish()
    assert (ended.code, ended.message) == (
        143,
        {
            "sundial": 1,
            "task": {"id": run.id, "state": "REVOKED"},
            "error": "stopped by SIGTERM: the task is REVOKED",
        },
    )
    assert until(lambda: shared_world.read_marks(run.id)[1:]) == ["finally"]


def test_a_task_that_is_deaf_to_sigterm_goes_on(shared_world: World) -> None:
    run = shared_world.start("endings.be_deaf")
    shared_world.until_begun(run.id)
    run.stop()
    assert run.finish().message["task"]["state"] == "REVOKED"
    shared_world.release(run.id)
    until(lambda: "done" in shared_world.read_marks(run.id))


def test_a_task_of_a_threads_pool_goes_on_to_its_end(world: World, redis: Redis) -> None:
    world.start_worker("-P", "threads")
    run = world.start("reports.plain_hold")
    world.until_begun(run.id)
    run.stop()
    error = "stopped by SIGTERM: the task was revoked, and has not ended; 1 workers answer"
    assert run.finish().message["error"] == error
    world.release(run.id)
    until(lambda: redis.read_state(world.surroundings.backend, run.id) == "SUCCESS")


def test_a_task_that_no_worker_has_may_still_run(world: World) -> None:
    run = world.start("reports.add", {"x": 1})
    run.until_says("sent reports.add")
    run.stop()
    ended = run.finish()
    assert (ended.code, ended.message["task"]) == (143, {"id": run.id, "state": "PENDING"})
    assert ended.message["error"] == (
        "stopped by SIGTERM: the task was revoked, but no worker answers: it may still run"
    )


def test_a_task_that_has_just_succeeded_has_its_result(shared_world: World, redis: Redis) -> None:
    run = shared_world.start("reports.plain_hold")
    shared_world.until_begun(run.id)
    run.signal_all(signal.SIGSTOP)
    shared_world.release(run.id)
    until(lambda: redis.read_state(shared_world.surroundings.backend, run.id) == "SUCCESS")
    run.stop()
    run.signal_all(signal.SIGCONT)
    ended = run.finish()
    assert (ended.code, ended.message["result"]) == (0, {"held": True})


def test_nothing_was_sent_while_the_broker_was_silent(world: World) -> None:
    scheme = world.surroundings.broker.partition(":")[0]
    with listen_in_silence() as port:
        run = world.start("reports.add", CELERY_BROKER_URL=f"{scheme}://{LOOPBACK}:{port}//")
        until(lambda: _is_connected(port))
        run.stop()
        ended = run.finish()
    error = "stopped by SIGTERM: nothing was sent"
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": error})


def test_nothing_was_sent_while_the_application_was_imported(redis_world: World) -> None:
    run = redis_world.start("reports.add", SUNDIAL_CELERY_APP="slow_app")
    run.until_says("importing")
    run.stop()
    ended = run.finish()
    assert (ended.code, ended.message["error"]) == (143, "stopped by SIGTERM: nothing was sent")


def test_connections_that_were_cut_meanwhile_are_made_anew(redis_world: World, redis: Redis) -> None:
    redis_world.start_worker()
    run = redis_world.start("reports.plain_hold")
    redis_world.until_begun(run.id)
    redis.cut_connections(redis_world.surroundings.broker)
    assert redis_world.run("reports.add", {"x": 1}).code == 0  # the worker is back
    run.stop()
    assert run.finish().message["error"] == "stopped by SIGTERM: the task is REVOKED"


def test_the_tasks_of_earlier_attempts_are_revoked_while_they_are_looked_for(redis_world: World) -> None:
    worker = redis_world.start_worker()
    first = redis_world.start("reports.plain_hold")
    redis_world.until_begun(first.id)
    first.kill()
    worker.process.send_signal(signal.SIGSTOP)
    second = redis_world.start_attempt(2, first, "reports.plain_hold")
    second.until_says("no worker has answered")
    second.stop()
    ended = second.finish()
    worker.process.send_signal(signal.SIGCONT)
    error = "stopped by SIGTERM: the tasks of earlier attempts were revoked"
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": error})
    assert until(lambda: redis_world.read_marks(first.id)[1:]) == ["finally"]


def test_a_broker_that_has_fallen_silent_does_not_use_up_the_grace(redis_world: World, redis: Redis) -> None:
    redis_world.start_worker()
    run = redis_world.start("reports.plain_hold", SUNDIAL_GRACE_SECONDS="4")
    redis_world.until_begun(run.id)
    redis.send_signal(signal.SIGSTOP)
    run.stop()
    try:
        ended = run.finish()
    finally:
        redis.send_signal(signal.SIGCONT)
    assert (ended.code, ended.message["task"]) == (143, {"id": run.id, "state": "PENDING"})
    assert ended.message["error"].startswith("stopped by SIGTERM: revoking took too long, the task may go on")


def _is_connected(port: int) -> bool:
    """Tell whether somebody is connected to a port of the loopback (proc(5), net/tcp; state 01)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)
