"""Restarting the operator at any moment neither repeats nor drops a slot."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from testkit.processes.operators import (
    Starter,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_devcluster.polling import until

RESTARTS = 20
LONGEST_LIFE_SECONDS = 1.5
SHORT_LEASE = {
    "SUNDIAL_LEASE_SECONDS": "2",
    "SUNDIAL_RENEW_DEADLINE_SECONDS": "1.5",
    "SUNDIAL_RENEW_PERIOD_SECONDS": "0.3",
}


@pytest.fixture
def restarted(start_operator: Starter) -> Sundial:
    """Give an operator that was killed or stopped 20 times, after lives of random length."""
    sundial = start_operator(**SHORT_LEASE, SUNDIAL_MOST_FINISHED_JOBS="1000")
    sundial.apply(
        build_scheduled_job(
            "tick",
            {"interval": {"seconds": 1}},
            concurrency={"policy": "Allow"},
            catchUp={"graceSeconds": 600},
            history={"successful": 100, "failed": 100},
        )
    )
    chance = random.Random(7)
    for round_ in range(RESTARTS):
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))  # a random moment is the point here
        sundial.end(signal.SIGKILL if round_ % 2 else signal.SIGTERM)
        sundial.start()
    sundial.patch("tick", {"suspend": True})
    return sundial


def test_no_slot_is_repeated_or_dropped(restarted: Sundial) -> None:
    until(lambda: restarted.status("tick").get("activeCount") == 0)
    jobs = restarted.jobs("tick")
    by_slot = Counter(slot_of(job) for job in jobs)
    assert set(by_slot.values()) == {1}
    slots = [datetime.fromisoformat(slot) for slot in by_slot]
    expected = [slots[0] + timedelta(seconds=n) for n in range(len(slots))]
    assert slots == expected
    until(lambda: restarted.status("tick")["counters"]["verdicts"] == {"started": len(slots)})
