"""How long planning 10,000 distinct schedules takes from cold: `PYTHONPATH=tests python -m bench.plan`."""

from __future__ import annotations

import json
import platform
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

SCHEDULES = 10_000
AFTER = datetime(2026, 5, 1, tzinfo=UTC)
ZONES = ["UTC", "Africa/Cairo", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"]
SPREAD = ["*", "1", "15", "1-7", "*/2", "L", "15W", "LW"]
WEEKDAYS = ["*", "1-5", "MON,WED,FRI", "5#3", "L5"]


def write_crons() -> Iterator[str]:
    """Write distinct cron texts without end, most of them daily or weekly, some with lists of minutes."""
    pick = random.Random(1)
    written: set[str] = set()
    while True:
        minutes = ",".join(str(pick.randrange(60)) for _ in range(pick.choice([1, 1, 3])))
        cron = f"{minutes} {pick.randrange(24)} {pick.choice(SPREAD)} * {pick.choice(WEEKDAYS)}"
        if cron not in written:
            written.add(cron)
            yield cron


def main() -> None:
    """Measure, in one process: the import, then compiling each schedule and finding its next slot."""
    crons = [cron for cron, _ in zip(write_crons(), range(SCHEDULES), strict=False)]
    started = time.perf_counter()
    from sundial_clock.schedule import compile_schedule
    from sundial_core.resources.schedules import ScheduleSpec

    imported, cpu = time.perf_counter(), time.process_time()
    for index, cron in enumerate(crons):
        spec = ScheduleSpec(cron=cron, time_zone=ZONES[index % len(ZONES)])
        compile_schedule(spec, name=f"team/job-{index}", created_at=AFTER).next_slot(AFTER)
    planned = time.perf_counter()
    busy = time.process_time() - cpu
    result = {
        "schedules": len(set(crons)),
        "import_seconds": round(imported - started, 3),
        "plan_seconds": round(planned - imported, 3),
        "plan_cpu_seconds": round(busy, 3),
        "python": platform.python_version(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
