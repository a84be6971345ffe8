"""What is told of a run? The termination message: JSON with a marker, redacted, and never too large.

The kubelet keeps the last bytes of a message that is larger than it allows, and these are no JSON.
"""

from __future__ import annotations

from sundial_runner.json_form import clean_text, encode, measure, to_json
from sundial_runner.trimming import SMALLEST_CONTAINER, SMALLEST_TEXT, Trimmer, cut_lines, cut_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sundial_runner.endings import Outcome
    from sundial_runner.json_form import Json
    from sundial_runner.redaction import Redactor

MARKER = "sundial"
"""The key that tells a message of this protocol from any other JSON; its value is the version."""
VERSION = 1
LONGEST_LINE = 262_144
"""Bytes of the message as the last line of the log, for a result that has no room in the other."""
LONGEST_ERROR = 1000
"""Bytes of an error."""
MOST_PATHS = 3
LONGEST_PATH = 40
"""Bytes of a path of what was trimmed."""
PATHS_BYTES = 140
"""Kept for the list of these."""


def build_message(outcome: Outcome, redactor: Redactor, limit: int) -> bytes:
    """Build the message about an outcome, in at most `limit` bytes."""
    message = MessageBuilder(limit)
    if outcome.task:
        message.add_task({key: redactor.redact_text(clean_text(one)) for key, one in outcome.task.items()})
    if outcome.error:
        message.add_error(redactor.redact_text(clean_text(outcome.error)))
    if outcome.traceback:
        message.add_traceback(redactor.redact_text(clean_text(outcome.traceback)))
    result = to_json(outcome.result)
    if result is not None:
        message.add_result(redactor.redact_value(result if isinstance(result, dict) else {"result": result}))
    return message.build()


class MessageBuilder:
    """Gathers the fields of a message, each in the room that those before it have left."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._trimmer = Trimmer()
        self._fields: dict[str, Json] = {MARKER: VERSION}

    def add_task(self, task: Mapping[str, str]) -> None:
        """Add the Celery task that ran, its parts cut; nothing where there is no room for it."""
        fields: dict[str, Json] = {
            **self._fields,
            "task": {key: cut_text(one, LONGEST_PATH) for key, one in task.items()},
        }
        if measure(fields) + SMALLEST_CONTAINER <= self._limit:
            self._fields = fields

    def add_error(self, error: str) -> None:
        """Add the error, cut at its end."""
        room = min(self._find_room("error", error), LONGEST_ERROR)
        self._add_text("error", error, cut_text(error, max(room, SMALLEST_TEXT)))

    def add_traceback(self, traceback: str) -> None:
        """Add the traceback, cut in its middle."""
        room = self._find_room("traceback", traceback)
        if room < SMALLEST_TEXT:
            self._trimmer.paths.append("traceback")
        else:
            self._add_text("traceback", traceback, cut_text(cut_lines(traceback, room), room))

    def add_result(self, result: Json) -> None:
        """Add the result, its large parts cut."""
        room = self._find_room("result", result)
        if measure(result) > room < SMALLEST_CONTAINER:
            self._trimmer.paths.append("result")
        else:
            self._fields["result"] = self._trimmer.fit(result, room, "result")

    def build(self) -> bytes:
        """Build the message."""
        self._add_paths()
        data = encode(self._fields)
        assert len(data) <= self._limit, len(data)
        return data

    def _add_text(self, key: str, text: str, shown: str) -> None:
        self._fields[key] = shown
        if shown != text:
            self._trimmer.paths.append(key)

    def _find_room(self, key: str, value: Json) -> int:
        """Find the room for a value; where something is trimmed, some is kept to tell what."""
        room = self._limit - measure(self._fields) - measure(key) - 2
        if measure(value) <= room and not self._trimmer.paths:
            return room
        return room - min(PATHS_BYTES, self._limit // 4)

    def _add_paths(self) -> None:
        """Tell the paths of what was trimmed, the first of them as far as there is room."""
        for count in range(min(len(self._trimmer.paths), MOST_PATHS), 0, -1):
            paths: list[Json] = [cut_text(path, LONGEST_PATH) for path in self._trimmer.paths[:count]]
            if measure({**self._fields, "truncated": paths}) <= self._limit:
                self._fields["truncated"] = paths
                return
