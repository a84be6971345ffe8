"""Starts the operator: kopf's life cycle and registry around our replica."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import kopf
import structlog
from pydantic import ValidationError

from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import LoginError
from sundial_kube.logs import configure_logs
from sundial_kube.nested_json import allow_deep_json
from sundial_kube.settings_help import describe_settings, explain_unusable
from sundial_operator.check_args import add_check_command
from sundial_operator.check_function import add_check_function_command
from sundial_operator.inputs.kopf_handlers import register_handlers
from sundial_operator.replica import Replica, StartError, open_replica
from sundial_operator.runner_manifest import add_manifest_command
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

WATCH_STOP_SECONDS = 2.0
YOUNG_OBJECTS = 50_000
"""How many objects are made before Python looks for cycles: what is listed is many, and has none."""


async def run_operator(settings: OperatorSettings) -> int:
    """Run until a signal or a failure; returns the exit status."""
    stop = asyncio.Event()
    _take_signals(stop)
    has_started = asyncio.Event()
    operating = asyncio.create_task(_operate(settings, stop, has_started))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([operating, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not has_started.is_set():
        operating.cancel()  # what has started ends by itself: nothing may cut its end short
    try:
        await operating
    except asyncio.CancelledError:
        pass
    except (StartError, LoginError, ApiError, ApiUnreachable) as error:
        log.error("cannot start", error=str(error))
    return 0 if stop.is_set() else 1


async def _operate(settings: OperatorSettings, stop: asyncio.Event, has_started: asyncio.Event) -> None:
    """Run a replica and kopf's watch until `stop` or a failure; raises what keeps it from starting."""
    is_watching = asyncio.Event()
    beside: list[asyncio.Task[Any]] = []
    try:
        async with open_replica(settings) as replica:
            await replica.start()
            has_started.set()
            watch = asyncio.create_task(_watch_own_kinds(settings, replica, is_watching))
            takeover = asyncio.create_task(_take_signals_back(is_watching, stop))
            events = [asyncio.create_task(event.wait()) for event in (stop, replica.failed)]
            beside += [watch, takeover, *events]
            await asyncio.wait([watch, *events], return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                log.error("the watch of our own kinds ended", error=repr(watch.exception()))
    finally:
        await _cancel(*beside)  # after the writers: kopf's watch goes last
    log.info("stopped")


async def _watch_own_kinds(settings: OperatorSettings, replica: Replica, is_watching: asyncio.Event) -> None:
    """Run kopf; it ends with an error when the API server stays away for longer than its retries."""
    registry = kopf.OperatorRegistry()
    register_handlers(registry, replica.stores)
    await kopf.operator(
        registry=registry,
        settings=build_kopf_settings(),
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        identity=socket.gethostname(),  # type: ignore[arg-type] # else the name of an account, which a Pod may lack
        standalone=True,
        ready_flag=is_watching,
    )


async def _take_signals_back(is_watching: asyncio.Event, stop: asyncio.Event) -> None:
    """Take the signals from kopf again once it has taken them for itself."""
    await is_watching.wait()
    _take_signals(stop)


def _take_signals(stop: asyncio.Event) -> None:
    """Stop in our order: the writers first, kopf's watch last."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=WATCH_STOP_SECONDS)


def build_kopf_settings() -> kopf.OperatorSettings:
    """Build kopf's settings: it watches, and writes nothing."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    return settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the operator as a command."""
    parser = argparse.ArgumentParser(
        prog="sundial-operator",
        description="Run ScheduledJobs as Kubernetes Jobs. Logs in by KUBECONFIG, else as its Pod.",
        epilog=describe_settings(OperatorSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="[COMMAND]", title="other commands")
    add_check_command(commands)
    add_check_function_command(commands)
    add_manifest_command(commands)
    options = parser.parse_args(arguments)
    if "run" in options:
        allow_deep_json()
        sys.exit(options.run(options))
    try:
        settings = OperatorSettings()
    except ValidationError as error:
        sys.exit(f"sundial-operator: {explain_unusable(OperatorSettings, error)}")
    configure_logs(settings.log_format)
    gc.set_threshold(YOUNG_OBJECTS)
    allow_deep_json()
    sys.exit(asyncio.run(run_operator(settings)))
