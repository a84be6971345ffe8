"""What does the demo know of the Sundial that it shows, however that runs? Its operator, and its API."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sundial_demo.installation import NAMESPACE
from sundial_devcluster.errors import ClusterError

ASK_SECONDS = 5
ZONE = "Africa/Cairo"
PATH = "/api/v1/scheduler"


class Part(Protocol):
    """Operator or API."""

    def check(self) -> None:
        """Raise ClusterError when it does not work any more."""

    def failure(self, sentence: str) -> ClusterError:
        """Return an error with the tail of its log."""


@dataclass(frozen=True)
class Api:
    """Know the running API, where it is, and the token that it asks for, if any."""

    service: Part
    url: str
    token: str = field(default="", repr=False)

    def get_function_id(self, name: str) -> int:
        """Return the number of one of the demo's TaskFunctions."""
        functions = self._read("task-functions?per_page=100")["taskFunctions"]
        return int(next(one["id"] for one in functions if one["name"] == name and _is_ours(one)))

    def get_job_id(self, resource_name: str) -> str:
        """Return the id of one of the demo's jobs."""
        jobs = self._read("jobs?per_page=100")["jobs"]
        return str(next(one["id"] for one in jobs if one["resourceName"] == resource_name and _is_ours(one)))

    def count_known(self) -> int:
        """Count the demo's jobs and task functions that it knows, 0 while it does not answer."""
        try:
            lists = [self._read(f"{kind}?per_page=100") for kind in ("jobs", "task-functions")]
        except (OSError, ValueError):
            return 0
        return sum(map(_is_ours, [*lists[0]["jobs"], *lists[1]["taskFunctions"]]))

    def _read(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/{path}")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:
            return dict(json.load(answer))


def _is_ours(one: dict[str, Any]) -> bool:
    return bool(one["namespace"] == NAMESPACE)


@dataclass(frozen=True)
class System:
    """Hold the running operator, and what brings up the API once there are schedules to tell of."""

    operator: Part
    open_api: Callable[[], AbstractContextManager[Api]]
