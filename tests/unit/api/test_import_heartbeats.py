"""Does a scheduler of the original still run? Its heartbeat has no zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sundial_api.importing.run import may_be_recent

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(seconds=119), True, id="within two minutes"),
        pytest.param(timedelta(minutes=2), False, id="two minutes"),
        pytest.param(timedelta(minutes=14), False, id="a quarter of an hour, less one"),
        pytest.param(timedelta(hours=-1), True, id="of the future"),
        pytest.param(timedelta(hours=2, seconds=30), True, id="fresh in UTC, read as Cairo's"),
        pytest.param(timedelta(hours=5, minutes=45), True, id="fresh in Kathmandu"),
        pytest.param(timedelta(hours=2, minutes=5), False, id="fresh nowhere"),
        pytest.param(timedelta(hours=27), False, id="more than zones lie apart"),
    ],
)
def test_a_heartbeat_may_be_recent(age: timedelta, expected: object) -> None:
    assert may_be_recent(NOW - age, NOW) is expected
