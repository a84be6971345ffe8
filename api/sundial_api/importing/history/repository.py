"""Which rows of the imported history are written? Those that are not there, or told otherwise by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.imported_rows import IMPORTED
from sundial_api.importing.history.executions import ImportedExecution
from sundial_api.mirror.storage.apply import take_turn
from sundial_api.mirror.storage.json_rows import dump
from sundial_api.mirror.storage.statements import list_columns

_TABLE = "scheduled_job_executions"
_COLUMNS = list_columns(ImportedExecution)
_COMPARED = [name for name in _COLUMNS if name not in ("id", "result", "sources", "attempts")]
_NEW = ", ".join(f"EXCLUDED.{name}" for name in _COMPARED)
_KNOWN = ", ".join(f"known.{name}" for name in _COMPARED)
_SET = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name != "id")
_FRESH = f"json_populate_recordset(CAST(NULL AS {_TABLE}), CAST(:rows AS json))"
_IS_FORGOTTEN = (
    "EXISTS (SELECT FROM scheduled_jobs job WHERE job.id = fresh.job_id"
    " AND fresh.started_at <= job.history_floor)"
)
WRITE = text(
    f"INSERT INTO {_TABLE} AS known ({', '.join(_COLUMNS)})"
    f" SELECT {', '.join(_COLUMNS)} FROM {_FRESH} AS fresh WHERE NOT {_IS_FORGOTTEN}"
    f" ON CONFLICT (id) DO UPDATE SET {_SET} WHERE jsonb_exists(known.sources, '{IMPORTED}') AND"
    f" (({_KNOWN}) IS DISTINCT FROM ({_NEW})"
    "  OR CAST(known.result AS text) IS DISTINCT FROM CAST(EXCLUDED.result AS text))"
    " RETURNING xmax = 0"
)
"""What retention has deleted does not come back, and a row of the mirror is never touched."""

COMPARE = text(
    f"SELECT count(*) FILTER (WHERE {_IS_FORGOTTEN}), count(known.id) FILTER (WHERE NOT {_IS_FORGOTTEN})"
    f" FROM {_FRESH} AS fresh LEFT JOIN {_TABLE} known ON known.id = fresh.id"
)


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were added, changed, and were there as they are or had been deleted by retention."""

    added: int = 0
    changed: int = 0
    left: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.added + other.added, self.changed + other.changed, self.left + other.left)


async def write_executions(connection: AsyncConnection, rows: Sequence[ImportedExecution]) -> Written:
    """Write rows, in the transaction that is open and in a turn of the mirror's."""
    await take_turn(connection)
    are_new = list(await connection.scalars(WRITE, {"rows": dump(rows)}))
    added = sum(are_new)
    return Written(added, len(are_new) - added, len(rows) - len(are_new))


async def compare_executions(connection: AsyncConnection, rows: Sequence[ImportedExecution]) -> Written:
    """Count what writing these rows would add; what it would change is counted as left."""
    forgotten, known = (await connection.execute(COMPARE, {"rows": dump(rows)})).one()
    return Written(added=len(rows) - forgotten - known, left=forgotten + known)
