"""Who may take a Lease, and when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sundial_clock.instants import format_micro_time
from sundial_core.coordination.leader_record import (
    Lease,
    LeaseAction,
    ObservedLease,
    decide_action,
    observe,
    parse_lease,
    raise_term,
)

HELD = Lease(holder="a", duration=15.0, transitions=1, resource_version="7")
OWN = Lease(holder="candidate", duration=15.0, transitions=1, resource_version="7")
RELEASED = Lease(holder="", duration=1.0, transitions=1, resource_version="8")


@pytest.mark.parametrize(
    ("lease", "age", "move"),
    [
        pytest.param(HELD, 0.0, LeaseAction.WAIT, id="just seen"),
        pytest.param(HELD, 14.9, LeaseAction.WAIT, id="not yet expired"),
        pytest.param(HELD, 15.0, LeaseAction.TAKE, id="expired"),
        pytest.param(RELEASED, 0.0, LeaseAction.TAKE, id="released"),
        pytest.param(OWN, 0.0, LeaseAction.TAKE, id="taken by a request that got no answer"),
    ],
)
def test_a_lease_is_taken_when_released_or_unchanged_for_its_duration(
    lease: Lease, age: float, move: LeaseAction
) -> None:
    assert decide_action(ObservedLease(lease, 100.0), 100.0 + age, "candidate") is move


def test_an_unchanged_lease_keeps_its_first_sighting() -> None:
    first = observe(None, HELD, 100.0)
    assert observe(first, HELD, 110.0) is first


def test_a_renewed_lease_begins_a_new_wait() -> None:
    renewed = Lease(holder="a", duration=15.0, transitions=1, resource_version="9")
    assert observe(observe(None, HELD, 100.0), renewed, 110.0).seen_at == 110.0


def test_a_lease_without_a_spec_is_released() -> None:
    assert parse_lease({"metadata": {"resourceVersion": "1"}}).holder == ""


@pytest.mark.parametrize(
    ("stored", "term"),
    [
        pytest.param(0, 1_700_000_000, id="none yet"),
        pytest.param(5, 1_700_000_000, id="lost and begun anew by hand"),
        pytest.param(1_700_000_000, 1_700_000_001, id="two takeovers in a second"),
        pytest.param(1_800_000_000, 1_800_000_001, id="a clock that went back"),
    ],
)
def test_the_term_always_rises(stored: int, term: int) -> None:
    assert raise_term(stored, datetime.fromtimestamp(1_700_000_000, UTC)) == term


def test_micro_times_have_six_digits() -> None:
    assert format_micro_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
