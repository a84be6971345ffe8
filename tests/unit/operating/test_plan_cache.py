"""A spec is compiled once for each version of it and of its TaskFunction, and ahead of time."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    SECOND,
    TEMPLATE,
    UID,
    build_item,
    build_spec,
)

from sundial_core.resources.plans import Plan
from sundial_operator.inputs.stores import Stores
from sundial_operator.metrics import Metrics
from sundial_operator.reconcile.plan_cache import PlanCache

SHARED = {"schedule": {"interval": {"seconds": 10}}, "taskFunctionRef": {"name": "report"}}


@pytest.fixture
def observed() -> Stores:
    return Stores(lambda _: None, lambda _: None, Metrics())


@pytest.fixture
def book(observed: Stores) -> PlanCache:
    return PlanCache(observed, SECOND)


def put(observed: Stores, version: int, **fields: Any) -> None:
    item = build_item(SHARED | fields, generation=version)
    item["metadata"]["resourceVersion"] = str(version)
    observed.schedules.put(item)


def put_function(observed: Stores, version: int, **fields: Any) -> None:
    metadata = build_item()["metadata"] | {
        "uid": "function",
        "name": "report",
        "generation": version,
        "resourceVersion": str(version),
    }
    spec = {"handler": {"container": {}}, "template": TEMPLATE} | fields
    observed.functions.put({"metadata": metadata, "spec": spec})


def find(observed: Stores, book: PlanCache) -> Any:
    job = observed.schedules.get(UID)
    assert job is not None
    return book.compile(job)


def test_a_plan_is_compiled_once(observed: Stores, book: PlanCache) -> None:
    put_function(observed, 1)
    put(observed, 1)
    assert find(observed, book)[1] is find(observed, book)[1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda observed: put(observed, 2, timeoutSeconds=9), id="of the spec"),
        pytest.param(lambda observed: put_function(observed, 2), id="of the TaskFunction"),
    ],
)
def test_a_change_gives_another_plan(observed: Stores, book: PlanCache, change: Any) -> None:
    put_function(observed, 1)
    put(observed, 1)
    before = find(observed, book)
    change(observed)
    key, plan = find(observed, book)
    assert key != before[0]
    assert plan is not before[1]


async def test_what_is_listed_is_compiled_in_advance(observed: Stores, book: PlanCache) -> None:
    put_function(observed, 1)
    put(observed, 1)
    await book.prepare()
    _, plan = book._plans[UID]
    assert isinstance(plan, Plan)
    assert plan is find(observed, book)[1]


async def test_one_of_a_large_schema_waits_until_it_is_asked_for(observed: Stores, book: PlanCache) -> None:
    properties = {f"field{number}": {"type": "string"} for number in range(200)}
    put_function(observed, 1, parametersSchema={"properties": properties})
    put(observed, 1)
    await book.prepare()
    assert UID not in book._plans
    assert isinstance(find(observed, book)[1], Plan)


async def test_a_spec_that_is_wrong_does_not_keep_others_from_being_compiled(
    observed: Stores, book: PlanCache
) -> None:
    observed.schedules.put(build_item(build_spec(schedule={"cron": "rubbish"})))
    await book.prepare()
    assert not isinstance(find(observed, book)[1], Plan)


def test_a_schedule_that_is_gone_is_forgotten(observed: Stores, book: PlanCache) -> None:
    put(observed, 1)
    before = find(observed, book)[1]
    book.forget(UID)
    assert find(observed, book)[1] is not before
