"""Which changes of offset the clock finds, against the transitions in the zone files themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module, resources
from itertools import pairwise

import pytest

from sundial_clock.schedule import ScheduleError
from sundial_clock.zones import (
    PROBE,
    Stretch,
    load_zone,
    offset_at,
    stretches_back,
    stretches_between,
    zone_names,
)


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def transitions(name: str) -> list[tuple[datetime, timedelta]]:
    """Read where a zone file says that the offset changes since 1900, and to what."""
    reader = import_module("zoneinfo._zoneinfo").ZoneInfo  # the one in C hides its transitions
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        zone = reader.from_file(data, key=name)
    instants = [
        datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in zone._trans_utc if at > -2208988800
    ]
    offsets = [offset_at(zone, at) for at in instants]
    before = [offset_at(zone, at - timedelta(seconds=1)) for at in instants]
    return [(at, new) for at, new, old in zip(instants, offsets, before, strict=True) if new != old]


def is_change(stretch: Stretch) -> bool:
    return stretch.offset != stretch.before and stretch.since == stretch.start


def found(name: str, low: datetime, high: datetime) -> list[tuple[datetime, timedelta]]:
    stretches = stretches_between(load_zone(name), low, high)
    return [(stretch.since, stretch.offset) for stretch in stretches if is_change(stretch)]


def test_no_zone_changes_twice_between_two_probes() -> None:
    for name in zone_names():
        instants = [at for at, _ in transitions(name)]
        assert all(later - earlier > 2 * PROBE for earlier, later in pairwise(instants)), name


@pytest.mark.parametrize("initial", sorted({name[0] for name in zone_names()}))
def test_every_change_in_a_file_is_found(initial: str) -> None:
    low, high = naive("2021-01-01"), naive("2027-01-01")
    for name in (name for name in zone_names() if name.startswith(initial)):
        known = [change for change in transitions(name) if low <= change[0] < high]
        assert found(name, low, high)[: len(known)] == known, name


@pytest.mark.parametrize("name", ["Africa/Casablanca", "America/Sao_Paulo", "Europe/Dublin", "Pacific/Apia"])
def test_every_change_in_a_file_since_1900_is_found(name: str) -> None:
    known = [change for change in transitions(name) if change[0] < naive("2037-01-01")]
    assert found(name, naive("1900-01-01"), naive("2037-01-01"))[: len(known)] == known


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
    assert [at for at, _ in found(name, low, naive("2032-01-01"))] == changed
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
