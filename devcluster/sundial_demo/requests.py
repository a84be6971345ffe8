"""Requests to the demo's API, to copy into another terminal."""

from __future__ import annotations

from sundial_demo.services import Api


def build_requests(api: Api) -> list[str]:
    """Return requests of the first minutes; the ID of a job is in the answer to the first."""
    number = api.get_function_id("clean_up")
    return [
        f"export API={api.url}",
        f"""curl $API/jobs --json '{{"name": "Tidy up", "taskFunctionId": {number},""",
        """  "taskArgs": {"days": 30}, "jobTypeId": 1, "scheduleConfig": {"minutes": 1}}'""",
        "curl $API/jobs",
        "curl -X POST $API/jobs/ID/trigger",
        'curl "$API/executions?status=success&per_page=5"',
        "curl $API/status",
    ]


def build_catalog_requests(api: Api) -> list[str]:
    """Return requests that run the service catalog: a function, a task, and a task that fails in Arabic."""
    function, task = (api.get_job_id(name) for name in ("cleanup-expired-tokens", "sync-domain-users"))
    number = api.get_function_id("sync_domain_users")
    return [
        f"curl -X POST $API/jobs/{function}/trigger  # an async function, in a Pod",
        f"curl -X POST $API/jobs/{task}/trigger  # a Celery task, by a worker",
        f"curl $API/jobs/{task}/executions  # what became of it",
        f"""curl $API/jobs --json '{{"name": "Sync closed.example", "taskFunctionId": {number},""",
        """  "taskArgs": {"domain": "closed.example"}, "jobTypeId": 1, "scheduleConfig": {"hours": 1},""",
        """  "retryCount": 0}'""",
        "curl -X POST $API/jobs/ID/trigger  # with that job's ID: it fails, in Arabic",
        "curl $API/executions/EXECUTION_ID  # with the executionId of that answer: error and traceback",
    ]
