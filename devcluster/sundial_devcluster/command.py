"""python -m sundial_devcluster: a throw-away Kubernetes from the command line."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from sundial_devcluster.builds import drop_build_cache, ensure_programs
from sundial_devcluster.choices import one_of
from sundial_devcluster.cluster import choose_nodes, get_cluster, start_cluster, stop_cluster
from sundial_devcluster.config import ClusterConfig, Lifetime, Nodes
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import cache_root
from sundial_devcluster.packages import install_packages
from sundial_devcluster.product_image import MOST_PULLED, Runtime, ensure_product_image
from sundial_devcluster.programs import (
    FOR_RELEASES,
    PROGRAMS,
    find_asset,
    is_built,
    locate_programs,
    pinned_version,
)
from sundial_devcluster.report import build_component_table, build_table, describe_cluster
from sundial_devcluster.state import all_states

console = Console(stderr=True)


def main() -> None:
    """Run one command; errors are one sentence on standard error and exit status 1."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = build_parser().parse_args()
    try:
        arguments.run(arguments)
    except ClusterError as error:
        console.print(f"[red]{'error:'}[/red]", end=" ")
        console.print(str(error), markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing half-started is left.")
        sys.exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="sundial-devcluster",
        description="A real throw-away Kubernetes on this machine, without Docker.",
        epilog=f"Everything is kept under {cache_root()} (set SUNDIAL_CACHE to move it).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands)
    for name, run, text in (
        ("down", _down, "end a cluster, whatever state it is in; nothing of it is left"),
        ("kubeconfig", _kubeconfig, "print the path of a cluster's kubeconfig"),
    ):
        _add_name(_add(commands, name, run, text))
    status = _add(commands, "status", _status, "show a cluster and its components")
    _add_name(status)
    _add_output(status)
    _add_output(_add(commands, "list", _list, "show all clusters"))
    _add_programs(commands)
    image = _add(commands, "image", _image, "build Sundial's image, and print its name and its archive")
    image.add_argument(
        "--runtime", choices=[*Runtime], type=one_of([*Runtime]), default=Runtime.SLIM, help="default: slim"
    )
    _add(commands, "packages", _packages, "install Debian's packages for a real node and Postgres (root)")
    return parser


def _add_up(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = _add(commands, "up", _up, "start a cluster, which runs until `down`")
    _add_name(up)
    up.add_argument(
        "--nodes", choices=[*Nodes], type=one_of([*Nodes]), help="default: real where possible, else kwok"
    )
    up.add_argument("--dns", action="store_true", help="resolve names of Services in Pods of a real node")
    up.add_argument("--audit-policy", type=Path, metavar="FILE", help="have the API server log by a policy")
    up.add_argument("--simulated-nodes", type=int, default=2, metavar="N", help="with kwok: how many (2)")


def _add_programs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    programs = _add(commands, "programs", _programs, "build the programs that are missing")
    programs.add_argument("only", nargs="*", metavar="PROGRAM", help="only these")
    programs.add_argument(
        "--drop-build-cache",
        action="store_true",
        help="remove Go's build cache of gigabytes; programs stay",
    )


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="sundial", help="the cluster's name (sundial)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")


def _up(arguments: argparse.Namespace) -> None:
    nodes = arguments.nodes
    if nodes is None:
        nodes, reason = choose_nodes()
        console.print(f"Nodes: {nodes}; {reason}.")
    config = ClusterConfig(
        arguments.name,
        nodes,
        simulated_nodes=arguments.simulated_nodes,
        audit_policy=arguments.audit_policy,
        has_dns=arguments.dns,
        lifetime=Lifetime.DETACHED,
    )
    with console.status("starting") as status:
        cluster = start_cluster(config, lambda step: _report(step, status.update))
    console.print(f"The cluster {config.name} is ready. Use it with")
    print(f"export KUBECONFIG={cluster.kubeconfig}")


def _report(step: str, update: object) -> None:
    if console.is_terminal and callable(update):
        update(step)
    else:
        console.print(step)


def _down(arguments: argparse.Namespace) -> None:
    there = stop_cluster(arguments.name)
    console.print(
        f"The cluster {arguments.name} is gone." if there else f"There is no cluster {arguments.name}."
    )


def _kubeconfig(arguments: argparse.Namespace) -> None:
    print(get_cluster(arguments.name).kubeconfig)


def _status(arguments: argparse.Namespace) -> None:
    status = describe_cluster(get_cluster(arguments.name).state)
    if arguments.output == "json":
        print(json.dumps(status.as_json(), indent=2))
    else:
        out = Console()
        out.print(build_table([status]), build_component_table(status))


def _list(arguments: argparse.Namespace) -> None:
    statuses = [describe_cluster(state) for state in all_states()]
    if arguments.output == "json":
        print(json.dumps([status.as_json() for status in statuses], indent=2))
    else:
        Console().print(build_table(statuses))


def _programs(arguments: argparse.Namespace) -> None:
    known = [program.name for program in (*PROGRAMS, *FOR_RELEASES)]
    unknown = set(arguments.only) - set(known)
    if unknown:
        raise ClusterError(f"There is no program {', '.join(sorted(unknown))}, only {', '.join(known)}.")
    if arguments.drop_build_cache:
        console.print("The build cache is gone." if drop_build_cache() else "There is no build cache.")
        return
    ensure_programs(arguments.only or [program.name for program in PROGRAMS], console)
    for program in (*PROGRAMS, *FOR_RELEASES):
        if is_built(program) or find_asset(program.name):
            print(f"{program.name} {pinned_version(program)} {locate_programs([program.name])[program.name]}")


def _image(arguments: argparse.Namespace) -> None:
    with console.status("building; the first time takes some minutes"):
        built = ensure_product_image(arguments.runtime)
        pull = built.measure_pull()
    console.print(f"A registry would send {pull / 1e6:.1f} MB of it.")
    print(f"{built.name} {built.archive}")
    if pull > MOST_PULLED[arguments.runtime]:
        raise ClusterError(
            f"More than {MOST_PULLED[arguments.runtime] / 1e6:.0f} MB: look at what has grown."
        )


def _packages(_arguments: argparse.Namespace) -> None:
    install_packages(console)
