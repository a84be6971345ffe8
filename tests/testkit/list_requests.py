"""Every way to ask for a list: each combination of the query parameters that the API's own document names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import urlencode

from testkit.bulk_rows import TINY, execution_id, job_id

JOBS, EXECUTIONS, NAMESPACES = 1_000, 200_000, 100
PAGING = frozenset({"page", "per_page", "cursor", "sort"})
"""What is about pages; the orders of jobs have `test_job_list_plans.py`, and cursors of their own."""
VALUES: Mapping[str, tuple[str, ...]] = {
    "include": ("recent",),
    "namespace": (TINY, "team-1"),
    "job_id": (str(job_id(1)), str(job_id(JOBS))),
    "status": ("success", "failed", "pending"),
    "name": ("report 77", "nowhere"),
    "is_enabled": ("true",),
    "task_function_id": ("3",),
    "is_active": ("true",),
    "last_status": ("failed",),
    "failing": ("true",),
    "late": ("true",),
    "paused": ("true",),
    "q": ("report",),
    "fields": ("id",),
}
"""What is asked for by each parameter that is not about pages; one without values fails the test of plans."""
PLACES: Mapping[str, tuple[str, ...]] = {
    "{job_id}": (str(job_id(1)), str(job_id(JOBS))),
    "{execution_id}": (str(execution_id(EXECUTIONS // 2)),),
}
NO_LISTS = frozenset({"/events", "/executions/{execution_id}/log"})
"""A stream, and what the cluster is asked for."""
SUMMARIES = ("/me", "/forecast", "/jobs/{job_id}/statistics")
"""No lists: they read no rows, or as many as they add up, by a limit of their own."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A path, and what is asked for; `is_paged` when it is a list with pages, `has_cursor` with a cursor."""

    path: str
    query: Mapping[str, str]
    is_paged: bool
    has_cursor: bool

    def url(self, **more: object) -> str:
        """The path with its query, and more of it."""
        query = {**self.query, **more}
        return f"{self.path}?{urlencode(query)}" if query else self.path


def list_endpoints(document: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    """List the endpoints that are read by query parameters, each with the names of these."""
    for path, methods in document["paths"].items():
        named = [one["name"] for one in methods.get("get", {}).get("parameters", ()) if one["in"] == "query"]
        if named and (short := path.removeprefix(prefix)) not in (*NO_LISTS, *SUMMARIES):
            yield short, named


def list_requests(path: str, names: list[str]) -> Iterator[ListRequest]:
    """List every combination; raises LookupError for a parameter that has no values yet."""
    filters = [name for name in names if name not in PAGING]
    if unknown := set(filters) - VALUES.keys():
        raise LookupError(
            f"{path} takes {unknown}: give VALUES of it, and see that its queries have an index"
        )
    known = {**VALUES, "fields": ("count",)} if path.endswith("/slots") else VALUES
    for place in _fill(path):
        for values in product(*((None, *known[name]) for name in filters)):
            query = {name: value for name, value in zip(filters, values, strict=True) if value is not None}
            yield ListRequest(place, query, "page" in names, "cursor" in names)


def _fill(path: str) -> list[str]:
    found = [path]
    for mark, ids in PLACES.items():
        found = [one.replace(mark, key) for one in found for key in (ids if mark in one else ids[:1])]
    return found
