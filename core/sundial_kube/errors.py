"""What can go wrong between us and the API server, as values to decide on."""

from __future__ import annotations

import orjson

from sundial_core.resources.messages import redact

NOT_FOUND = 404
GONE = 410
INVALID = 422
NO_CAUSE = "the server rejected our request due to an error in our request"
"""All that is said of a JSON patch that does not apply; what is wrong with an object is said by its name."""


class ApiError(Exception):
    """The API server answered with an error; `message` is what it says, without secrets."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        self.message = redact(message)
        super().__init__(f"{status} {reason}: {self.message}")
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_failed_patch(self) -> bool:
        """Whether a JSON patch did not apply to the object as it is now: one of its tests failed, say."""
        return self.status == INVALID and self.message == NO_CAUSE


class ApiUnreachable(Exception):
    """No answer: refused, reset, or past the deadline. A write may have happened."""

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class NotLeading(Exception):
    """This process may not write (any more); nothing was sent."""


def parse_error(status: int, body: bytes, retry_after: str | None) -> ApiError:
    """Read the `Status` object that the API server sends with an error."""
    try:
        answer = orjson.loads(body)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    except (orjson.JSONDecodeError, AttributeError):
        reason, message = "", body[:200].decode(errors="replace")
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return ApiError(status, reason, message, seconds)
