"""What of a log is shown, and what is kept? Pure; the rules: docs/api-contract.md, "Log of an execution".

A secret is looked for before anything is cut off, and what may be the rest of one whose beginning was not
read is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sundial_core.resources.messages import redact_end

READ_BYTES = 256 * 1024
"""How much of a log is asked for at once: the API server counts it from the first of the last lines."""
SHOWN_BYTES = 64 * 1024
RECORD_BYTES = 16 * 1024
"""A node writes a longer line in pieces of this length, and counts each as a line."""
LAST_CHARS = 100
"""What is left out of a line that was not read to its end: tokens are known by their first characters."""

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
LINE_ENDS = re.compile(r"\r\n?")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All but tab and line feed, and what would turn the direction of text."""


@dataclass(frozen=True, slots=True)
class PodLog:
    """The end of a container's log: as many lines as were wanted, or fewer where they are long."""

    container: str
    containers: tuple[str, ...]
    """All that the Pod has, first the one that its log is about, init containers last."""
    data: bytes
    lines: int
    wanted: int

    @property
    def is_shortened(self) -> bool:
        """Whether lines that were wanted were left out, or a part of one, for their length."""
        return len(self.data) > SHOWN_BYTES or self.lines < self.wanted

    @property
    def may_begin_inside(self) -> bool:
        """Whether there may be more before it, and its first line may not be whole."""
        most_pieces = READ_BYTES // RECORD_BYTES
        return self.is_shortened or self.data.count(b"\n") >= self.wanted - most_pieces

    @property
    def ends_inside(self) -> bool:
        """Whether its last line goes on."""
        return len(self.data) >= READ_BYTES

    @property
    def text(self) -> str:
        """The end of it that is shown."""
        return clean_text(self.data[-SHOWN_BYTES:])


@dataclass(frozen=True, slots=True)
class LogTail:
    """What is kept of a log; `is_cut`: there was more."""

    text: str
    is_cut: bool


def build_tail(log: PodLog, most: int) -> LogTail:
    """Cut off what is kept of a log, at most so many bytes of UTF-8, redacted before."""
    text = redact_end(log.text)
    if log.may_begin_inside:
        text = text[_find_known_start(text) :]
    if log.ends_inside:
        text = text[:-LAST_CHARS]
    data = text.encode()
    is_cut = log.may_begin_inside or log.ends_inside or len(data) > most
    return LogTail(data[-most:].decode(errors="ignore"), is_cut)


def _find_known_start(text: str) -> int:
    """Find where nothing is left of a line that began before the text: after it, or far inside it."""
    end = text.find("\n", 0, RECORD_BYTES)
    return RECORD_BYTES if end < 0 else end + 1


def clean_text(data: bytes) -> str:
    """Read a log as text, without what would steer a terminal or turn a line around."""
    text = LINE_ENDS.sub("\n", ESCAPES.sub("", data.decode(errors="replace")))
    return CONTROLS.sub("", text)
