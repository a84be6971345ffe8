"""What a user is told about a schedule that cannot be used."""


class ScheduleError(ValueError):
    """A schedule that cannot be compiled.

    `field` is the path under spec; the text is a sentence for the user that says what to write instead.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def quoted(text: object, limit: int = 40) -> str:
    """Show what a user wrote: printable, in double quotes, never longer than `limit` characters."""
    shown = str(text).encode("unicode_escape", "backslashreplace").decode("ascii")
    return f'"{shown}"' if len(shown) <= limit else f'"{shown[:limit]}..."'
