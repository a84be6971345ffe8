"""The chaos suite measures how late healthy schedules are, where anybody could start them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from chaos.changes import FAR
from chaos.lateness import End, Gap, Outage, Window, find_gaps, find_percentile, measure_lateness
from chaos.records import Creation
from chaos.stories import Story

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def _create(slot: float, at: float, term: int = 1, attempt: int = 1) -> Creation:
    return Creation("healthy", "x", f"{slot}-{at}", "owner", f"{slot}", _at(slot), attempt, term, _at(at))


def _tell() -> Story:
    schedule = {"interval": {"seconds": 10}}
    return Story("healthy", "x", "owner", schedule, BEGIN, BEGIN, BEGIN, {}, retries=0, most_active=None)


@pytest.mark.parametrize(
    ("creations", "gaps", "seconds"),
    [
        ([_create(20, 20.25), _create(30, 31.5)], [], [0.25, 1.5]),
        ([_create(20, 20.25)], [], [0.25, math.inf]),
        ([_create(20, 20.25), _create(20, 24, attempt=2), _create(30, 30)], [], [0.25, 0]),
        ([_create(20, 20.25), _create(30, 36)], [Gap(_at(30.1), _at(35))], [0.25]),
        ([_create(20, 20.25)], [Gap(_at(28), _at(35))], [0.25]),
        ([_create(20, 20.25), _create(30, 30.05)], [Gap(_at(30.1), _at(35))], [0.25, 0.05]),
        ([_create(20, 38), _create(30, 30.25)], [Gap(_at(32), _at(37))], [18, 0.25]),
        ([_create(20, 20.25), _create(30, 36)], [Gap(_at(22), _at(29))], [0.25, 6]),
    ],
    ids=[
        "late",
        "never started",
        "a later attempt",
        "leader ended before it could start it",
        "due while nobody leads",
        "started before the leader ended",
        "late already when the leader ended",
        "late after a takeover",
    ],
)
def test_lateness_is_measured_but_for_gaps(
    creations: list[Creation], gaps: list[Gap], seconds: list[float]
) -> None:
    window = Window("slow", _at(11), _at(30))
    measured = measure_lateness([window], [_tell()], creations, gaps)
    assert sorted(measured["slow"]) == pytest.approx(sorted(seconds))


def test_a_gap_lasts_to_the_first_job_of_the_next_term_or_after_an_outage() -> None:
    creations = [_create(10, 10, term=1), _create(20, 20, term=1), _create(30, 30, term=2)]
    ends, outages = [End(_at(15), 1), End(_at(25), 2)], [Outage(_at(8), _at(12))]
    gaps = [Gap(_at(15), _at(30)), Gap(_at(25), FAR), Gap(_at(8), _at(20))]
    assert find_gaps(ends, outages, creations) == gaps


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100)])
def test_percentiles_are_of_the_nearest_rank(share: float, value: int) -> None:
    assert find_percentile(range(100, 0, -1), share) == value
    assert find_percentile([7], share) == 7
