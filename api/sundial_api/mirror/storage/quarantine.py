"""Where is what the mirror could not take? In `scheduler_quarantine`, of each namespace the newest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.batches import ObjectKey
from sundial_api.mirror.projection.rejects import Reject
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.json_rows import dump

MAX_KEPT = 100
"""How many objects of one namespace are kept: whoever may create objects there can make any number odd."""


async def keep(connection: AsyncConnection, rejects: Iterable[Reject], now: datetime) -> None:
    """Keep what could not be taken, for people to look at, inside the transaction that is open."""
    rows = {(reject.kind, reject.key): reject for reject in rejects}
    if rows:
        await connection.execute(sql.KEEP_QUARANTINED, {"rows": dump(list(rows.values())), "now": now})
        namespaces = sorted({reject.namespace for reject in rows.values()})
        await connection.execute(sql.CAP_QUARANTINED, {"namespaces": namespaces, "most": MAX_KEPT})


async def release(connection: AsyncConnection, readable: Iterable[ObjectKey]) -> None:
    """Let go of the objects that can be read again, inside the transaction that is open."""
    keys = [{"kind": kind.value, "key": uid} for kind, uid in readable]
    if keys:
        await connection.execute(sql.RELEASE_QUARANTINED, {"keys": dump(keys)})
