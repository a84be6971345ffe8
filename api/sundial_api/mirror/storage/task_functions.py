"""How do TaskFunctions become rows, and who has which id? An id stays while a row shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.task_functions import Function, FunctionRow
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.function_ids import choose_id, propose_ids
from sundial_api.mirror.storage.json_rows import (
    Name,
    dump,
    read_rows,
    to_row,
)

PROPOSALS = 8

_UPSERT_FUNCTIONS = sql.build_upsert(
    "task_functions", ("id", *sql.list_columns(FunctionRow), "deleted_at"), "id", sql.NEWER
)


async def write_functions(connection: AsyncConnection, functions: list[Function], now: datetime) -> None:
    """Write TaskFunctions, oldest first: with ids that collide, the older one keeps the better."""
    functions = sorted(functions, key=lambda function: (function.row.created_at, function.row.uid))
    live = [function.date(now).row for function in functions if not function.is_gone]
    gone = [function.row for function in functions if function.is_gone]
    ids = await ensure_function_ids(connection, [(row.namespace, row.resource_name) for row in live])
    newest = {(row.namespace, row.resource_name): row for row in sorted(live, key=_age)}
    if gone:
        rows = [{"uid": r.uid, "epoch": r.epoch, "number": r.resource_version} for r in gone]
        await connection.execute(sql.BURY_FUNCTIONS, {"rows": dump(rows), "now": now})
    if newest:
        rows = [to_row(row) | {"id": ids[name], "deleted_at": None} for name, row in newest.items()]
        await connection.execute(_UPSERT_FUNCTIONS, {"rows": dump(rows)})
        await connection.execute(sql.INHERIT_TIMEOUTS, {"ids": [row["id"] for row in rows]})


def _age(row: FunctionRow) -> Version:
    return Version(row.epoch, row.resource_version)


async def ensure_function_ids(connection: AsyncConnection, wanted: Iterable[Name]) -> dict[Name, int]:
    """Find the ids of functions by namespace and name; one that has none yet gets it."""
    wanted = list(dict.fromkeys(wanted))
    if not wanted:
        return {}
    asked = [{"namespace": ns, "resource_name": name} for ns, name in wanted]
    found = await read_rows(connection, sql.FIND_FUNCTION_IDS, names=dump(asked))
    known = {(row["namespace"], row["resource_name"]): row["id"] for row in found}
    missing = [name for name in wanted if name not in known]
    if not missing:
        return known
    proposed = [n for name in missing for n, _ in zip(propose_ids(*name), range(PROPOSALS), strict=False)]
    taken = await read_rows(connection, sql.FIND_ID_OWNERS, ids=proposed)
    owners = {row["id"]: (row["namespace"], row["resource_name"]) for row in taken}
    for ns, name in missing:
        known[ns, name] = choose_id(ns, name, owners)
        owners[known[ns, name]] = (ns, name)
    new = [{"id": known[name], "namespace": name[0], "resource_name": name[1]} for name in missing]
    await connection.execute(sql.ADD_FUNCTION_IDS, {"rows": dump(new)})
    return known
