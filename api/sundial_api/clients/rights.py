"""What may the caller do? A fixed list of questions to the cluster, through the answers that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sundial_api.auth.kept_answers import is_trouble
from sundial_api.clients.schemas import CallerRights, RunRights, ScheduledJobRights, TaskFunctionRights
from sundial_api.deps import CallerAccess
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS, TASK_FUNCTIONS, Resource

QUESTIONS: Mapping[Resource, tuple[str, ...]] = {
    SCHEDULED_JOBS: ("list", "get", "create", "patch", "delete"),
    SCHEDULED_JOB_RUNS: ("create",),
    TASK_FUNCTIONS: ("list",),
}


async def find_rights(caller: CallerAccess, ns: str | None) -> CallerRights:
    """Find what a caller may do in a namespace, or (None) in all; asks all at once, seven questions."""
    asked = [(resource, verb) for resource, verbs in QUESTIONS.items() for verb in verbs]
    answers = await asyncio.gather(*(_ask(caller, verb, resource, ns) for resource, verb in asked))
    found: dict[Resource, dict[str, bool | None]] = {resource: {} for resource in QUESTIONS}
    for (resource, verb), answer in zip(asked, answers, strict=True):
        found[resource][verb] = answer
    return CallerRights(
        namespace=ns,
        scheduled_jobs=ScheduledJobRights.model_validate(found[SCHEDULED_JOBS]),
        scheduled_job_runs=RunRights.model_validate(found[SCHEDULED_JOB_RUNS]),
        task_functions=TaskFunctionRights.model_validate(found[TASK_FUNCTIONS]),
    )


async def _ask(caller: CallerAccess, verb: str, resource: Resource, ns: str | None) -> bool | None:
    """Ask whether the caller may do something; None while the API server gives no answer."""
    try:
        return await caller.may(verb, resource, ns)
    except (ApiError, ApiUnreachable) as error:
        if not is_trouble(error):
            raise
        return None
