"""How a ScheduledJob is seen to change, and what the log of changes has of it then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_facts import build_schedule_item
from testkit.mirror_rows import NOW, schedule

from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.projection.edit_signatures import sign_state
from sundial_api.mirror.storage import apply
from sundial_api.mirror.storage.change_log import ApiCaller
from sundial_api.mirror.storage.own_writes import ApiWrite, sign_answer, take_answers
from sundial_clock.instants import format_instant
from sundial_core.resources.names import UPDATED_AT, UPDATED_BY
from sundial_core.resources.raw import JsonObject

OTHER = "22222222-2222-4222-8222-222222222222"
EVE = ApiCaller(UUID(OTHER), "eve", "192.0.2.7")
MALLORY = ApiCaller(UUID(int=7), "mallory", None)

Edit = Callable[[JsonObject], Any]


async def take(connection: AsyncConnection, seen: tuple[ObjectKind, JsonObject], after: float = 0) -> None:
    """Mirror an object, so many seconds after noon."""
    now = NOW + timedelta(seconds=after)
    await apply.apply_batch(connection, sort_values([parse_object(*seen, 1)]), now)


async def see(
    connection: AsyncConnection, version: int, after: float = 0, manager: str = "kubectl", **how: Any
) -> None:
    """Mirror the schedule as it is by a version, so many seconds after noon."""
    kind, item = schedule(version, **how)
    for entry in item["metadata"].get("managedFields", ()):
        entry["manager"] = manager
    await take(connection, (kind, item), after)


async def read_newest(connection: AsyncConnection, columns: str = "fields") -> Any:
    """Read the newest entry; a single column as a plain value."""
    query = f"SELECT {columns} FROM scheduled_job_changes ORDER BY seen_at DESC, version DESC LIMIT 1"
    row = tuple((await connection.execute(text(query))).one())
    return row if len(row) > 1 else row[0]


def told(field: str, before: Any, after: Any, **more: int) -> JsonObject:
    """Build what an entry tells of a field."""
    return {"field": field, "before": before, "after": after} | more


class Story:
    """What becomes of one object: each write makes a version, and who looks sees the newest."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.item = build_schedule_item(10)
        self.item["metadata"]["managedFields"] = []
        self.seconds = 0

    def write(self, manager: str, edit: Edit) -> JsonObject:
        """Write the object as the API server does, a second after the write before."""
        old, self.seconds = self.item, self.seconds + 1
        new = build_copy(old)
        edit(new)
        self.item = new
        metadata = new["metadata"]
        metadata["generation"] += new["spec"] != old["spec"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 10)
        others = [entry for entry in metadata["managedFields"] if entry["manager"] != manager]
        metadata["managedFields"] = [*others, {"manager": manager, "time": format_instant(self.now)}]
        return new

    def call(self, caller: ApiCaller, edit: Edit) -> tuple[JsonObject, ApiWrite]:
        """Write the object as the API does for a caller; gives its answer, and what it was made from."""
        before = self.item

        def sign(item: JsonObject) -> None:
            edit(item)
            marks = {UPDATED_BY: str(caller.user_id), UPDATED_AT: format_instant(self.now)}
            item["metadata"]["annotations"] |= marks
            item |= sign_state(before, item)

        return self.write("sundial-api", sign), ApiWrite(caller, before)

    @property
    def now(self) -> Any:
        """When the newest write is made."""
        return NOW + timedelta(seconds=self.seconds)

    async def mirror(self) -> None:
        """Let the mirror see the object as it is."""
        await take(self.connection, (ObjectKind.SCHEDULED_JOB, self.item), self.seconds)

    async def note(self, called: tuple[JsonObject, ApiWrite]) -> None:
        """Let a call note its answer, however late."""
        answer, write = called
        await take_answers(self.connection, [(ObjectKind.SCHEDULED_JOB, answer)], self.now)
        await sign_answer(self.connection, answer, write, self.now)

    async def tell(self) -> list[tuple[str | None, str | None, dict[str, Any]]]:
        """Tell the changes, oldest first: by which manager, for whom, and what is after it."""
        query = (
            "SELECT manager, user_name, fields FROM scheduled_job_changes WHERE kind = 'changed'"
            " ORDER BY seen_at, id"
        )
        rows = await self.connection.execute(text(query))
        return [
            (row.manager, row.user_name, {change["field"]: change["after"] for change in row.fields})
            for row in rows
        ]


def build_copy(item: JsonObject) -> JsonObject:
    """Copy an object so far as an edit changes it."""
    metadata = item["metadata"] | {"annotations": dict(item["metadata"].get("annotations") or {})}
    return item | {"metadata": metadata, "spec": dict(item["spec"])}


def put(**fields: Any) -> Edit:
    """Build an edit that sets fields of the spec; None removes one."""

    def edit(item: JsonObject) -> None:
        spec = item["spec"] | fields
        item["spec"] = {name: value for name, value in spec.items() if value is not None}

    return edit


def mark(name: str, value: str | None) -> Edit:
    """Build an edit that sets an annotation of ours; None removes it."""

    def edit(item: JsonObject) -> None:
        annotations = item["metadata"]["annotations"] | {f"sundial.dev/{name}": value}
        item["metadata"]["annotations"] = {
            name: text for name, text in annotations.items() if text is not None
        }

    return edit
