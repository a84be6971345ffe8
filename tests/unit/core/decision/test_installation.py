"""Why does nothing of an installation start? By somebody's wish first, then by a clock that is off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sundial_core.decision.installation import Hold, InstallationState

WISH = {"starts_held_by": "SUNDIAL_HOLD", "starts_held_until": "it is started without"}
ASTRAY = Hold("the operator's clock is 61 s behind the API server's", "the clocks are less than 60 s apart")


@pytest.mark.parametrize(
    ("state", "hold"),
    [
        pytest.param(InstallationState(), None, id="nothing"),
        pytest.param(InstallationState(**WISH), Hold("SUNDIAL_HOLD", "it is started without"), id="a wish"),
        pytest.param(InstallationState(timedelta(seconds=-61)), ASTRAY, id="a clock"),
        pytest.param(InstallationState(timedelta(seconds=60)), None, id="a clock that is off a little"),
        pytest.param(
            InstallationState(timedelta(seconds=-61), **WISH),
            Hold("SUNDIAL_HOLD", "it is started without"),
            id="both",
        ),
    ],
)
def test_why_nothing_starts(state: InstallationState, hold: Hold | None) -> None:
    assert state.find_hold() == hold
    assert state.may_start is (hold is None)
