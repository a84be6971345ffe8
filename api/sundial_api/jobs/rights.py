"""May the caller read that job? Its namespace is looked up, then the right to it is settled."""

from __future__ import annotations

from uuid import UUID

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.jobs import service
from sundial_kube.resources import SCHEDULED_JOBS

NEEDED = ("id", "namespace", "resource_name", "time_zone", "history_floor")
"""What is read of a job, for the question and for what follows it."""


async def require_job(job_id: UUID, services: Services, caller: CallerAccess) -> Row:
    """Check that the caller may read a job, with no connection held while that is asked; gives its row.

    Raises Problem 403 and 404.
    """
    async with services.engine.begin() as connection:
        row = await service.get_job(connection, job_id, NEEDED)
    await caller.require("get", SCHEDULED_JOBS, row["namespace"])
    return row
