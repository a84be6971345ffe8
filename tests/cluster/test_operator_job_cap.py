"""However many finished Jobs a history asks for, and whatever is wrong with a schedule: there is a cap."""

from __future__ import annotations

import re

from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_devcluster.polling import until

EVERYTHING = {"successful": 100, "failed": 100}
EVERY_SECOND = {"interval": {"seconds": 1}}


def _beyond(sundial: Sundial, cap: str) -> bool:
    counted = rf'sundial_jobs_beyond_cap_total\{{cap="{cap}"\}} [1-9]'
    return re.search(counted, sundial.health("/metrics")[1]) is not None


def test_a_schedule_keeps_so_many_finished_jobs(start_operator: Starter) -> None:
    sundial = start_operator(SUNDIAL_MOST_FINISHED_JOBS="3", SUNDIAL_TOMBSTONE_SECONDS="2")
    sundial.apply(build_scheduled_job("tick", EVERY_SECOND, history=EVERYTHING))
    until(lambda: _beyond(sundial, "schedule"))
    sundial.patch("tick", {"taskFunctionRef": {"name": "gone"}, "template": None})
    until(lambda: sundial.ready("tick") == "TaskFunctionNotFound")
    until(lambda: len(sundial.jobs("tick")) == 3)


def test_an_installation_keeps_so_many_finished_jobs_and_the_oldest_go_first(start_operator: Starter) -> None:
    sundial = start_operator(SUNDIAL_MOST_FINISHED_JOBS_IN_ALL="6", SUNDIAL_TOMBSTONE_SECONDS="2")
    names = ("old", "new")
    sundial.apply(build_scheduled_job("old", EVERY_SECOND, history=EVERYTHING))
    until(lambda: len(sundial.jobs("old")) >= 5)
    sundial.patch("old", {"suspend": True})
    sundial.apply(build_scheduled_job("new", EVERY_SECOND, history=EVERYTHING))
    until(lambda: _beyond(sundial, "installation") and not sundial.jobs("old"))
    sundial.patch("new", {"suspend": True})
    until(lambda: sum(len(sundial.jobs(name)) for name in names) == 6)
