"""`sundial-import`: moves an installation of the original scheduler here; says what it would do first."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from sundial_api.database_errors import describe_trouble
from sundial_api.db.engine import UnusableUrl
from sundial_api.settings import DatabaseSettings
from sundial_clock.errors import ScheduleError
from sundial_clock.zones import load_zone
from sundial_core.resources.messages import redact
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import LoginError
from sundial_kube.settings_help import describe_settings, explain_unusable

try:
    from rich.console import Console

    from sundial_api.importing import report, run
    from sundial_api.importing.progress import Progress
except ImportError as missing:
    sys.exit(f"sundial-import: {missing}; install it with its extra: pip install 'sundial[import]'")

from sundial_api.importing.cluster import ApplyChoice
from sundial_api.importing.original.repository import NotTheOriginal, open_original
from sundial_api.importing.planning.templates import SAMPLE, UnusableTemplates, read_templates
from sundial_api.importing.settings import ImportSettings, parse_original_url

DEFAULT_ZONE = "Africa/Cairo"
INSTANTS = 20
MAX_INSTANTS = 1000
LEFT_OUT = 3
STATUS = """
exit status: 0 all is imported, 3 something is left out or odd, and named, 1 it could not be done,
2 an option is wrong, 130 interrupted: what was written stays, and the next run goes on from there"""
SETTINGS = ("database_url", "history_days", "history_runs")


def build_parser() -> argparse.ArgumentParser:
    """Build the command's options."""
    parser = argparse.ArgumentParser(
        prog="sundial-import",
        description="Read the tables of the original scheduler, and say what would become of its functions,"
        " jobs and history here; with --apply it is done. The login to the cluster is that of kubectl.",
        epilog=describe_settings(ImportSettings, DatabaseSettings, only=SETTINGS) + STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--templates", metavar="FILE", type=Path, help="what the tables do not say, as YAML")
    parser.add_argument("--print-templates", action="store_true", help="print a sample of that file, and end")
    parser.add_argument("--apply", action="store_true", help="write; jobs arrive suspended")
    parser.add_argument(
        "--enable",
        action="store_true",
        help="switch on the jobs that the original ran, once its scheduler is stopped",
    )
    parser.add_argument("--without-history", action="store_true", help="leave the executions out")
    parser.add_argument(
        "--time-zone",
        metavar="NAME",
        type=_parse_zone,
        default=DEFAULT_ZONE,
        help=f"the zone of its schedules, and of its times without an offset (default: {DEFAULT_ZONE})",
    )
    parser.add_argument(
        "--instants",
        metavar="N",
        type=_parse_instants,
        default=INSTANTS,
        help=f"how many of the next instants of each job to compare (default: {INSTANTS})",
    )
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text", help="people or programs")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = build_parser().parse_args(arguments)
    if options.print_templates:
        print(SAMPLE, end="")
        return 0
    try:
        found = asyncio.run(_run(options))
    except ValidationError as error:
        kind = ImportSettings if error.title == ImportSettings.__name__ else DatabaseSettings
        return _fail(explain_unusable(kind, error))
    except (run.ImportRefused, NotTheOriginal, UnusableTemplates, UnusableUrl, LoginError) as error:
        return _fail(str(error))
    except psycopg.Error as error:
        return _fail(f"the original's database: {describe_original(error)}")
    except DBAPIError as error:
        return _fail(
            f"Sundial's database: {describe_trouble(error) or 'the connection was lost'}; run it again"
        )
    except ExceptionGroup as group:
        return _fail(_describe_group(group))
    except (ApiError, ApiUnreachable) as error:
        return _fail(f"the API server: {error}")
    _print(options, found)
    return 0 if found.is_whole else LEFT_OUT


async def _run(options: argparse.Namespace) -> run.ImportReport:
    wanted = run.ImportOptions(
        templates=read_templates(options.templates) if options.templates is not None else None,
        choice=ApplyChoice(options.apply, options.enable),
        zone=options.time_zone,
        instants=options.instants,
        has_history=not options.without_history,
        now=datetime.now(UTC),
    )
    run.check_options(wanted)
    url = parse_original_url(ImportSettings().database_url.get_secret_value())
    async with open_original(url) as original:
        return await run.run_import(original, wanted, Progress())


def _print(options: argparse.Namespace, found: run.ImportReport) -> None:
    if options.output == "json":
        sys.stdout.buffer.write(
            orjson.dumps(report.build_document(found), option=orjson.OPT_INDENT_2) + b"\n"
        )
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=report.PLAIN_WIDTH)
    report.print_report(found, console)


def describe_original(error: psycopg.Error) -> str:
    """Say in a line what the original's server said, without passwords."""
    lines = redact(str(error)).splitlines()
    return lines[0] if lines else type(error).__name__


def _describe_group(group: ExceptionGroup[Exception]) -> str:
    first = group.exceptions[0]
    if isinstance(first, ApiError | ApiUnreachable):
        return f"the API server: {first}; what is applied stays, run it again"
    raise group


def _fail(message: str) -> int:
    print(f"sundial-import: {report.clean(message)}", file=sys.stderr)
    return 1


def _parse_zone(name: str) -> ZoneInfo:
    try:
        return load_zone(name)
    except ScheduleError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parse_instants(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_INSTANTS:
        return int(text)
    raise argparse.ArgumentTypeError(f"write a number from 1 to {MAX_INSTANTS}")
