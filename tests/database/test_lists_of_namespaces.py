"""Of what does a list of one namespace tell, or one of all but some? Rows in a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_facts import build_run_item
from testkit.mirror_rows import mirror, schedule
from testkit.scheduled_jobs import UID, build_item

from sundial_api.mirror.projection.batches import Absence, ObjectKind
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage.tombstones import list_missing


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


@pytest.mark.parametrize(
    ("absence", "gone"),
    [
        pytest.param({"ns": "team"}, {UID}, id="of its namespace"),
        pytest.param({"ns": "other"}, set(), id="of another one"),
        pytest.param({"excepted": ("other",)}, {UID}, id="of what is watched no longer"),
        pytest.param({"excepted": ("other", "team")}, set(), id="of nothing else"),
    ],
)
@pytest.mark.parametrize(
    "kind", [ObjectKind.SCHEDULED_JOB, ObjectKind.TASK_FUNCTION, ObjectKind.SCHEDULED_JOB_RUN]
)
async def test_a_list_tells_of_the_namespaces_that_it_is_about(
    connection: AsyncConnection, kind: ObjectKind, absence: dict[str, Any], gone: set[str]
) -> None:
    function = build_item({"handler": {"container": {}}})
    function["metadata"] |= {"uid": UID, "name": "reports", "resourceVersion": "7"}
    asked = build_run_item({"scheduledJobUid": None})
    await mirror(
        connection, schedule(10), (ObjectKind.TASK_FUNCTION, function), (ObjectKind.SCHEDULED_JOB_RUN, asked)
    )
    missing = await list_missing(connection, Absence(kind, Version(1, 500), frozenset(), **absence))
    is_run = kind is ObjectKind.SCHEDULED_JOB_RUN
    assert missing.uids == ({asked["metadata"]["uid"]} if is_run and gone else gone)
    assert missing.total - (kind is ObjectKind.TASK_FUNCTION and "excepted" in absence) == len(gone)
