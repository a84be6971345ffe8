"""Whose write has its turn, when lanes share eight places and some of them are slow?"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable

import pytest

from sundial_operator.outputs import lanes
from sundial_operator.outputs.lanes import (
    HANGING_SECONDS,
    REMEMBERED_SECONDS,
    SLOW_SECONDS,
    Lanes,
    LaneTurn,
    Reply,
)

PLACES = 8
MOST = 32
STATUS, DELETE, EVENT = range(3)


class Desk:
    """Lanes whose writes begin as soon as they may; `begun` names the lanes of those that did, in order."""

    def __init__(self, places: int = PLACES, ranks: int = 1) -> None:
        self.lanes: Lanes[str] = Lanes(places, MOST, ranks)
        self.now = 0.0
        self.under_way: deque[LaneTurn[str]] = deque()
        self.begun = ""

    def add(self, names: str, times: int = 1, rank: int = 0) -> Desk:
        for name in names * times:
            self.lanes.add(name, rank, name, self.now)
        return self.begin()

    def begin(self) -> Desk:
        while (turn := self.lanes.begin(self.now)) is not None:
            self.begun += turn.write
            self.under_way.append(turn)
        return self

    def wait(self, seconds: float) -> Desk:
        self.now += seconds
        self.lanes.age(self.now)
        return self.begin()

    def end(self, names: str, outcome: Reply = Reply.ANSWERED) -> Desk:
        """End the oldest write of each lane that is named, one after the other."""
        for name in names:
            turn = next(turn for turn in self.under_way if turn.write == name)
            self.under_way.remove(turn)
            self.lanes.end(turn, outcome, self.now)
            self.begin()
        return self

    def slow_down(self, names: str) -> Desk:
        """Let each lane have a write of two seconds, and nothing after it."""
        for name in names:
            self.add(name).wait(2).end(name)
        self.begun = ""
        return self

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(turn.write for turn in self.under_way))


def test_a_lane_alone_has_all_places() -> None:
    assert Desk().add("a", 20).counts == {"a": 8}


@pytest.mark.parametrize(
    ("waiting", "ends", "begun"),
    [
        pytest.param("bbb", "a", "b", id="who has less goes first"),
        pytest.param("bbb", "aa", "bb", id="until it has its share"),
        pytest.param("bbbb", "aaaa", "bbab", id="then in turn"),
        pytest.param("bbccdd", "aaaaaa", "bcdbcd", id="all that have less, in turn"),
        pytest.param("b", "aaa", "baa", id="who waits no more holds up nobody"),
    ],
)
def test_a_lane_that_has_its_share_gives_way_to_those_that_have_less(
    waiting: str, ends: str, begun: str
) -> None:
    desk = Desk().add("a", 20)
    desk.begun = ""
    desk.add(waiting)
    assert desk.end(ends).begun == begun


@pytest.mark.parametrize(
    ("places", "ends", "begun"),
    [
        pytest.param(4, "aaa", "bba", id="two of four"),
        pytest.param(16, "aaaaa", "bbbba", id="four of sixteen"),
    ],
)
def test_a_share_is_a_quarter_and_two_at_least(places: int, ends: str, begun: str) -> None:
    desk = Desk(places).add("a", 40)
    desk.begun = ""
    assert desk.add("b", 40).end(ends).begun == begun


def test_one_place_goes_round() -> None:
    assert Desk(places=1).add("aaabbc").end("abcab").begun == "abcaba"


@pytest.mark.parametrize(
    ("seconds", "outcome", "count"),
    [
        pytest.param(0.9, Reply.ANSWERED, 8, id="answered in time"),
        pytest.param(1.1, Reply.ANSWERED, 1, id="answered late"),
        pytest.param(0.1, Reply.UNANSWERED, 1, id="not answered"),
        pytest.param(0.1, Reply.UNSENT, 8, id="not sent"),
    ],
)
def test_a_slow_lane_has_one_place(seconds: float, outcome: Reply, count: int) -> None:
    desk = Desk().add("a").wait(seconds).end("a", outcome)
    assert desk.add("z").add("a", 20).counts == {"z": 1, "a": min(count, 7)}


def test_slow_lanes_have_half_of_the_places_and_a_fast_one_the_rest() -> None:
    assert Desk().slow_down("abcdef").add("abcdef", 2).add("z", 9).counts == dict.fromkeys("abcd", 1) | {
        "z": 4
    }


def test_slow_lanes_do_not_wait_for_each_other_but_leave_the_places_to_fast_ones() -> None:
    names = "abcdefghijklmnopqrstuvwxyABCDEFGHIJKLMNO"
    desk = Desk().slow_down(names).add(names)
    for _ in range(9):
        desk.wait(0.25)
    assert len(desk.under_way) == MOST - PLACES
    assert desk.add("Z").counts["Z"] == 1
    assert desk.add("z", 20).counts["z"] == PLACES // 2 - 1


def test_a_lane_that_is_slow_by_mistake_is_soon_known_to_be_fast() -> None:
    desk = Desk().slow_down("abcdefgh").add("abcdefg").wait(0.25).add("abcdefg").wait(0.25).add("h")
    assert desk.counts["h"] == 1
    assert desk.end("h").add("h", 9).counts["h"] == 4


def test_lanes_that_turn_slow_together_hold_half_of_the_places_too() -> None:
    assert Desk().add("abcdef").wait(1.1).add("z", 9).counts["z"] == 4


def test_slow_lanes_have_their_places_in_turn_beside_those_that_always_wait() -> None:
    desk = Desk().slow_down("abc").add("xyzw", 20).add("abc")
    assert desk.counts == dict.fromkeys("xyzw", 2)
    assert desk.end("xyzw").counts.items() >= {"a": 1, "b": 1, "c": 1}.items()


def test_a_slow_lane_is_fast_again_after_one_that_is_answered_in_time() -> None:
    desk = Desk().slow_down("a").add("z").add("a", 20)
    assert desk.counts == {"z": 1, "a": 1}
    assert desk.end("a").counts == {"z": 1, "a": 7}


def test_a_lane_that_is_fast_again_is_not_remembered_as_slow() -> None:
    desk = Desk().slow_down("a").add("a").end("a")
    assert desk.lanes.count_slow(desk.now) == 0
    assert desk.add("z").add("a", 20).counts == {"z": 1, "a": 7}


def test_a_lane_that_was_slow_under_way_is_fast_again_by_the_next_answer() -> None:
    desk = Desk(places=1).add("aaa").wait(2).end("a").end("a")
    assert desk.lanes.count_slow(desk.now) == 0


def test_what_is_not_sent_leaves_a_slow_lane_slow() -> None:
    desk = Desk().slow_down("a").add("z").add("a", 20)
    assert desk.end("a", Reply.UNSENT).counts == {"z": 1, "a": 1}


def test_a_lane_stays_slow_while_one_of_its_writes_is_overdue() -> None:
    desk = Desk().add("z").add("a").wait(0.9).add("a", 20).wait(0.2)
    newest = desk.under_way.pop()
    desk.lanes.end(newest, Reply.ANSWERED, desk.now)
    assert desk.begin().counts == {"z": 1, "a": 6}


def test_nobody_waits_long_for_what_hangs() -> None:
    desk = Desk().add("a", 20).add("b", 20)
    assert "b" not in desk.counts
    assert desk.wait(0.25).counts == {"a": 8, "b": 1}
    assert desk.wait(0.9).counts == {"a": 8, "b": 7}
    assert desk.end("b").counts == {"a": 8, "b": 7}


def test_what_hung_and_has_ended_makes_no_room_beyond_the_places() -> None:
    desk = Desk().add("a", 8).wait(0.3).end("aaaaaaaa")
    assert len(desk.add("bcdefghijklmnop").under_way) == PLACES


def test_what_hangs_is_bounded() -> None:
    desk = Desk().add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 9)
    for _ in range(30):
        desk.wait(0.25)
    assert sum(desk.counts.values()) == MOST


def test_ranks_go_one_after_the_other() -> None:
    desk = Desk(places=1, ranks=3).add("s", 1, STATUS)
    desk.add("e", 1, EVENT).add("d", 1, DELETE).add("t", 1, STATUS)
    assert desk.end("stde").begun == "stde"


def test_a_slow_lanes_statuses_do_not_hold_up_the_deletes_of_others() -> None:
    desk = Desk(ranks=3).slow_down("a").add("a", 9, STATUS)
    assert desk.add("b", 1, DELETE).counts["b"] == 1


def test_it_is_forgotten_that_an_idle_lane_was_slow() -> None:
    desk = Desk().slow_down("a")
    assert desk.lanes.count_slow(desk.now) == 1
    desk.now += lanes.REMEMBERED_SECONDS
    assert desk.lanes.count_slow(desk.now) == 0
    assert desk.add("z").add("a", 3).counts["a"] == 3


def test_it_is_remembered_of_so_many_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_REMEMBERED", 2)
    desk = Desk().slow_down("abcd")
    assert desk.lanes.count_slow(desk.now) == 2


def test_what_waits_is_counted_and_dropped() -> None:
    desk = Desk().add("a", 10).wait(3).add("b").wait(4)
    one = desk.lanes
    assert (len(one), one.count_waiting("a"), one.compute_longest_wait(desk.now)) == (11, 2, 7)
    one.clear()
    assert (len(one), one.count_waiting("a"), one.compute_longest_wait(desk.now)) == (9, 0, 0)
    assert desk.end("aaaaaaaa").end("b").counts == {}


class Installation:
    """Slow lanes with 80 writes together every ten seconds, and a fast one with a write each second.

    `find_seconds(now, number)` is how long a write of a slow lane takes; each twentieth of the fast one takes
    a second and a bit. A tick is a twentieth of a second.
    """

    def __init__(self, slow: int, find_seconds: Callable[[float, int], float]) -> None:
        self.lanes: Lanes[str] = Lanes(16, 64, 1)
        self.slow = slow
        self.find_seconds = find_seconds
        self.ends: list[tuple[float, int, LaneTurn[str]]] = []
        self.begun = 0
        self.waits: list[float] = []

    def run(self, seconds: int) -> list[float]:
        """Find for how long each write of the fast lane waited."""
        for tick in range(seconds * 20):
            self._tick(tick, tick / 20)
        return self.waits

    def _tick(self, tick: int, now: float) -> None:
        self.lanes.age(now)
        while self.ends and self.ends[0][0] <= now:
            self.lanes.end(heapq.heappop(self.ends)[2], Reply.ANSWERED, now)
        for number in range(80) if tick % 200 == 0 else ():
            self.lanes.add(f"slow {number % self.slow}", 0, "slow", now)
        if tick % 20 == 1:
            self.lanes.add("fast", 0, "fast", now)
        while (turn := self.lanes.begin(now)) is not None:
            self._take(turn, now)

    def _take(self, turn: LaneTurn[str], now: float) -> None:
        self.begun += 1
        seconds = self.find_seconds(now, self.begun)
        if turn.write == "fast":
            self.waits.append(round(now - len(self.waits) - 0.05, 2))
            seconds = 0.05 if len(self.waits) % 20 else 1.05
        heapq.heappush(self.ends, (now + seconds, self.begun, turn))


@pytest.mark.parametrize("slow", [1, 40])
@pytest.mark.parametrize(
    "find_seconds",
    [
        pytest.param(lambda *_: 8, id="slow from the first on"),
        pytest.param(lambda now, _: 0.05 if now < 60 else 8, id="slow from some time on"),
        pytest.param(lambda _, number: 8 if number % 2 else 0.05, id="every second one is slow"),
        pytest.param(lambda *_: 0.9, id="just not slow"),
    ],
)
def test_a_fast_lane_beside_slow_ones_is_never_late(
    slow: int, find_seconds: Callable[[float, int], float]
) -> None:
    waits = Installation(slow, find_seconds).run(120)
    assert (len(waits), max(waits) < 0.5) == (120, True), waits


@pytest.mark.parametrize(("places", "count"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_a_slow_lane_alone_has_half_of_the_places(places: int, count: int) -> None:
    assert Desk(places).slow_down("a").add("a", 20).counts == {"a": count}


def test_a_share_is_a_quarter_rounded_down() -> None:
    desk = Desk(11).add("a", 20).add("bcd", 3)
    desk.begun = ""
    assert desk.end("a" * 7).begun == "bcdbcda"


@pytest.mark.parametrize(
    ("seconds", "standing"),
    [
        pytest.param(HANGING_SECONDS, "", id="not hanging yet"),
        pytest.param(HANGING_SECONDS + 0.001, "b", id="hanging"),
    ],
)
def test_when_a_write_hangs(seconds: float, standing: str) -> None:
    desk = Desk().add("a", 8).add("b")
    desk.begun = ""
    assert desk.wait(seconds).begun == standing


@pytest.mark.parametrize(
    ("seconds", "is_slow"),
    [(SLOW_SECONDS, False), (SLOW_SECONDS + 0.001, True)],
    ids=["in time", "late"],
)
@pytest.mark.parametrize("ends", ["", "a"], ids=["under way", "answered"])
def test_when_a_lane_is_slow(seconds: float, is_slow: object, ends: str) -> None:
    desk = Desk().add("a")
    desk.now = seconds
    (desk.end(ends) if ends else desk.wait(0))
    assert bool(desk.lanes.count_slow(desk.now)) is is_slow


def test_a_lane_is_slow_while_any_write_of_it_is_late() -> None:
    desk = Desk().add("aaa").wait(1.1).end("a").add("a")
    desk.under_way.reverse()
    assert desk.end("a").lanes.count_slow(desk.now) == 1


def test_what_was_slow_first_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_REMEMBERED", 2)
    desk = Desk().slow_down("a").slow_down("b").slow_down("a").slow_down("c")
    assert desk.add("a", 9).counts == {"a": 4}
    assert desk.add("b", 9).counts["b"] > 1


def test_what_waits_is_counted_by_the_time_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(1)
    desk.now = 100
    desk.add("aa").wait(3)
    assert (desk.lanes.compute_longest_wait(desk.now), desk.lanes.count_waiting("other")) == (3, 0)
    desk.end("aa").slow_down("b")
    assert desk.lanes.count_slow(desk.now) == 1
    assert desk.lanes.count_slow(desk.now + REMEMBERED_SECONDS) == 0


def test_a_slow_lane_gets_a_place_for_each_that_it_gives_back() -> None:
    desk = Desk().slow_down("a").add("a", 20)
    assert desk.wait(1.1).end("aa").counts == {"a": 4}
