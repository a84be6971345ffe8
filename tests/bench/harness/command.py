"""What the benches have in common as commands: progress on standard error, one JSON on standard output."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.harness.arena import Foreseen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")
Report = dict[str, Any]


class Show:
    """Shows how far a bench is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def say(self, text: str) -> None:
        """Write a line."""
        self._progress.console.log(text, markup=False, highlight=False)

    def count(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Yield the items and show how many have been taken."""
        bar = self._progress.add_task(what, total=total)
        for item in items:
            self._progress.advance(bar)
            yield item
        self._progress.remove_task(bar)


@contextmanager
def open_show() -> Iterator[Show]:
    """Show progress on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Show(progress)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the option that each bench has."""
    parser.add_argument("--output", type=Path, help="write the JSON to this file as well")


def print_report(report: Report, output: Path | None) -> None:
    """Write a bench's report."""
    text = json.dumps(report, indent=2) + "\n"
    if output:
        output.write_text(text)
    sys.stdout.write(text)


@contextmanager
def explain_ends() -> Iterator[None]:
    """End with a sentence where the reason is foreseen, and quietly where the user ends the bench."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Foreseen as error:
        sys.exit(f"bench: {error}")
    except ExceptionGroup as group:
        foreseen, others = group.split(Foreseen)
        if foreseen is None or others is not None:
            raise
        sys.exit(f"bench: {foreseen.exceptions[0]}")
