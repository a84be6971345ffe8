"""How far the local clock is off, from Date headers: surely so, whatever a single answer says."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from sundial_kube.server_clock import ServerClock

START = 1_800_000_000.0


class Clocks:
    """A machine whose wall clock is `ahead` of the API server's; time passes by `now`."""

    def __init__(self, ahead: float = 0) -> None:
        self.now = 0.0
        self.ahead = ahead
        self.server = ServerClock(lambda: START + self.now + self.ahead, lambda: 100 + self.now)

    def ask(self, times: int = 1, *, wrong: float = 0, every: float = 2, takes: float = 0.01) -> float:
        """Ask some times; the server's Date is `wrong` by so much. Returns the skew that is seen."""
        for _ in range(times):
            self.now += every
            date = formatdate(int(START + self.now + takes / 2 + wrong), usegmt=True)
            sent_at = 100 + self.now
            self.now += takes
            self.server.observe(date, sent_at)
        return self.server.skew_seconds


def test_without_an_answer_nothing_is_known() -> None:
    assert Clocks(ahead=999).server.skew_seconds == 0


@pytest.mark.parametrize("ahead", [0, 0.3, -0.3, 4, 59, 61, 86400, -6, -3600])
@pytest.mark.parametrize("every", [1.1, 1.37, 10])
def test_the_skew_is_known_within_a_second_and_never_overstated(ahead: float, every: float) -> None:
    seen = Clocks(ahead).ask(9, every=every)
    assert abs(ahead) - 1.1 <= abs(seen) <= abs(ahead)
    assert seen * ahead >= 0


def test_a_slow_answer_is_no_skew() -> None:
    clocks = Clocks()
    clocks.ask(9)
    assert clocks.ask(5, takes=14) == 0


@pytest.mark.parametrize(("odd", "is_believed"), [(1, False), (2, False), (3, True), (5, True)])
def test_a_few_odd_answers_change_nothing(odd: int, is_believed: bool) -> None:  # noqa: FBT001 - a row
    clocks = Clocks()
    clocks.ask(5)
    assert (abs(clocks.ask(odd, wrong=3600)) > 60) == is_believed


def test_many_answers_at_once_count_as_one() -> None:
    clocks = Clocks()
    clocks.ask(5)
    assert clocks.ask(50, wrong=3600, every=0.001, takes=0.001) == 0


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_wall_clock_that_is_set_shows_without_another_answer(ahead: float) -> None:
    clocks = Clocks()
    clocks.ask(5)
    clocks.ahead = ahead
    assert clocks.server.skew_seconds == pytest.approx(ahead, abs=1.1)


@pytest.mark.parametrize("date", [None, "yesterday", ""])
def test_what_is_no_date_is_not_taken(date: str | None) -> None:
    clocks = Clocks(ahead=100)
    clocks.ask(1)
    clocks.server.observe(date, 0)
    assert clocks.server.skew_seconds == pytest.approx(100, abs=1.1)
