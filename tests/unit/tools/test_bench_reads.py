"""Does the bench of lists ask for what it may, and see what has no index?"""

from __future__ import annotations

from typing import Any

import pytest
from bench.api_reads import choose_pages, is_unindexed

from sundial_api.http.paging import Page, check_depth

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


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param({"Node Type": "Limit", "Plans": [INDEXED]}, False, id="by an index"),
        pytest.param({"Node Type": "Limit", "Plans": [WHOLE]}, True, id="all of the table"),
        pytest.param({"Node Type": "Incremental Sort", "Plans": [INDEXED]}, True, id="sorted"),
        pytest.param({"Node Type": "Sort", "Plans": [OTHER]}, False, id="a small table"),
    ],
)
def test_a_plan_without_its_index_is_seen(plan: dict[str, Any], *, expected: bool) -> None:
    assert is_unindexed(plan) == expected
