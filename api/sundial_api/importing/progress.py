"""How far is it? Bars on standard error, where a person looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console


class Progress:
    """Shows one bar after the other."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def show(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar until the block ends; gives what moves it on."""
        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(
            *columns, console=self._console, disable=not self._console.is_terminal
        ) as bars:
            task = bars.add_task(f"{what:14}", total=total)
            yield lambda count: bars.advance(task, count)
