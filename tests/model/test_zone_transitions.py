"""Which changes of offset the clock finds in every zone there is, against the zone files themselves."""

from __future__ import annotations

from itertools import pairwise

import pytest
from testkit.zone_transitions import find_changes, naive, read_transitions

from sundial_clock.zones import PROBE, zone_names


def test_no_zone_changes_twice_between_two_probes() -> None:
    for name in zone_names():
        instants = [at for at, _ in read_transitions(name)]
        assert all(later - earlier > 2 * PROBE for earlier, later in pairwise(instants)), name


@pytest.mark.parametrize("initial", sorted({name[0] for name in zone_names()}))
def test_every_change_in_a_file_is_found(initial: str) -> None:
    low, high = naive("2021-01-01"), naive("2027-01-01")
    for name in (name for name in zone_names() if name.startswith(initial)):
        known = [change for change in read_transitions(name) if low <= change[0] < high]
        assert find_changes(name, low, high)[: len(known)] == known, name
