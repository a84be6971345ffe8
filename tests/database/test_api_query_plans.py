"""No list of the API reads all executions, or sorts them: by what it really sends, page by page."""

from __future__ import annotations

from bench.api_reads import (
    ReadSize,
    fill,
    list_asked,
    measure_reads,
)
from bench.harness.command import open_show

SIZE = ReadSize(jobs=500, executions=200_000, rounds=4)


async def test_every_statement_of_a_list_has_its_index(fresh_database: str) -> None:
    fill(fresh_database, SIZE)
    with open_show() as show:
        report = await measure_reads(fresh_database, SIZE, show)
    assert report["unindexed"] == []
    assert report["statements"] >= len(list(list_asked()))
    assert report["lists"]["executions"]["total"] == SIZE.executions
