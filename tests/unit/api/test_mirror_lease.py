"""The Lease tells how far the mirror is, and whatever somebody has written there is read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sundial_api.mirror.mirror_lease import LeaseProgress, build_mirror_lease, parse_step
from sundial_core.resources import names


def test_what_is_told_is_read_back() -> None:
    lease = build_mirror_lease(
        "sundial-mirror", "me", LeaseProgress(12, 7, 345), datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert parse_step(lease) == 345
    assert lease["metadata"]["annotations"][names.MIRRORED_UNTIL] == '{"jobs":"12","pods":"7"}'


@pytest.mark.parametrize(
    ("said", "step"),
    [
        pytest.param({names.MIRROR_STEP: "999999999999999999"}, 10**18 - 1, id="the largest"),
        pytest.param({names.MIRROR_STEP: "1000000000000000000"}, 0, id="too large"),
        pytest.param({names.MIRROR_STEP: "-1"}, 0, id="negative"),
        pytest.param({names.MIRROR_STEP: "1\n"}, 0, id="a line break"),
        pytest.param({names.MIRROR_STEP: "\u0661"}, 0, id="another script's digit"),
        pytest.param({names.MIRROR_STEP: ""}, 0, id="empty"),
        pytest.param({}, 0, id="by the release before"),
        pytest.param(None, 0, id="no annotations"),
    ],
)
def test_nonsense_is_no_step(said: dict[str, str] | None, step: int) -> None:
    assert parse_step({"metadata": {"annotations": said}}) == step
