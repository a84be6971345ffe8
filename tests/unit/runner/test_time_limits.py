"""Does an alarm end what may never answer?"""

import signal
import socket

import pytest

from sundial_runner.celery_tasks.time_limits import TimeIsUp, limit_time


def test_what_is_in_time_goes_on() -> None:
    with limit_time(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def wait_twice(near: socket.socket, first: type[BaseException]) -> None:
    try:
        near.recv(1)
    except first:
        near.recv(1)


@pytest.mark.parametrize("first", [TimeIsUp, Exception], ids=["cleaning up", "a handler of exceptions"])
def test_a_call_that_waits_is_interrupted_and_so_is_what_comes_after(first: type[BaseException]) -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(TimeIsUp), limit_time(0.05):
        wait_twice(near, first)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
