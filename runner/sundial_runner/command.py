"""Would a dotted path run? `python -m sundial_runner check PATH` resolves it without a call."""

from __future__ import annotations

import functools
import inspect
import os
import sys

from sundial_runner import endings
from sundial_runner.call import explain_generator
from sundial_runner.endings import NotRunnable
from sundial_runner.judgement import judge
from sundial_runner.resolve import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

USAGE_CODE = 2


def run_command(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name, and return its exit code."""
    if len(arguments) != 2 or arguments[0] != "check":
        print("usage: python -m sundial_runner check package.module.function", file=sys.stderr)
        return USAGE_CODE
    return check(arguments[1])


def check(path: str) -> int:
    """Print what a path names, or why it cannot be run; return 0 or `NOT_RUNNABLE`."""
    sys.path.insert(0, os.getcwd())
    try:
        function = resolve(path)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise NotRunnable(explain_generator(path))
    except BaseException as error:  # noqa: BLE001 - whatever a module raises is why it cannot be imported
        outcome = judge(error)
        print(f"{outcome.traceback}error: {outcome.error}", file=sys.stderr)
        return endings.NOT_RUNNABLE
    print(f"{path}\n  {_describe(function)}\n  in {_find_file(function)}")
    return endings.SUCCEEDED


def _describe(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    try:
        signature = str(inspect.signature(function))
    except (TypeError, ValueError):  # a builtin may have none
        signature = "(...)"
    return f"{_name_kind(function)} {name}{signature}"


def _name_kind(function: Callable[..., Any]) -> str:
    if inspect.iscoroutinefunction(function):
        return "async function"
    if isinstance(function, type):
        return "class"
    is_plain = inspect.isroutine(function)
    return "function" if is_plain else f"object of type {type(function).__name__}"


def _find_file(function: Callable[..., Any]) -> str:
    plain = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    has_source = inspect.isroutine(plain) or isinstance(plain, type)
    try:
        return inspect.getsourcefile(plain if has_source else type(plain)) or "?"
    except TypeError:  # a builtin has none
        return "?"
