"""Requests to the demo's API, to copy into another terminal: no line is as long as a terminal is wide."""

from __future__ import annotations

from sundial_demo.installation import ACCOUNT, NAMESPACE
from sundial_demo.systems import Api

LOGGED_IN = 'curl -H "$AUTH"'


def list_requests(api: Api, *, has_catalog: bool) -> list[str]:
    """List requests, with the numbers and ids that the API gives."""
    login, curl = (build_login(), LOGGED_IN) if api.token else ([], "curl")
    asked = [f"export API={api.url}", *login, *build_requests(curl, api.get_function_id("clean_up"))]
    if not has_catalog:
        return asked
    jobs = [api.get_job_id(name) for name in ("cleanup-expired-tokens", "sync-domain-users")]
    return [*asked, *build_catalog_requests(curl, api.get_function_id("sync_domain_users"), *jobs)]


def build_requests(curl: str, number: int) -> list[str]:
    """Build requests of the first minutes; the ID of a job is in the answer to the first."""
    return [
        f"""{curl} $API/jobs --json '{{"name": "Tidy up", "jobTypeId": 1,""",
        f"""  "taskFunctionId": {number}, "taskArgs": {{"days": 30}},""",
        """  "scheduleConfig": {"minutes": 1}}'""",
        f"{curl} $API/jobs",
        f"{curl} -X POST $API/jobs/ID/trigger",
        f'{curl} "$API/executions?status=success&per_page=5"',
        f"{curl} $API/status",
    ]


def build_catalog_requests(curl: str, number: int, function: str, task: str) -> list[str]:
    """Build requests that run the service catalog: a function, a task, and a task that fails in Arabic."""
    return [
        "# An async function in a Pod; a Celery task by a worker, and what became of it:",
        f"{curl} -X POST $API/jobs/{function}/trigger",
        f"{curl} -X POST $API/jobs/{task}/trigger",
        f"{curl} $API/jobs/{task}/executions",
        "# A job that fails, in Arabic: run it by its ID, and read error and traceback.",
        f"""{curl} $API/jobs --json '{{"name": "Sync closed.example",""",
        f"""  "taskFunctionId": {number}, "taskArgs": {{"domain": "closed.example"}},""",
        """  "jobTypeId": 1, "scheduleConfig": {"hours": 1}, "retryCount": 0}'""",
        f"{curl} -X POST $API/jobs/ID/trigger",
        f"{curl} $API/executions/EXECUTION_ID",
    ]


def build_login() -> list[str]:
    """Build what gets a token of the demo's account; it is written nowhere."""
    return [
        f"export TOKEN=$(kubectl create token {ACCOUNT} -n {NAMESPACE} --duration=24h)",
        'export AUTH="Authorization: Bearer $TOKEN"',
    ]
