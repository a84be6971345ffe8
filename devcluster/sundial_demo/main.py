"""The demo from beginning to end: cluster, operator, schedules, API, board, and all of it gone again."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.prompt import Confirm

from sundial_demo.board import build_summary
from sundial_demo.catalog import add_catalog
from sundial_demo.ground import Ground, open_ground
from sundial_demo.installation import NAMESPACE, dump, installed
from sundial_demo.observations import NodeCount, Observer
from sundial_demo.plans import ensure_image, give_image, settle_plan
from sundial_demo.releases import released
from sundial_demo.requests import list_requests
from sundial_demo.schedules import build_function, build_schedules
from sundial_demo.services import processes
from sundial_demo.show import Board, build_commands, look_every_second, show, wait_answer
from sundial_demo.systems import Part, System
from sundial_demo.ways import Way
from sundial_devcluster.choices import one_of
from sundial_devcluster.choose import DEMO, Kind
from sundial_devcluster.cluster import ClusterError, Nodes
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.kubectl import kubectl_program

PLAIN_WIDTH = 140
NODES = (Nodes.REAL, Nodes.KWOK)
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SERVER = "jsonpath={.clusters[0].cluster.server}"
CREATES = "The demo creates there the namespaces sundial-demo and sundial-system, "
REMOVES = " and the CRDs of sundial.dev, and removes at the end what it created."
CHANGES = {
    Way.CHART: f"{CREATES}by the chart the release sundial with its roles, admission policies{REMOVES}",
    Way.PROCESSES: f"{CREATES}ClusterRoles sundial-demo-operator and sundial-demo-api, bindings{REMOVES}",
}


def main() -> None:
    """Run the demo; errors are one sentence and exit status 1."""
    for number in INTERRUPTIONS:
        signal.signal(number, _interrupt)
    arguments = build_parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False)
    removal = f"{sys.executable} -m sundial_devcluster down --name {arguments.name}"
    try:
        run_demo(arguments, console)
    except ClusterError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        left = f" Remove what is left: {removal}" if cluster_folder(arguments.name).exists() else ""
        console.print(f"Interrupted.{left or ' Nothing is left.'}", soft_wrap=True)
        sys.exit(130)
    kept = f"Kept the cluster; what ran beside it, as the Postgres, has ended. Remove it: {removal}"
    console.print(kept if arguments.keep else "Done.", soft_wrap=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def delayed_interruptions() -> Iterator[None]:
    """Let an interruption wait for the end of the block: what is half drawn could not be taken away again."""
    waiting: list[int] = []
    handlers = {number: signal.signal(number, lambda it, _: waiting.append(it)) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(signal.Signals(waiting[0]))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="sundial-demo", description="Show ScheduledJobs at work.")
    add = parser.add_argument
    kind, seconds = os.environ.get("CLUSTER") or Kind.AUTO, os.environ.get("DEMO_SECONDS") or None
    add(
        "--cluster",
        type=one_of([*Kind]),
        choices=[*Kind],
        default=kind,
        help="on which cluster (CLUSTER, auto)",
    )
    add(
        "--way",
        type=one_of([*Way]),
        choices=[*Way],
        default=os.environ.get("DEMO") or None,
        help="by the chart, or operator and API as processes (DEMO, chart where containers run)",
    )
    image, values = os.environ.get("IMAGE") or "", os.environ.get("DEMO_VALUES") or None
    add("--image", default=image, help="Sundial's image, for CLUSTER=current (IMAGE, else of this checkout)")
    add("--values", type=Path, default=values, help="a file with more values for the chart (DEMO_VALUES)")
    add("--seconds", type=parse_seconds, default=seconds, help="for how long (DEMO_SECONDS, until Ctrl-C)")
    add("--yes", action="store_true", help="do not ask before the current context is used")
    add("--name", default=DEMO, help=f"name of the local cluster ({DEMO})")
    add("--nodes", type=one_of(NODES), choices=NODES, help="nodes of the local cluster")
    add("--keep", action="store_true", help="leave the local cluster running, but not the Postgres beside it")
    return parser


def parse_seconds(text: str) -> float:
    """Read a positive number of seconds."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")


