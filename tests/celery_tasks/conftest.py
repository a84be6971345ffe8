from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testkit.celery_worlds.pythons import ensure_python
from testkit.celery_worlds.servers import RabbitMQ, Redis, run_rabbitmq, run_redis
from testkit.celery_worlds.worlds import Surroundings, World

BROKERS = ("redis", "rabbitmq")
MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def celery_python() -> Path:
    return ensure_python()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    with run_redis() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with run_rabbitmq() as server:
        yield server


@pytest.fixture(scope="module", params=BROKERS)
def shared_world(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    celery_python: Path,
    redis: Redis,
) -> Iterator[World]:
    """Give a world with a prefork worker to all tests of a file, each of which has task ids of its own."""
    surroundings = find_surroundings(request, request.param, celery_python, redis)
    with World(tmp_path_factory.mktemp("world"), surroundings) as world:
        world.start_worker("-c", "6")
        yield world


@pytest.fixture(params=BROKERS)
def world(
    request: pytest.FixtureRequest, tmp_path: Path, celery_python: Path, redis: Redis
) -> Iterator[World]:
    """Give a world without a worker to this test alone."""
    with World(tmp_path, find_surroundings(request, request.param, celery_python, redis)) as own:
        yield own


@pytest.fixture
def redis_world(
    request: pytest.FixtureRequest, tmp_path: Path, celery_python: Path, redis: Redis
) -> Iterator[World]:
    with World(tmp_path, find_surroundings(request, "redis", celery_python, redis)) as own:
        yield own


@pytest.fixture
def rabbitmq_world(
    request: pytest.FixtureRequest, tmp_path: Path, celery_python: Path, redis: Redis
) -> Iterator[World]:
    with World(tmp_path, find_surroundings(request, "rabbitmq", celery_python, redis)) as own:
        yield own


def find_surroundings(
    request: pytest.FixtureRequest, broker: str, python: Path, redis: Redis
) -> Surroundings:
    """Find a broker of this name, RabbitMQ only where a test wants it, and a result backend in Redis."""
    return Surroundings(python, request.getfixturevalue(broker).make_world(), redis.make_world())
