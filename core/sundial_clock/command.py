"""`python -m sundial_clock slots`: which slots a schedule has, for a person, a program or line by line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from sundial_clock.answers import (
    answer_json,
    answer_line,
    answer_text,
    describe_error,
)
from sundial_clock.errors import ScheduleError, quoted
from sundial_clock.query import DEFAULT_COUNT, DEFAULT_NAME, MAX_COUNT
from sundial_clock.sentences import Language, say

_EPILOG = """\
examples:
  slots --cron "0 9 * * 1-5" --zone Africa/Cairo --after 2026-01-01T00:00:00Z --count 5
  slots --fields '{"hour": "9", "dayOfWeek": "mon-fri"}' --zone Europe/Berlin
  slots --interval '{"minutes": 90}' --anchor 2026-01-01T00:00:00Z -o json
  echo '{"cron": "@daily", "count": 2}' | python -m sundial_clock slots --stdin

With --stdin each line is a JSON object with the keys cron, fields, interval, anchor, at, zone, after, count,
dst, name, startsAt, endsAt and language, and is answered at once with one line: {"slots": [...]} or
{"error": "..."}. Other keys are ignored; null means absent. An instant is RFC 3339 with any offset.
A slot more than ten years after the one before it is not looked for."""

_INSTANT_OPTIONS = {
    "--anchor": "first slot of the interval (default: --after, and the first slot is one period later)",
    "--at": "a single slot",
    "--after": "only slots strictly after this instant (default: now)",
    "--starts-at": "no slot before this instant",
    "--ends-at": "no slot after this instant",
}


def build_parser() -> argparse.ArgumentParser:
    """Build the command's options."""
    parser = argparse.ArgumentParser(prog="python -m sundial_clock", description="The clock of Sundial.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    slots = commands.add_parser(
        "slots",
        help="print the next slots of a schedule",
        description="Print a schedule in words, and its next slots with their offsets.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    slots.add_argument("--cron", metavar="TEXT", help="5 to 7 cron fields, or @daily and the like")
    slots.add_argument("--fields", metavar="JSON", help="APScheduler's cron fields; Monday is 0")
    slots.add_argument("--interval", metavar="JSON", help="weeks, days, hours, minutes and seconds")
    for option, text in _INSTANT_OPTIONS.items():
        slots.add_argument(option, metavar="INSTANT", help=text)
    slots.add_argument("--zone", metavar="NAME", help="IANA time zone (default: UTC)")
    slots.add_argument(
        "--count", metavar="N", type=_parse_count, help=f"1 to {MAX_COUNT} (default: {DEFAULT_COUNT})"
    )
    slots.add_argument("--dst", metavar="POLICY", help="once (default) or literal: what a clock change does")
    slots.add_argument("--name", metavar="NAMESPACE/NAME", help=f"what H hashes (default: {DEFAULT_NAME})")
    slots.add_argument("--language", choices=[*Language], default="en", help="of words and errors")
    slots.add_argument(
        "-o", "--output", choices=["text", "json"], default="text", help="for people or for programs"
    )
    slots.add_argument("--stdin", action="store_true", help="answer JSON lines from standard input")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 is success, 2 a mistake of the user's."""
    options = build_parser().parse_args(arguments)
    try:
        return _answer_stdin() if options.stdin else _answer_options(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from complaining about it while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _answer_options(options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    keys: dict[str, Any] = {"language": options.language}
    try:
        keys = _parse_options(options)
        answer = answer_json(keys, now) if options.output == "json" else answer_text(keys, now)
    except ScheduleError as error:
        print(f"error: {describe_error(error, keys)}", file=sys.stderr)
        return 2
    print(answer, flush=True)
    return 0


def _answer_stdin() -> int:
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(answer_line(line, datetime.now(UTC)) + b"\n")
        sys.stdout.buffer.flush()
    return 0


def _parse_options(options: argparse.Namespace) -> dict[str, Any]:
    keys = {**vars(options), "startsAt": options.starts_at, "endsAt": options.ends_at}
    for unused in ("command", "stdin", "output", "starts_at", "ends_at"):
        del keys[unused]
    for key in ("fields", "interval"):
        keys[key] = _parse_json(key, keys[key])
    return keys


def _parse_json(key: str, text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ScheduleError(
            key,
            say(
                "{value} is not JSON; write an object such as {example}.", value=quoted(text), example="{...}"
            ),
        ) from None


def _parse_count(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
