"""What people do by the REST API, so that it does all that it ever does in the cluster."""

from __future__ import annotations

from typing import Any

import httpx
from testkit.processes.apis import WRITER
from testkit.processes.operators import JsonObject, Sundial
from testkit.task_functions import build_function
from testkit.used_permissions.schedule_stories import LONG, set_hold
from testkit.used_permissions.stories import Story

CALLER = [*WRITER, {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
"""What those may do who call the API here."""

BODY = {"name": "Clean up", "jobTypeId": 1, "scheduleConfig": {"weeks": 50}, "retryCount": 0}
KEY = {"Idempotency-Key": "once"}


def ask(client: httpx.Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Send a request; raises httpx.HTTPStatusError."""
    answer = client.request(method, path, json=body, headers=headers)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def use_api(client: httpx.Client, user: Sundial) -> Story:
    """Make a job and change it, run it, read the log of the run, cancel it, and delete the job."""
    function = build_function("clean-up", {"container": {}})
    function["spec"]["template"] = LONG
    user.apply(function)
    yield lambda: find_function(client)
    body = BODY | {"taskFunctionId": find_function(client)}
    job = ask(client, "POST", "/jobs", body, **KEY)
    assert ask(client, "POST", "/jobs", body, **KEY)["id"] == job["id"]
    path = f"/jobs/{job['id']}"
    ask(client, "PUT", path, {"retryCount": 1})
    for action in ("pause", "resume"):
        ask(client, "POST", f"{path}/{action}")
    run = ask(client, "POST", f"{path}/trigger", **KEY)["executionId"]
    assert ask(client, "POST", f"{path}/trigger", **KEY)["executionId"] == run
    yield lambda: client.get(f"/executions/{run}/log").status_code != httpx.codes.CONFLICT
    read_all(client, path)
    ask(client, "POST", f"/executions/{run}/cancel")
    yield lambda: ask(client, "GET", f"/executions/{run}")["reason"] == "Cancelled"
    ask(client, "DELETE", path)


def take_back(client: httpx.Client, user: Sundial) -> Story:
    """Hold all starts, ask for a run and take it back before it has a Job; then let go."""
    set_hold(user, "true")
    yield lambda: "starts: held by" in user.health("/readyz")[1]
    job = ask(client, "POST", "/jobs", BODY | {"taskFunctionId": find_function(client)})
    run = ask(client, "POST", f"/jobs/{job['id']}/trigger")["executionId"]
    ask(client, "POST", f"/executions/{run}/cancel")
    yield lambda: ask(client, "GET", f"/executions/{run}")["status"] != "pending"
    set_hold(user, "false")


def read_all(client: httpx.Client, path: str) -> None:
    """Read what there is, and look into the stream of changes."""
    for part in ("", "/executions", "/slots", "/changes", "/statistics"):
        ask(client, "GET", path + part)
    client.get(f"{path}/manifest").raise_for_status()
    for part in ("/jobs", "/executions", "/status", "/task-functions", "/namespaces", "/me", "/forecast"):
        ask(client, "GET", part)
    ask(client, "POST", "/preview", {key: BODY[key] for key in ("name", "jobTypeId", "scheduleConfig")})
    with client.stream("GET", "/events") as answer:
        assert next(answer.iter_lines())


def find_function(client: httpx.Client) -> int | None:
    """Find the id of the function of the jobs here."""
    found: list[JsonObject] = ask(client, "GET", "/task-functions")["taskFunctions"]
    return next((one["id"] for one in found if one["name"] == "clean-up"), None)
