"""The chaos suite tells how busy others kept the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from chaos.machine import Sample, measure_busyness, take_sample

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def _sample(seconds: float, used: float, own: float, stolen: float = 0) -> Sample:
    return Sample(_at(seconds), total=2 * seconds, used=used, stolen=stolen, own=own)


def test_others_share_is_what_was_used_and_not_by_us() -> None:
    samples = [_sample(100, 20, 10), _sample(130, 44, 28, stolen=6)]
    busyness = measure_busyness(samples)
    assert (busyness.others, busyness.own, busyness.stolen) == pytest.approx((0.1, 0.3, 0.1))
    assert (busyness.worst, busyness.worst_at) == (busyness.others, _at(100))


def test_the_worst_minute_is_found_among_quiet_ones() -> None:
    samples = [
        _sample(30 * number, used=60 * (number > 4) + 30 * (number > 5), own=0) for number in range(10)
    ]
    busyness = measure_busyness(samples)
    assert busyness.worst == pytest.approx(90 / 120)
    assert busyness.worst_at == _at(120)
    assert busyness.others == pytest.approx(90 / 540)


def test_nothing_is_said_of_others_without_two_samples() -> None:
    assert measure_busyness([]).others == measure_busyness([_sample(1, 1, 1)]).worst == 0


def test_a_sample_is_read_from_this_machine() -> None:
    sample = take_sample()
    assert sample.total > sample.used > 0
    assert sample.own > 0
