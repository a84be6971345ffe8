"""The chaos suite's report fails for what must not be, and says which figures of time mean nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from chaos.crew import Life
from chaos.machine import Busyness
from chaos.reports import Figures, Setting, build_markdown, find_failures
from chaos.watcher import Crowd

SETTING = Setting(1, operators=3, lease_seconds=4, machine="2 cores", date="2026-01-01")
QUIET = Busyness(others=0.02, worst=0.1, worst_at=datetime(2026, 1, 1, tzinfo=UTC), stolen=0, own=0.5)
BUSY = replace(QUIET, others=0.05, worst=0.11)
RIGHT = Figures(
    seconds=1,
    rounds=1,
    faults=Counter(),
    met=Counter(),
    creations=1,
    unlogged=0,
    lists=1,
    verdicts=Counter(),
    requests=Counter(),
    doubles=(),
    excepted=(),
    verdictless=(),
    uncounted=(),
    findings=(),
    complaints=(),
    takeovers=(8.9,),
    disturbed_takeovers=(20,),
    lateness={"nothing": (5.0,), "slow webhooks": (0.5,) * 99 + (3.0,)},
    ends=Counter(),
    longest_life=Life(1, 0),
    most_memory=1,
    crowds=(Crowd(5, 2, 0), Crowd(9, 2, 0)),
    busyness=QUIET,
)
LATE = {"slow webhooks": (0.5,) * 98 + (3.0,) * 2}


@pytest.mark.parametrize(
    ("change", "failures"),
    [
        ({}, 0),
        ({"doubles": ("x",)}, 1),
        ({"verdictless": ("x",)}, 1),
        ({"uncounted": ("x",)}, 1),
        ({"findings": ("x",)}, 1),
        ({"takeovers": (9.1,)}, 1),
        ({"lateness": LATE}, 1),
        ({"lateness": {"slow webhooks": (3.0,) * 49}}, 0),
    ],
    ids=["right", "doubled", "no verdict", "pause", "finding", "takeover", "late", "too few"],
)
@pytest.mark.parametrize("busyness", [QUIET, BUSY], ids=["quiet", "busy"])
def test_a_report_fails_for_what_must_not_be(
    busyness: Busyness, change: dict[str, Any], failures: int
) -> None:
    found = find_failures(replace(RIGHT, busyness=busyness, **change), SETTING)
    assert len(found) == failures
    is_of_time = bool({"takeovers", "lateness"} & change.keys())
    is_doubted = is_of_time and busyness is BUSY
    assert [said for said in found if "not to be trusted" in said] == (found if is_doubted else [])


@pytest.mark.parametrize(("busyness", "doubts"), [(QUIET, 0), (BUSY, 2)], ids=["quiet", "busy"])
def test_bounds_of_time_are_doubted_where_others_used_the_machine(busyness: Busyness, doubts: int) -> None:
    text = build_markdown(replace(RIGHT, busyness=busyness), SETTING)
    assert text.count("not to be trusted") == doubts
    assert "| Jobs lying about | p50 7, max 9 |" in text
    assert "p50 0.50, p99 0.50, max 3.00 (100 slots)" in text
