"""Which replicas of the operator does the database know?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row, fetch_all
from sundial_api.db.tables import SchedulerInstance

INSTANCES = SchedulerInstance.__table__


async def list_instances(connection: AsyncConnection, since: datetime) -> Sequence[Row]:
    """List the replicas that were heard of since an instant, the leader first, then the newest."""
    query = (
        select(INSTANCES)
        .where(INSTANCES.c.last_heartbeat >= since, INSTANCES.c.deleted_at.is_(None))
        .order_by(INSTANCES.c.is_leader.desc(), INSTANCES.c.started_at.desc())
        .limit(100)
    )
    return await fetch_all(connection, query)
