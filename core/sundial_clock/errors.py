"""What a user is told about a schedule that cannot be used."""

from __future__ import annotations

from sundial_clock.sentences import Sentence


class ScheduleError(ValueError):
    """A schedule that cannot be compiled.

    `field` is the path under spec; the sentence is for the user and says what to write instead.
    """

    def __init__(self, field: str, sentence: Sentence) -> None:
        super().__init__(sentence.english)
        self.field = field
        self.sentence = sentence


def quoted(text: object, limit: int = 40) -> str:
    """Show what a user wrote: printable, in double quotes, never longer than `limit` characters."""
    plain = str(text).lower() if isinstance(text, bool) else str(text)
    shown = plain.encode("unicode_escape", "backslashreplace").decode("ascii")
    return f'"{shown}"' if len(shown) <= limit else f'"{shown[:limit]}..."'
