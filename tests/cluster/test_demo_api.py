"""What the frontend's page needs, asked of the API of a running demo."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from testkit.processes.demos import Demo

from sundial_devcluster.cluster import stop_cluster
from sundial_devcluster.polling import until

JsonObject = dict[str, Any]
EVERY_SECOND = {"seconds": 1}
SELDOM = {"days": 1}


class Page:
    """The frontend's page, which knows the API by its URL only."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        functions = self.ask("GET", "/task-functions")["taskFunctions"]
        self.function: JsonObject = next(one for one in functions if one["name"].endswith("clean_up"))

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Ask, and check the answer's status."""
        answer = self._http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def create(self, name: str, config: JsonObject, **fields: Any) -> JsonObject:
        """Create a job of the demo's TaskFunction."""
        body = {"name": name, "taskFunctionId": self.function["id"], "jobTypeId": 1, "scheduleConfig": config}
        job: JsonObject = self.ask("POST", "/jobs", body | {"taskArgs": {"days": 30}} | fields, 201)
        return job

    def find(self, name: str) -> JsonObject:
        """Find the one job of a name."""
        (job,) = self.ask("GET", f"/jobs?name={name}")["jobs"]
        return dict(job)

    def history(self, job: JsonObject, status: str = "") -> list[JsonObject]:
        """List the executions of a job, those of deleted ones too."""
        wanted = f"&status={status}" if status else ""
        found: list[JsonObject] = self.ask("GET", f"/executions?job_id={job['id']}{wanted}")["executions"]
        return found

    def follow(self, execution: JsonObject) -> list[str]:
        """Look at an execution until it has ended; returns the states that were seen, in order."""
        seen = [execution["status"]]

        def has_ended() -> bool:
            now = self.ask("GET", f"/executions/{execution['id']}")
            if now["status"] != seen[-1]:
                seen.append(now["status"])
            return now["completedAt"] is not None

        until(has_ended)
        return seen


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Give the page of a demo, which leaves nothing when it ends."""
    name = f"demo-{secrets.token_hex(3)}"
    demo = Demo(name, "--nodes=kwok", DEMO_SECONDS="600")
    try:
        demo.read_until("ends in")
        found = re.search(r"the API is at (http://\S+)", demo.text)
        assert found
        with httpx.Client(base_url=found[1]) as http:
            yield Page(http)
        assert demo.end(signal.SIGINT) == 0, demo.text
        assert demo.what_is_left() == []
    finally:
        stop_cluster(name)


def test_the_page_opens(page: Page) -> None:
    assert [one["id"] for one in page.ask("GET", "/job-types")] == [1, 2, 3]
    heartbeat = page.find("heartbeat")
    assert (heartbeat["scheduleConfig"], heartbeat["isEnabled"]) == ({"seconds": 10}, True)
    listed = page.ask("GET", "/jobs?page=1&per_page=2")
    assert len(listed["jobs"]) == 2
    assert listed["total"] == listed["enabledCount"] + listed["disabledCount"] >= 5


def test_the_status_shows_the_leader(page: Page) -> None:
    status = page.ask("GET", "/status")
    assert (status["isRunning"], status["leaderInstance"]["isLeader"]) == (True, True)
    assert status["leaderInstance"] in status["instances"]
    assert status["nextScheduledJob"]["name"]


def test_a_job_runs_and_its_history_has_results(page: Page) -> None:
    job = page.create("مهمة الليل", EVERY_SECOND, maxInstances=10)
    assert job["timeZone"] == "Africa/Cairo"
    until(lambda: len(page.history(job, "success")) >= 2)
    newest = page.ask("GET", f"/executions/{page.history(job, 'success')[0]['id']}")
    assert (newest["triggeredBy"], newest["exitCode"]) == ("scheduler", 0)
    assert newest["node"].startswith("simulated")
    assert page.ask("GET", f"/jobs/{job['id']}")["recentExecutions"][0]["jobId"] == job["id"]
    assert page.ask("GET", f"/jobs/{job['id']}/executions?per_page=1")["total"] >= 2
    page.ask("DELETE", f"/jobs/{job['id']}", status=204)


def test_an_edit_is_in_the_next_read(page: Page) -> None:
    job = page.create("Edited", SELDOM)
    changes = {
        "name": "Edited twice",
        "jobTypeId": 2,
        "scheduleConfig": {"hour": "9", "day_of_week": "mon-fri"},
    }
    assert page.ask("PUT", f"/jobs/{job['id']}", changes)["name"] == "Edited twice"
    read = page.ask("GET", f"/jobs/{job['id']}")
    assert (read["scheduleConfig"], read["taskArgs"]) == (changes["scheduleConfig"], {"days": 30})
    assert until(lambda: page.find("Edited twice")["nextRunTime"])
    invalid = page.ask("PUT", f"/jobs/{job['id']}", {"scheduleConfig": {"hour": "25"}}, 422)
    assert invalid["detail"][0]["loc"] == ["body", "scheduleConfig", "hour"]


def test_a_trigger_starts_a_run_that_can_be_followed(page: Page) -> None:
    job = page.create("Triggered", SELDOM)
    started = page.ask("POST", f"/jobs/{job['id']}/trigger")
    assert started["executionId"] == started["execution"]["id"]
    seen = page.follow(started["execution"])  # a busy API may answer, or be asked, when the Pod runs already
    assert seen == [state for state in ("pending", "running", "success") if state in seen]
    assert seen[-1] == "success"
    assert [one["triggeredBy"] for one in page.history(job)] == ["manual"]
    until(lambda: page.find("Triggered")["lastStatus"] == "success")


def test_a_running_execution_is_cancelled(page: Page) -> None:
    job = page.find("too-slow")
    running = until(lambda: page.history(job, "running"))[0]
    page.ask("POST", f"/executions/{running['id']}/cancel")
    assert page.follow(running) == ["running", "failed"]
    assert "ancelled" in page.ask("GET", f"/executions/{running['id']}")["errorMessage"]
    page.ask("POST", f"/executions/{running['id']}/cancel", status=409)


def test_a_job_that_is_toggled_off_starts_nothing(page: Page) -> None:
    job = page.create("Toggled", SELDOM)
    assert page.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": False})["isEnabled"] is False
    assert "disabled" in page.ask("POST", f"/jobs/{job['id']}/trigger", status=409)["detail"]
    assert page.ask("GET", "/jobs?is_enabled=false&name=toggled")["total"] == 1
    page.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": True})
    page.ask("POST", f"/jobs/{job['id']}/trigger")


def test_a_deleted_job_leaves_its_history(page: Page) -> None:
    job = page.create("Deleted", SELDOM)
    page.follow(page.ask("POST", f"/jobs/{job['id']}/trigger")["execution"])
    page.ask("DELETE", f"/jobs/{job['id']}", status=204)
    page.ask("GET", f"/jobs/{job['id']}", status=404)
    assert page.ask("GET", "/jobs?name=Deleted")["jobs"] == []
    assert [one["status"] for one in page.history(job)] == ["success"]


def test_slots_that_started_nothing_are_told(page: Page) -> None:
    job = page.create("Crowded", EVERY_SECOND, maxInstances=1)
    slots = until(lambda: page.ask("GET", f"/jobs/{job['id']}/slots")["slots"])
    assert (slots[0]["verdict"], slots[0]["reason"]) == ("Skipped", "AlreadyActive")
    page.ask("DELETE", f"/jobs/{job['id']}", status=204)


def test_a_schedule_is_previewed(page: Page) -> None:
    asked = {"jobTypeId": 2, "scheduleConfig": {"expression": "0 9 * * 1-5"}}
    said = page.ask("POST", "/preview", asked)
    assert "Africa/Cairo" in str(said)
