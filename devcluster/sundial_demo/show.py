"""Shows schedules and runs until time is up: a live board on a terminal, else a plain table now and then."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from sundial_demo.board import build_runs_table, build_schedules_table
from sundial_demo.ground import Ground
from sundial_demo.installation import NAMESPACE
from sundial_demo.observations import NodeCount, Observer
from sundial_demo.systems import Part
from sundial_devcluster.errors import ClusterError, KubectlError
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.polling import until

ANSWER_SECONDS = 60
OUTAGE_SECONDS = 15
PLAIN_EVERY = 10
MIN_RUNS = 3
LAST_LINE = 1
"""Where the cursor is."""
EXAMPLE = "examples/spread.yaml"


def wait_answer(observer: Observer, operator: Part) -> None:
    """Wait until each schedule has its Ready condition; raise ClusterError when the operator is silent."""

    def is_answered() -> bool:
        operator.check()
        observer.look()
        return all(schedule.ready for schedule in observer.schedules)

    try:
        until(is_answered, ANSWER_SECONDS, every=0.2)
    except TimeoutError:
        sentence = f"The operator has not answered each schedule within {ANSWER_SECONDS} s"
        raise operator.failure(sentence) from None


def look_every_second(
    observer: Observer, services: Sequence[Part], seconds: float | None
) -> Iterator[float | None]:
    """Look and yield the seconds left, until time is up; outlast a short outage of the API server."""
    started = answered = time.monotonic()
    while seconds is None or time.monotonic() < started + seconds:
        try:
            for service in services:
                service.check()
            observer.look()
            answered = time.monotonic()
        except KubectlError as error:
            if time.monotonic() > answered + OUTAGE_SECONDS:
                raise ClusterError(f"The API server is away for {OUTAGE_SECONDS} s: {error}") from error
        yield None if seconds is None else max(0, started + seconds - time.monotonic())
        time.sleep(1 - (time.monotonic() - started) % 1)


@dataclass(frozen=True)
class Board:
    """Build what is shown from what was seen last."""

    heading: str
    observer: Observer
    commands: list[str]

    def hints(self) -> RenderableType:
        """Return the commands to copy."""
        return Group("In another terminal:", *(Text(line, "cyan", overflow="fold") for line in self.commands))

    def tables(self, left: float | None, most_runs: int | None = None) -> RenderableType:
        """Return schedules and the newest runs; `left` is in seconds."""
        end = "Ctrl-C ends it" if left is None else f"ends in {left:.0f} s or by Ctrl-C"
        now, seen = datetime.now(UTC), self.observer
        runs = build_runs_table(seen.runs[:most_runs], now)
        heading = Text(f"{self.heading}; {end}.", style="bold")
        return Group(heading, "", build_schedules_table(seen.schedules, now), "", runs, "")

    def fit(self, left: float | None, console: Console) -> RenderableType:
        """Return all of it, with as many runs as have room; commands without room are only counted."""
        hints = self.hints()
        if self.find_room(console) < 0:
            count, needed = count_lines(console, hints), console.height - self.find_room(console)
            hints = Text(
                f"{count} lines with commands for another terminal are hidden: scroll up, or make this one"
                f" {needed} lines high.",
                "cyan",
            )
        least = count_lines(console, Group(self.tables(left, MIN_RUNS), hints))
        more = max(0, console.height - LAST_LINE - least)
        return Group(self.tables(left, MIN_RUNS + more), hints)

    def find_room(self, console: Console) -> int:
        """Find how many lines are left beside the commands and the fewest runs; below 0 there are too few."""
        return (
            console.height
            - LAST_LINE
            - count_lines(console, Group(self.tables(None, MIN_RUNS), self.hints()))
        )


def count_lines(console: Console, shown: RenderableType) -> int:
    """Count the lines that something takes on a terminal, those that wrap as what they become."""
    return len(console.render_lines(shown, pad=False))


def show(console: Console, board: Board, looks: Iterator[float | None]) -> None:
    """Show the board until there is nothing more to look at; what has no room there is in the scrollback."""
    if console.is_terminal:
        console.print(board.hints(), "")
        has_room = board.find_room(console) >= 0
        with Live(console=console, screen=has_room, auto_refresh=False) as live:
            for left in looks:
                live.update(board.fit(left, console), refresh=True)
    else:
        console.print(board.hints(), "")
        for left in itertools.islice(looks, None, None, PLAIN_EVERY):
            console.print(board.tables(left))


def build_commands(ground: Ground, nodes: NodeCount) -> list[str]:
    """Return commands to copy; a simulated container has no log."""
    here = f"-n {NAMESPACE}"
    create = [f"kubectl create {here} -f {EXAMPLE}"]
    if ground.image:
        create = [f"sed s,busybox:1.36,{ground.image}, {EXAMPLE} |", f"  kubectl create {here} -f -"]
    logs = (
        [] if nodes.are_simulated else [f"kubectl logs {here} -l sundial.dev/scheduled-job=every-10-seconds"]
    )
    return [
        f"export KUBECONFIG={ground.kubeconfig}",
        f"export PATH={kubectl_program().parent}:$PATH",
        f"kubectl get sj {here}",
        f"kubectl describe sj every-10-seconds {here}",
        f"kubectl annotate sj/every-10-seconds sundial.dev/paused=true {here}",
        f"kubectl get jobs {here} -l sundial.dev/scheduled-job=failing",
        *logs,
        *create,
    ]
