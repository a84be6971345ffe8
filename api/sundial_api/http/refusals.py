"""What does a refusal of the API server mean to the caller? Places in the resource become the body's."""

from __future__ import annotations

import re

from pydantic.alias_generators import to_camel

from sundial_api.http.errors import HTTPProblem, Invalids
from sundial_api.http.invalid_values import InvalidValue
from sundial_api.http.job_fields import JOB_FIELDS
from sundial_clock.sentences import Sentence, as_said, say
from sundial_kube.errors import ApiError

PLACES = {
    **{".".join(field.path): to_camel(name) for name, field in JOB_FIELDS.items()},
    "schedule": "scheduleConfig",
    "taskFunctionRef": "taskFunctionId",
}
CAUSE = re.compile(
    r"(?:^|[\[ ])spec\.([A-Za-z.]+)(?:\[[^]]*\])?: (.*?)(?=, (?:spec\.|<nil>)|\]?$)", re.DOTALL
)

BEFORE = re.compile(
    r'^(?:Invalid value: (?:"(?:[^"\\]|\\.)*"|[^\s"]+)|Forbidden|Required value): ', re.DOTALL
)
"""How the API server begins what a rule says."""


def translate_refusal(error: ApiError) -> Exception:
    """Translate a refusal; what is none of the caller's business stays the error that it is."""
    if error.status == 404:
        return HTTPProblem(404, say("there is no such object in the cluster any more"))
    if error.status == 409:
        return HTTPProblem(409, say("somebody else changes it at the same time; try again"))
    if error.status in (400, 422):
        return _locate(error.message)
    if error.status == 403 and "cannot" not in error.message:
        return HTTPProblem(409, say("the cluster's rules refuse it: {message}", message=error.message[:500]))
    return error


def _locate(message: str) -> Invalids:
    found = CAUSE.findall(message)
    if not found:
        return Invalids([InvalidValue(("body",), as_said(message[:500]))])
    return Invalids([InvalidValue(("body", *_list_place(path)), _repeat(text[:500])) for path, text in found])


def _repeat(text: str) -> Sentence:
    """Repeat what the API server says; a catalogue knows what rules of our own CRDs say."""
    return Sentence(f"rule:{BEFORE.sub('', text)}", text)


def _list_place(path: str) -> list[str]:
    for known, place in PLACES.items():
        if path == known or path.startswith(known + "."):
            rest = path.removeprefix(known).strip(".").split(".")
            return [place, *(part for part in rest[1:] if part)] if place == "scheduleConfig" else [place]
    return [path]
