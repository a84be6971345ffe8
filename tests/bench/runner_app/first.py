"""When does the first line of a function run, by the wall clock and since the container began?"""

import os
import time


def tell():
    """Tell the instant, and how many seconds ago the container's first process began."""
    now, at = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    with open("/proc/1/stat") as stat:  # noqa: PTH123 - pathlib would be part of what is measured
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    return {"at": at, "since_start": now - ticks / os.sysconf("SC_CLK_TCK")}


async def tell_async():
    """Tell the same from a coroutine."""
    return tell()
