"""What does a refusal of the API server mean to the caller? Places in the resource become the body's."""

from __future__ import annotations

import re

from pydantic.alias_generators import to_camel

from sundial_api.http.errors import HTTPProblem, Invalids
from sundial_api.http.job_fields import JOB_FIELDS
from sundial_kube.errors import ApiError

PLACES = {
    **{".".join(field.path): to_camel(name) for name, field in JOB_FIELDS.items()},
    "schedule": "scheduleConfig",
    "taskFunctionRef": "taskFunctionId",
}
CAUSE = re.compile(
    r"(?:^|[\[ ])spec\.([A-Za-z.]+)(?:\[[^]]*\])?: (.*?)(?=, (?:spec\.|<nil>)|\]?$)", re.DOTALL
)


def translate_refusal(error: ApiError) -> Exception:
    """Translate a refusal; what is none of the caller's business stays the error that it is."""
    if error.status == 404:
        return HTTPProblem(404, "there is no such object in the cluster any more")
    if error.status == 409:
        return HTTPProblem(409, "somebody else changes it at the same time; try again")
    if error.status in (400, 422):
        return _locate(error.message)
    if error.status == 403 and "cannot" not in error.message:
        return HTTPProblem(409, f"the cluster's rules refuse it: {error.message[:500]}")
    return error


def _locate(message: str) -> Invalids:
    found = CAUSE.findall(message)
    if not found:
        return Invalids([{"loc": ["body"], "msg": message[:500], "type": "value_error"}])
    return Invalids(
        [
            {"loc": ["body", *_list_place(path)], "msg": text[:500], "type": "value_error"}
            for path, text in found
        ]
    )


def _list_place(path: str) -> list[str]:
    for known, place in PLACES.items():
        if path == known or path.startswith(known + "."):
            rest = path.removeprefix(known).strip(".").split(".")
            return [place, *(part for part in rest[1:] if part)] if place == "scheduleConfig" else [place]
    return [path]