class Steps:
    """Say what is being done: a line each, and on a terminal a spinner until the next one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("")

    def __call__(self, step: str) -> None:
        """Begin a step; a terminal that is gone must not keep it from being done."""
        with contextlib.suppress(OSError):
            self.pause()  # under a spinner a long line, perhaps with a command, would be cut
            self._console.print(f"- {step}", soft_wrap=True)
            self._spinner.update("working")
            with delayed_interruptions():
                self._spinner.start()

    def pause(self) -> None:
        """Stop the spinner."""
        with delayed_interruptions():
            self._spinner.stop()


def run_demo(arguments: argparse.Namespace, console: Console) -> None:
    """Run the demo; raise ClusterError when it fails."""
    steps = Steps(console)
    plan = settle_plan(arguments, console)

    def confirm(question: str) -> bool:
        return bool(arguments.yes) or ask(question, CHANGES[plan.way], console)

    try:
        built = ensure_image(plan, steps)
        with open_ground(plan.kind, plan.config, confirm, steps) as ground, ExitStack() as exits:
            present = exits.enter_context(installed(ground, plan.way, steps))
            image = give_image(ground, plan, built, steps)
            by_chart = released(ground, plan.asked, image, present, steps)
            opened = by_chart if plan.way is Way.CHART else processes(ground, steps)
            run_on(ground, exits.enter_context(opened), arguments.seconds, console, steps)
    finally:
        steps.pause()


def run_on(ground: Ground, system: System, seconds: float | None, console: Console, steps: Steps) -> None:
    """Create schedules, open the API, and show both until time is up or Ctrl-C."""
    observer = Observer(ground)
    nodes = observer.count_nodes()
    create_schedules(ground, nodes, observer, system.operator)
    has_catalog = ground.cluster is not None and not nodes.are_simulated
    if has_catalog:
        add_catalog(ground, steps)
        wait_answer(observer, system.operator)
    with system.open_api() as api:
        steps(f"the API is at {api.url}")
        steps.pause()
        commands = [*build_commands(ground, nodes), *list_requests(api, has_catalog=has_catalog)]
        board = Board(f"Sundial on {ground.description}, {nodes}", observer, commands)
        with contextlib.suppress(KeyboardInterrupt):
            show(console, board, look_every_second(observer, (system.operator, api.service), seconds))
        summary = build_summary(observer.schedules, observer.runs)
        console.print("", summary, f"Nodes: {nodes}.", "")
        steps("stopping what ran beside the cluster")


def create_schedules(ground: Ground, nodes: NodeCount, observer: Observer, operator: Part) -> None:
    """Create the schedules of the demo, and wait until the operator has answered each."""
    schedules = build_schedules(datetime.now(UTC), ground.image, nodes)
    function = build_function(ground.image, nodes)
    # The first shows that the operator leads: no run of the others is late because it was starting.
    for batch in ([function, *schedules[:1]], schedules[1:]):
        ground.kubectl("create", f"--namespace={NAMESPACE}", "-f", "-", text=dump(batch))
        wait_answer(observer, operator)


def ask(question: str, changes: str, console: Console) -> bool:
    """Ask on the terminal, naming the server; raise ClusterError where there is none."""
    if not (console.is_terminal and sys.stdin.isatty()):
        raise ClusterError("CLUSTER=current has to be confirmed: run the demo in a terminal, or add --yes.")
    view = [str(kubectl_program()), "config", "view", "--minify", f"--output={SERVER}"]
    server = subprocess.run(view, capture_output=True, text=True, check=False).stdout
    console.print(f"Its API server is {server.strip()}. {changes}")
    try:
        return Confirm.ask(question, console=console, default=False)
    except EOFError:
        return False
