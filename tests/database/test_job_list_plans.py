"""What lists of jobs read, in every order, with every filter: of 10,000 and 100,000 jobs in 1,000 namespaces.

A list without filters reads its page by an index. Any other looks at each job once at most, so that it grows
with the jobs and with nothing else. It is asserted in blocks of 8 KiB, which are the same on any machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Select, create_engine, text
from sqlalchemy.pool import NullPool
from testkit.bulk_jobs import BIG, NAMESPACES, fill_jobs
from testkit.databases import copy_database
from testkit.query_plans import measure_plan

from sundial_api.db.engine import parse_url
from sundial_api.jobs.orders import ORDERS, JobSort
from sundial_api.jobs.repository import JobFilter, select_counts, select_ids, select_page
from sundial_api.namespaces.repository import LIST_NAMESPACES
from sundial_devcluster.postgres import Postgres

SIZES = (10_000, 100_000)
PAGE_BLOCKS = 200
"""What a page of 20 may read with an index: each job its path in two of them, and its row."""
INDEXES = {
    JobSort.NEWEST: "ix_scheduled_jobs_live_newest",
    JobSort.NEXT_RUN: "ix_scheduled_jobs_live_next_run",
    JobSort.NAME: "ix_scheduled_jobs_live_name",
    JobSort.LAST_RUN: "ix_scheduled_jobs_live_last_run",
    JobSort.FAILING: "ix_scheduled_jobs_live_failing",
}
NAMESPACE_INDEX = "ix_scheduled_jobs_live_namespace"
REACHES: dict[str, Any] = {
    "all": None,
    "one": ("team-7",),
    "the largest": (BIG,),
    "thirty": tuple(f"team-{number}" for number in range(1, 300, 10)),
    "most": tuple(f"team-{number}" for number in range(1, NAMESPACES)),
}
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "name": {"name": "REPORT 77"},
    "enabled": {"is_enabled": True},
    "disabled": {"is_enabled": False},
    "function": {"task_function_id": 3},
    "succeeded": {"last_status": "success"},
    "failed": {"last_status": "failed"},
    "running": {"last_status": "running"},
    "failing": {"is_failing": True},
    "not failing": {"is_failing": False},
    "late": {"is_late": True},
    "paused": {"is_paused": True},
    "late and failing": {"is_late": True, "is_failing": True},
}


@pytest.fixture(scope="module", params=SIZES)
def full(request: pytest.FixtureRequest, postgres: Postgres, template: str) -> Iterator[Connection]:
    with copy_database(postgres, template) as url:
        engine = create_engine(parse_url(url), poolclass=NullPool)
        with engine.connect() as connection:
            fill_jobs(connection, request.param, datetime.now(UTC))
            yield connection


def count_blocks(connection: Connection, name: str) -> int:
    return connection.scalar(text(f"SELECT pg_relation_size('{name}') / 8192")) or 0


def page(wanted: JobFilter, sort: JobSort, offset: int = 0) -> Select[Any]:
    return select_page(select_ids(wanted, sort).offset(offset).limit(20), sort)


def read_place(connection: Connection, wanted: JobFilter, sort: JobSort, offset: int) -> list[str]:
    row = connection.execute(page(wanted, sort, offset)).mappings().first()
    assert row is not None
    return list(row["place"])


@pytest.mark.parametrize("sort", JobSort)
def test_a_page_of_an_order_is_read_by_its_index(full: Connection, sort: JobSort) -> None:
    wanted = JobFilter()
    place = read_place(full, wanted, sort, 5_000)
    after = select_page(select_ids(wanted, sort).where(ORDERS[sort].is_after(place)).limit(20), sort)
    for statement in (page(wanted, sort), after):
        plan = measure_plan(full, statement)
        assert INDEXES[sort] in plan.indexes
        assert plan.blocks < PAGE_BLOCKS


@pytest.mark.parametrize("reach", ["one", "thirty"])
@pytest.mark.parametrize("sort", JobSort)
def test_a_page_over_some_namespaces_reads_jobs_of_those(full: Connection, sort: JobSort, reach: str) -> None:
    wanted = JobFilter(namespaces=REACHES[reach])
    total = full.scalar(select_counts(wanted)) or 0
    most = max(total, 20 * NAMESPACES // len(REACHES[reach]))
    assert measure_plan(full, page(wanted, sort)).blocks < PAGE_BLOCKS + 3 * most


@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize("shown", FILTERS)
def test_any_list_looks_at_each_job_once_at_most(full: Connection, shown: str, reach: str) -> None:
    wanted = JobFilter(namespaces=REACHES[reach], **FILTERS[shown])
    jobs = full.scalar(text("SELECT count(*) FROM scheduled_jobs")) or 0
    most = jobs + max(count_blocks(full, index) for index in (*INDEXES.values(), NAMESPACE_INDEX))
    most += PAGE_BLOCKS + 4 * len(REACHES[reach] or ())
    pages = (page(wanted, sort, offset) for sort, offset in itertools.product(JobSort, (0, 100)))
    for statement in (*pages, select_counts(wanted)):
        assert measure_plan(full, statement).blocks < most


@pytest.mark.parametrize("reach", REACHES)
def test_counts_read_an_index_only(full: Connection, reach: str) -> None:
    plan = measure_plan(full, select_counts(JobFilter(namespaces=REACHES[reach])))
    assert plan.indexes == {NAMESPACE_INDEX} or reach == "most"
    most = count_blocks(full, NAMESPACE_INDEX)
    assert plan.blocks < most + 4 * len(REACHES[reach] or ()) + 10


def test_the_few_that_are_late_are_found_by_an_index(full: Connection) -> None:
    plan = measure_plan(full, page(JobFilter(is_late=True), JobSort.NEXT_RUN))
    assert INDEXES[JobSort.NEXT_RUN] in plan.indexes
    assert plan.blocks < PAGE_BLOCKS


def test_namespaces_are_found_one_by_one(full: Connection) -> None:
    plan = measure_plan(full, LIST_NAMESPACES.bindparams(most=10_000))
    assert plan.blocks < 5 * NAMESPACES
    found = full.scalars(LIST_NAMESPACES, {"most": 10_000}).all()
    assert len(found) == NAMESPACES
    assert full.scalars(LIST_NAMESPACES, {"most": 7}).all() == found[:7]
