"""Which application sends a task, with which options, and when is it refused before anything is sent?"""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from testkit.celery_worlds.servers import Redis
from testkit.celery_worlds.worlds import World
from testkit.runner_processes import find_newest_python

from sundial_devcluster.polling import until

WITH_APP = {"SUNDIAL_CELERY_APP": "catalog"}
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    "task", ["another.registered.name", "reports.routed"], ids=["registered name", "dotted path"]
)
@pytest.mark.parametrize("app", ["catalog", "catalog:app", "catalog.app"])
def test_a_task_of_the_application_goes_to_its_own_queue_and_tells_its_result(
    shared_world: World, task: str, app: str
) -> None:
    ended = shared_world.run(task, SUNDIAL_CELERY_APP=app)
    assert (ended.code, ended.message["result"]) == (0, {"queue": "file_queue"})


def test_the_queue_of_the_handler_wins(shared_world: World) -> None:
    ended = shared_world.run("another.registered.name", SUNDIAL_CELERY_QUEUE="celery", **WITH_APP)
    assert ended.message["result"] == {"queue": "celery"}


def test_a_name_that_only_the_workers_know_is_sent(shared_world: World) -> None:
    ended = shared_world.run("nowhere.known", **WITH_APP)
    assert (ended.code, ended.message["error"]) == (1, "NotRegistered: 'nowhere.known'")


@pytest.mark.parametrize(
    ("task", "environment"),
    [
        pytest.param("reports.plain_hold", {"SUNDIAL_TIMEOUT_SECONDS": "1"}, id="the timeout"),
        pytest.param("reports.short_hold", {"SUNDIAL_TIMEOUT_SECONDS": "600", **WITH_APP}, id="its own"),
        pytest.param("reports.late_hold", {"SUNDIAL_TIMEOUT_SECONDS": "1", **WITH_APP}, id="no own"),
    ],
)
def test_a_task_that_nobody_took_in_time_is_discarded(
    world: World, task: str, environment: dict[str, str]
) -> None:
    run = world.start(task, **environment)
    run.until_says(f"sent {task}")
    expires = time.monotonic() + 1.5
    run.kill()
    until(lambda: time.monotonic() > expires)
    world.start_worker()
    assert world.run("reports.add", {"x": 1}).code == 0
    assert (world.read_marks(run.id), world.count_starts()) == ([], 1)


REFUSALS = {
    "no such application": (
        {"SUNDIAL_CELERY_APP": "nowhere"},
        "nowhere: there is no module nowhere; it was looked for in the working directory and in PYTHONPATH",
    ),
    "no such attribute": (
        {"SUNDIAL_CELERY_APP": "catalog:nothing"},
        "catalog:nothing is no Celery application: write module or module:attribute, as for celery -A",
    ),
    "a module without one": (
        {"SUNDIAL_CELERY_APP": "no_app"},
        "no_app is no Celery application: write module or module:attribute, as for celery -A",
    ),
    "no broker": (
        {"CELERY_BROKER_URL": ""},
        "there is no broker: set handler.celery.app, or CELERY_BROKER_URL in the template",
    ),
    "no such transport": (
        {"CELERY_BROKER_URL": "carrier-pigeon://loft"},
        "the broker could not be reached: KeyError: 'No such transport: carrier-pigeon'",
    ),
    "no such backend": (
        {"CELERY_RESULT_BACKEND": "carrier-pigeon://loft"},
        "the result backend cannot be used: ModuleNotFoundError: No module named 'carrier-pigeon'",
    ),
    "a transport that the image lacks": (
        {"CELERY_BROKER_URL": "mongodb://127.0.0.1:1/x"},
        "the broker could not be reached: ModuleNotFoundError: No module named 'pymongo'",
    ),
    "eager": (
        {"SUNDIAL_CELERY_APP": "eager"},
        "the Celery application has task_always_eager: no worker would get the task",
    ),
    "arguments": (
        {"SUNDIAL_ARGS": '{"z": 1}', **WITH_APP},
        "reports.add: the arguments do not fit: add() got an unexpected keyword argument 'z'",
    ),
    "arguments in a list": ({"SUNDIAL_ARGS": "[1]"}, "SUNDIAL_ARGS is no JSON object"),
    "no run": ({"SUNDIAL_RUN_ID": "today"}, "SUNDIAL_RUN_ID is no UUID: the id of the task is made of it"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_fit_is_not_sent(redis_world: World, redis: Redis, name: str) -> None:
    environment, error = REFUSALS[name]
    ended = redis_world.run("reports.add", **environment)
    assert (ended.code, ended.message.keys()) == (78, {"sundial", "error"}), ended
    assert ended.message["error"].startswith(error)
    assert redis.ask(redis_world.surroundings.broker, "LLEN", "celery") == "0"


def test_a_broken_application_has_its_own_traceback(redis_world: World) -> None:
    ended = redis_world.run("reports.add", SUNDIAL_CELERY_APP="broken_app")
    assert (ended.code, ended.message["error"]) == (
        1,
        "ModuleNotFoundError: No module named 'no_such_dependency'",
    )
    assert ended.message["traceback"].count("  File") == 1


def test_an_image_without_celery_is_told_so(redis_world: World) -> None:
    redis_world.surroundings = replace(redis_world.surroundings, python=Path(find_newest_python()))
    ended = redis_world.run("reports.add")
    assert (ended.code, ended.message["error"]) == (
        78,
        "the image has no Celery: install it there, or name the image of the workers in the template",
    )
