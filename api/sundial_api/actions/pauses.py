"""What does a pause write? Annotations only, which GitOps tools leave alone.

The rule: docs/semantics.md, "Pausing".
"""

from __future__ import annotations

import copy
from datetime import datetime

from sundial_api.actions.schemas import PauseRequest
from sundial_api.http.errors import HTTPProblem, Invalid
from sundial_api.jobs.manifests import PAUSE_MARKS, Author
from sundial_clock.instants import format_instant
from sundial_clock.sentences import Sentence, say
from sundial_core.resources import names
from sundial_core.resources.gitops import find_gitops_tool
from sundial_core.resources.raw import JsonObject


def check_end(until: datetime | None, now: datetime) -> None:
    """Check that a pause ends in the future; raises Invalid."""
    if until is not None and until <= now:
        message = say("has passed; write an instant in the future, or leave it out to pause until you resume")
        raise Invalid(("body", "until"), message)


def pause(item: JsonObject, wanted: PauseRequest, author: Author) -> JsonObject:
    """Pause a copy of a ScheduledJob; this pause takes the place of one that is there."""
    marks = {
        names.PAUSED: format_instant(wanted.until) if wanted.until else "true",
        names.PAUSED_BY: author.name,
    }
    if wanted.reason:
        marks[names.PAUSED_REASON] = wanted.reason
    return _mark(item, marks)


def resume(item: JsonObject) -> JsonObject:
    """Take the pause from a copy of a ScheduledJob; raises Problem 409 where it would stay suspended."""
    if item["spec"].get("suspend"):
        raise HTTPProblem(409, _explain_suspension(item["metadata"]))
    return _mark(item, {})


def _mark(item: JsonObject, marks: dict[str, str]) -> JsonObject:
    changed: JsonObject = copy.deepcopy(item)
    known = changed["metadata"].get("annotations") or {}
    kept = {name: value for name, value in known.items() if name not in PAUSE_MARKS}
    if kept | marks != known:
        changed["metadata"]["annotations"] = kept | marks
    return changed


def _explain_suspension(metadata: JsonObject) -> Sentence:
    keeper = find_gitops_tool(metadata.get("labels") or {}, metadata.get("annotations") or {})
    if keeper:
        return say("{keeper} keeps this job suspended; change spec.suspend in its source", keeper=keeper)
    return say(
        "the job is disabled, not only paused; enable it by PUT /jobs/{job_id}/status: that ends a pause too"
    )
