"""Whatever the order of slots, ends, deletions, outages and sessions, no slot and no outcome is lost.

SUNDIAL_STORIES sets how many stories there are, SUNDIAL_SEED where they begin.
"""

from __future__ import annotations

import os

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.mirrored_world import MirroredWorld

STORIES = int(os.environ.get("SUNDIAL_STORIES", "60"))
SEED = int(os.environ.get("SUNDIAL_SEED", "20261127"))
STEPS = 90
CLEAR = text("TRUNCATE scheduled_job_executions, scheduler_slots, scheduled_jobs, scheduler_execution_counts")


@pytest.mark.parametrize("part", range(3))
async def test_no_order_of_events_loses_history(fresh_engine: AsyncEngine, part: int) -> None:
    unseen = 0
    for seed in range(SEED + part, SEED + STORIES, 3):
        async with fresh_engine.connect() as connection:
            async with connection.begin():
                await connection.execute(CLEAR)
            world = MirroredWorld(connection, seed)
            await world.play(STEPS)
            await world.end_well()
            assert (seed, await world.find_differences()) == (seed, [])
            unseen += await world.count_unseen()
    assert unseen > 0
