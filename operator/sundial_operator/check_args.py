"""`sundial-operator check-args`: which ScheduledJobs have args that do not fit? Reads, and changes nothing.

Made for the time before an upgrade: an operator of this release would not start them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum

import orjson

from sundial_core.resources.plans import check_fit, check_schema
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import LoginError, load_configuration
from sundial_kube.resources import SCHEDULED_JOBS, TASK_FUNCTIONS, Resource

PROGRESS_SECONDS = 2.0
EPILOG = """exit status:
  0  the args of all fit
  1  those of some do not fit, or a parametersSchema cannot be used: they are listed
  2  it could not be found out, or an option is wrong

Logs in by KUBECONFIG, else as its Pod; needs list on scheduledjobs and taskfunctions."""

Functions = Mapping[tuple[str, str], JsonObject]
"""The specs of TaskFunctions, by namespace and name."""


class ExitStatus(IntEnum):
    """What the command ends with."""

    FITS = 0
    MISFITS = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class UnfitJob:
    """A ScheduledJob that would not be started."""

    namespace: str
    name: str
    task_function: str
    reason: str
    message: str


def add_check_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check-args` to the commands; `run` is what it does."""
    words = "list the ScheduledJobs whose args do not fit, and change nothing"
    parser = commands.add_parser(
        "check-args",
        help=words,
        description=f"{words[0].upper()}{words[1:]}.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=lambda options: asyncio.run(run_check(options)))
    parser.add_argument("-n", "--namespace", help="the only namespace to look at (default: all)")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text", help="default: text")


async def run_check(options: argparse.Namespace) -> ExitStatus:
    """Check all, and print what was found."""
    try:
        configuration = await load_configuration()
        async with KubeClient(configuration, user_agent="sundial-operator") as client:
            functions = {_name(item): item["spec"] async for item in _read(client, TASK_FUNCTIONS, options)}
            checked, findings = 0, list[UnfitJob]()
            async for item in _read(client, SCHEDULED_JOBS, options):
                checked += 1
                findings += judge(item, functions)
    except LoginError as error:
        return _fail(str(error))
    except ApiUnreachable:
        return _fail("the API server does not answer; look at KUBECONFIG, and try again")
    except ApiError as error:
        return _fail(_explain(error))
    write = write_json if options.output == "json" else write_text
    sys.stdout.write(f"{write(checked, findings)}\n")
    return ExitStatus.MISFITS if findings else ExitStatus.FITS


def judge(item: JsonObject, functions: Functions) -> Iterator[UnfitJob]:
    """Find out whether the args of a ScheduledJob fit; what has no TaskFunction has nothing to fit."""
    ns, name = _name(item)
    function = str((item["spec"].get("taskFunctionRef") or {}).get("name", ""))
    spec = functions.get((ns, function))
    if spec is None:
        return
    problem = check_schema(spec) or check_fit(item["spec"].get("args"), spec.get("parametersSchema"))
    if problem is not None:
        yield UnfitJob(ns, name, function, problem.reason.value, problem.message)


def write_json(checked: int, findings: list[UnfitJob]) -> str:
    """Write what was found for programs."""
    shown = {"checked": checked, "findings": [_rename(asdict(finding)) for finding in findings]}
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


def _rename(fields: JsonObject) -> JsonObject:
    return {("taskFunction" if name == "task_function" else name): value for name, value in fields.items()}


def write_text(checked: int, findings: list[UnfitJob]) -> str:
    """Write what was found for people; nothing that a tenant wrote can steer the terminal."""
    lines = [
        f"{one.namespace}/{one.name} ({one.task_function}): {one.reason}: {one.message}" for one in findings
    ]
    lines.append(f"{len(findings)} of {checked} ScheduledJobs have args that do not fit")
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


async def _read(
    client: KubeClient, resource: Resource, options: argparse.Namespace
) -> AsyncIterator[JsonObject]:
    """Read all of a kind page by page; what takes longer than two seconds says how far it is."""
    done, told_at = 0, time.monotonic()
    async for page in client.list_pages(resource.path(options.namespace), {}):
        for item in page["items"]:
            yield item
        done += len(page["items"])
        if time.monotonic() - told_at >= PROGRESS_SECONDS:
            told_at = time.monotonic()
            left = page["metadata"].get("remainingItemCount", 0)
            sys.stderr.write(f"{resource.plural}: {done} read, {left} to come\n")


def _name(item: JsonObject) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _explain(error: ApiError) -> str:
    if error.status == 404:
        return "this cluster does not know Sundial's custom resources: kubectl apply -f crds/"
    if error.status in (401, 403):
        return "this login may not list scheduledjobs and taskfunctions there; name a namespace with -n"
    if error.status == 410:
        return "the cluster has changed too much meanwhile; try again"
    return f"the API server refused ({error.status}); try again"


def _fail(words: str) -> ExitStatus:
    sys.stderr.write(f"sundial-operator: {words}\n")
    return ExitStatus.UNKNOWN
