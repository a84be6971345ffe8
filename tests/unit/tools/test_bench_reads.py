"""Does the bench of lists ask for what it may, and see what has no index?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench.api_reads import Asked, ReadSize, choose_cursors, choose_pages, is_unindexed, list_asked
from testkit.list_requests import PAGING, list_endpoints

from sundial_api.executions.service import CURSOR
from sundial_api.http.paging import Page, check_depth, parse_cursor
from sundial_api.main import PREFIX, build_application
from sundial_api.settings import ApiSettings, AuthMode

NOWHERE = ApiSettings(database_url="postgresql://nowhere/sundial", auth=AuthMode.NONE)

INDEXED = {"Node Type": "Index Scan", "Relation Name": "scheduled_job_executions"}
WHOLE = {"Node Type": "Seq Scan", "Relation Name": "scheduled_job_executions"}
OTHER = {"Node Type": "Seq Scan", "Relation Name": "scheduled_jobs"}


@pytest.mark.parametrize("total", [0, 1, 50, 51, 99_999, 200_001, 10_000_000])
def test_every_page_that_is_chosen_may_be_asked_for(total: int) -> None:
    pages = choose_pages(total, 50, 40)
    for page in pages:
        check_depth(Page(page, 50), total)
    assert min(pages) >= 1
    assert max(pages) <= max(1, -(-total // 50))


def test_the_deepest_pages_of_both_ends_are_among_them() -> None:
    assert {2001, 198_000} <= set(choose_pages(10_000_000, 50, 8))


@pytest.mark.parametrize(("path", "mark"), [("/jobs", ""), ("/jobs/x/executions?status=failed", CURSOR)])
def test_cursors_are_of_all_depths_and_of_their_list(path: str, mark: str) -> None:
    asked = Asked("a list", path, reach=timedelta(seconds=1_000_000))
    places = [parse_cursor(cursor, mark) for cursor in choose_cursors(asked, 100)]
    ages = [(datetime.now(UTC) - place.instant).total_seconds() for place in places if place]
    assert len(ages) == 50
    assert min(ages) < 100_000
    assert max(ages) > 900_000


def test_each_filter_of_each_list_is_measured() -> None:
    urls = [one.path for one in list_asked(ReadSize())]
    for path, names in list_endpoints(build_application(NOWHERE).openapi(), PREFIX):
        pattern = re.compile(re.sub(r"{\w+}", "[^/?]+", path) + r"(\?|$)")
        asked = [url for url in urls if pattern.match(url)]
        assert asked, path
        missing = {name for name in names if not any(f"{name}=" in url for url in asked)}
        assert missing <= PAGING | {"fields"}, (path, missing)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param({"Node Type": "Limit", "Plans": [INDEXED]}, False, id="by an index"),
        pytest.param({"Node Type": "Limit", "Plans": [WHOLE]}, True, id="all of the table"),
        pytest.param(
            {"Node Type": "Incremental Sort", "Plan Rows": 501, "Plans": [INDEXED]}, True, id="many sorted"
        ),
        pytest.param({"Node Type": "Sort", "Plan Rows": 500, "Plans": [INDEXED]}, False, id="few sorted"),
        pytest.param({"Node Type": "Sort", "Plan Rows": 10_000, "Plans": [OTHER]}, False, id="a small table"),
    ],
)
def test_a_plan_without_its_index_is_seen(plan: dict[str, Any], *, expected: bool) -> None:
    assert is_unindexed(plan) == expected
