"""When an operator is alive, and when it is ready, as far as its watches tell."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sundial_operator.health import Check, check_loops, check_news


@dataclass
class Watch:
    """A watch that was last heard, and last stirred, at these times."""

    heard_at: float
    stirred_at: float
    plural: str = "jobs"


RUNS = Watch(990, 990, "pods")


@pytest.mark.parametrize(
    ("watch", "is_alive", "is_ready"),
    [
        pytest.param(Watch(999, 999), True, True, id="it hears"),
        pytest.param(Watch(701, 999), True, True, id="it has not heard for a while"),
        pytest.param(Watch(700, 999), True, False, id="its attempts fail: nothing that a restart mends"),
        pytest.param(Watch(690, 701), True, False, id="its attempts take long"),
        pytest.param(Watch(700, 700), False, False, id="it stands still"),
    ],
)
def test_what_a_watch_says_of_the_process(watch: Watch, *, is_alive: bool, is_ready: bool) -> None:
    watches = [RUNS, watch, RUNS]
    assert (check_loops(watches, 1000).ok, check_news(watches, 1000).ok) == (is_alive, is_ready)


def test_the_watch_that_is_silent_is_named() -> None:
    assert check_news([RUNS, Watch(600, 999)], 1000) == Check(False, "nothing was heard of jobs for 400 s")


def test_before_the_first_list_there_is_nothing_to_complain_of() -> None:
    assert (check_loops([], 1000).ok, check_news([], 1000).ok) == (True, True)
