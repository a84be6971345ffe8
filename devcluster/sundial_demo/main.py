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
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.prompt import Confirm

from sundial_demo.board import build_summary
from sundial_demo.catalog import add_catalog
from sundial_demo.ground import Ground, open_ground, settle_kind
from sundial_demo.installation import NAMESPACE, dump, installed, write_kubeconfig
from sundial_demo.observations import NodeCount, Observer
from sundial_demo.requests import build_catalog_requests, build_requests
from sundial_demo.schedules import build_function, build_schedules
from sundial_demo.services import Service, running_api, running_operator
from sundial_demo.show import Board, build_commands, look_every_second, show, wait_answer
from sundial_devcluster.choices import one_of
from sundial_devcluster.choose import DEMO, Kind
from sundial_devcluster.cluster import ClusterConfig, ClusterError, Lifetime, Nodes, choose_nodes
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.postgres import own_postgres

PLAIN_WIDTH = 140
NODES = (Nodes.REAL, Nodes.KWOK)
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SERVER = "jsonpath={.clusters[0].cluster.server}"
CHANGES = (
    "The demo creates there the namespaces sundial-demo and sundial-system, the ClusterRoles and bindings "
    "sundial-demo-operator and sundial-demo-api and the CRDs of sundial.dev, and removes at the end what it "
    "created."
)


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
    console.print(f"Kept the cluster; remove it: {removal}" if arguments.keep else "Done.", soft_wrap=True)


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
    add("--seconds", type=parse_seconds, default=seconds, help="for how long (DEMO_SECONDS, until Ctrl-C)")
    add("--yes", action="store_true", help="do not ask before the current context is used")
    add("--name", default=DEMO, help=f"name of the local cluster ({DEMO})")
    add("--nodes", type=one_of(NODES), choices=NODES, help="nodes of the local cluster")
    add("--keep", action="store_true", help="leave the local cluster running")
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
    lifetime = Lifetime.DETACHED if arguments.keep else Lifetime.STARTER
    config = ClusterConfig(arguments.name, arguments.nodes or choose_nodes()[0], lifetime=lifetime)
    kind = settle_kind(arguments.cluster, config, console)
    if arguments.keep and kind is not Kind.LOCAL:
        raise ClusterError("--keep is for the local cluster: on any other one the demo cleans up.")

    def confirm(question: str) -> bool:
        return bool(arguments.yes) or ask(question, console)

    try:
        with open_ground(kind, config, confirm, steps) as ground, installed(ground, steps):
            run_on(ground, arguments.seconds, console, steps)
    finally:
        steps.pause()


def run_on(ground: Ground, seconds: float | None, console: Console, steps: Steps) -> None:
    """Run operator, API and schedules on a cluster, and show them until time is up or Ctrl-C."""
    observer = Observer(ground)
    nodes = observer.count_nodes()
    # On a cluster of the user's own, the schedules of others are not the demo's business.
    watched = NAMESPACE if ground.kind is Kind.CURRENT else ""
    with ExitStack() as exits:
        steps("starting the operator, as a ServiceAccount of its own")
        login = write_kubeconfig(ground, "sundial", "sundial-operator")
        operator = exits.enter_context(running_operator(login, watched))
        create_schedules(ground, nodes, observer, operator)
        has_catalog = ground.cluster is not None and not nodes.are_simulated
        if has_catalog:
            add_catalog(ground, steps)
            wait_answer(observer, operator)
        steps("starting Postgres and the API, as a ServiceAccount of its own")
        database = exits.enter_context(own_postgres(ground.folder))
        login = write_kubeconfig(ground, "sundial-api", "sundial-api")
        api = exits.enter_context(running_api(login, watched, database.url()))
        steps(f"the API is at {api.url}")
        steps.pause()
        catalog = build_catalog_requests(api) if has_catalog else []
        commands = [*build_commands(ground, nodes), *build_requests(api), *catalog]
        board = Board(f"Sundial on {ground.description}, {nodes}", observer, commands)
        with contextlib.suppress(KeyboardInterrupt):
            show(console, board, look_every_second(observer, (operator, api.service), seconds))
        summary = build_summary(observer.schedules, observer.runs)
        console.print("", summary, f"Nodes: {nodes}.", "")
        steps("stopping the API, Postgres and the operator")


def create_schedules(ground: Ground, nodes: NodeCount, observer: Observer, operator: Service) -> None:
    """Create the schedules of the demo, and wait until the operator has answered each."""
    schedules = build_schedules(datetime.now(UTC), ground.image, nodes)
    function = build_function(ground.image, nodes)
    # The first shows that the operator leads: no run of the others is late because it was starting.
    for batch in ([function, *schedules[:1]], schedules[1:]):
        ground.kubectl("create", f"--namespace={NAMESPACE}", "-f", "-", text=dump(batch))
        wait_answer(observer, operator)


def ask(question: str, console: Console) -> bool:
    """Ask on the terminal, naming the server; raise ClusterError where there is none."""
    if not (console.is_terminal and sys.stdin.isatty()):
        raise ClusterError("CLUSTER=current has to be confirmed: run the demo in a terminal, or add --yes.")
    view = [str(kubectl_program()), "config", "view", "--minify", f"--output={SERVER}"]
    server = subprocess.run(view, capture_output=True, text=True, check=False).stdout
    console.print(f"Its API server is {server}. {CHANGES}")
    try:
        return Confirm.ask(question, console=console, default=False)
    except EOFError:
        return False
