"""Which changes of offset the clock finds, against the transitions in the zone files themselves."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from testkit.zone_transitions import find_changes, is_change, naive, read_transitions

from sundial_clock.schedule import ScheduleError
from sundial_clock.zones import load_zone, offset_at, stretches_back, stretches_between


@pytest.mark.parametrize("name", ["Africa/Casablanca", "America/Sao_Paulo", "Europe/Dublin", "Pacific/Apia"])
def test_every_change_in_a_file_since_1900_is_found(name: str) -> None:
    known = [change for change in read_transitions(name) if change[0] < naive("2037-01-01")]
    assert find_changes(name, naive("1900-01-01"), naive("2037-01-01"))[: len(known)] == known


@pytest.mark.parametrize(
    "name",
    [
        "Africa/Cairo",
        "America/New_York",
        "America/Nuuk",
        "Antarctica/Troll",
        "Australia/Lord_Howe",
        "Europe/Dublin",
    ],
)
def test_changes_that_a_file_leaves_to_a_rule_are_found(name: str) -> None:
    low, step = naive("2031-01-01"), timedelta(minutes=15)
    offsets = [offset_at(load_zone(name), low + step * k) for k in range(-1, 35_040)]
    changed = [low + step * (k - 1) for k in range(1, len(offsets)) if offsets[k] != offsets[k - 1]]
    assert [at for at, _ in find_changes(name, low, naive("2032-01-01"))] == changed
    assert len(changed) == 2


def test_stretches_meet_end_to_end_and_backward_is_the_reverse() -> None:
    span = load_zone("Africa/Cairo"), naive("2000-01-01"), naive("2030-01-01")
    forward = list(stretches_between(*span))
    assert all(a.end == b.start for a, b in pairwise(forward))
    assert all(a.offset == b.before for a, b in pairwise(forward) if is_change(b))
    assert list(stretches_back(*span)) == forward[::-1]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("Europe/Berln", "did you mean Europe/Berlin?", id="misspelt"),
        pytest.param("africa/cairo", "did you mean Africa/Cairo?", id="wrong case"),
        pytest.param("+05:30", "write a name like", id="offset"),
        pytest.param("Local", "", id="Local"),
        pytest.param("", "write a name like", id="empty"),
        pytest.param("../../etc/passwd", "", id="path"),
        pytest.param("/etc/localtime", "", id="absolute path"),
        pytest.param("zones", "", id="a file beside the zones"),
        pytest.param("Europe", "", id="folder"),
        pytest.param("Europe/Berlin\0", "did you mean Europe/Berlin?", id="NUL"),
        pytest.param("X" * 100_000, "write a name like", id="100 KB"),
    ],
)
def test_unknown_zone(name: str, hint: str) -> None:
    with pytest.raises(ScheduleError, match="is not an IANA time zone") as refusal:
        load_zone(name)
    assert refusal.value.field == "schedule.timeZone"
    assert hint in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_zone_data_is_the_pinned_package_not_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONTZPATH", "/nonexistent")
    assert offset_at(load_zone("Asia/Kathmandu"), naive("2026-01-01")) == timedelta(hours=5, minutes=45)
