"""GET /jobs/{id}/manifest."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.exports.manifest import build_manifest
from sundial_api.exports.yaml_text import write_yaml
from sundial_api.http.errors import HTTPProblem, document_errors
from sundial_api.jobs.rights import require_job
from sundial_clock.sentences import say
from sundial_core.resources.nesting import MAX_LEVELS, is_nested_deeper
from sundial_core.resources.raw import JsonObject
from sundial_kube.resources import SCHEDULED_JOBS

YAML = "application/yaml"
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {YAML: {"schema": {"type": "object"}}}, "description": "The manifest."}
}

MAX_BYTES = 256 * 1024
"""How large a manifest may be, as JSON: writing YAML takes seconds for a megabyte."""

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}/manifest", response_class=Response, responses=TEXT | document_errors(404, 409))
async def get_job_manifest(job_id: UUID, services: AppServices, caller: CurrentCaller) -> Response:
    """Give a job as a manifest for `kubectl apply`, as the cluster has it now."""
    row = await require_job(job_id, services, caller)
    item = await services.client.get_or_none(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
    if item is None or item["metadata"]["uid"] != str(job_id):
        raise HTTPProblem(404, say("there is no such object in the cluster any more"))
    manifest = build_manifest(item)
    check_size(manifest)
    return Response(await asyncio.to_thread(write_yaml, manifest), media_type=YAML)


def check_size(manifest: JsonObject) -> None:
    """Check that a manifest can be written soon; raises Problem 409. What kubectl made may be of any size."""
    if is_nested_deeper(manifest, MAX_LEVELS):
        message = say(
            "the job is nested more than {limit} levels deep; read it by kubectl get sj -o json",
            limit=MAX_LEVELS,
        )
        raise HTTPProblem(409, message)
    if len(orjson.dumps(manifest)) > MAX_BYTES:
        message = say(
            "the job is larger than {limit} KiB; read it by kubectl get sj -o json", limit=MAX_BYTES // 1024
        )
        raise HTTPProblem(409, message)
