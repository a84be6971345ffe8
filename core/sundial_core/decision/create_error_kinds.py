"""Which kind of refusal is an API server's error answer to a create (docs/semantics.md, "Refused creates")?

What is done about each kind is in `job_creation.py`. On 409 AlreadyExists the Job of that name is read: ours
is adopted, and the slot has started; another's ends the slot as Skipped, NameTaken. Any other 409 is tried
again.
"""

from __future__ import annotations

from enum import StrEnum

from sundial_core.resources.names import POLICY_PREFIX


class CreateErrorKind(StrEnum):
    """The kinds of refused creates."""

    EXISTS = "exists"  # look at the Job of that name: ours is adopted
    REJECTED = "rejected"  # the object itself is refused: skip the slot
    NAMESPACE_GONE = "namespace gone"  # being deleted: tried again at leisure, until the deadline
    RETRY = "retry"  # it may work later


def classify_create_error(status: int, reason: str, message: str) -> CreateErrorKind:
    """Classify an error answer to a create.

    `status` is the HTTP status, `reason` and `message` are those of the answer's Status object. A 403 of the
    authoriser contains "cannot create resource"; one from an admission plugin contains the object's name.
    """
    if status == 409 and reason == "AlreadyExists":
        return CreateErrorKind.EXISTS
    if "because it is being terminated" in message or (status == 404 and "namespaces" in message):
        return CreateErrorKind.NAMESPACE_GONE
    if is_fence_refusal(message):
        return CreateErrorKind.RETRY
    if status == 403:
        may_pass = ("cannot create resource", "exceeded quota", "not yet ready to handle request")
        return (
            CreateErrorKind.RETRY if any(words in message for words in may_pass) else CreateErrorKind.REJECTED
        )
    is_final = 400 <= status < 500 and status not in (401, 404, 408, 409, 429)
    return CreateErrorKind.REJECTED if is_final else CreateErrorKind.RETRY


def is_permission_missing(status: int, message: str) -> bool:
    """Tell whether the authoriser (RBAC) refused the verb, not an admission plugin the object."""
    return status == 403 and " cannot " in message and " resource " in message


def is_fence_refusal(message: str) -> bool:
    """Tell whether a refusal's message names our policy; its status may be 403 or 422."""
    return POLICY_PREFIX in message
