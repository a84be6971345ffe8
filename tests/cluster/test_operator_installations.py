"""Two installations that look after the same namespace: no slot is doubled, and it is told of."""

from __future__ import annotations

import re
from collections import Counter

from testkit.processes.operators import Starter, build_scheduled_job

from sundial_core.resources import names
from sundial_devcluster.polling import until

SEEN = re.compile(r"sundial_other_installations 1.0")


def test_another_installation_at_the_same_schedules_is_told_of(start_operator: Starter) -> None:
    first = start_operator()
    second = start_operator(SUNDIAL_RELEASE="second")
    first.apply(build_scheduled_job("tick", {"interval": {"seconds": 1}}))
    until(lambda: any(SEEN.search(one.health("/metrics")[1]) for one in (first, second)))
    logs = first.log.read_text() + second.log.read_text()
    assert "another installation starts Jobs of the same ScheduledJobs" in logs
    until(lambda: len(first.jobs("tick")) > 2)
    slots = Counter(one["metadata"]["annotations"].get(names.SCHEDULED_FOR) for one in first.jobs("tick"))
    assert max(slots.values()) == 1
