"""How is a function called? With its arguments by name; an awaitable on an event loop of its own."""

from __future__ import annotations

import types

from sundial_runner.endings import NotRunnable, Stopped
from sundial_runner.resolve import resolve
from sundial_runner.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

ITERABLE_COROUTINE = 0x100
"""The flag of a generator to await: `@types.coroutine`, and `@asyncio.coroutine` before Python 3.11."""


def call_function(path: str, args: dict[str, Any]) -> Any:
    """Call what a path names, and wait for it; raises NotRunnable and whatever the function raises."""
    function = resolve(path)
    try:
        value = function(**args)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise
        # No frame below this one: the call failed, not something in the function.
        raise NotRunnable(f"{path}: the arguments do not fit: {error}") from None
    if _is_generator(value):
        raise NotRunnable(explain_generator(path))
    if hasattr(type(value), "__await__") or isinstance(value, types.GeneratorType):
        import asyncio

        # The loop did not exist while the function was called: functions that make their own loop work.
        return asyncio.run(_finish(value))
    return value


def explain_generator(path: str) -> str:
    """Say why a generator is refused."""
    return f"{path} is a generator: calling it runs nothing; name a function that does the work and returns"


def _is_generator(value: object) -> bool:
    if isinstance(value, types.GeneratorType):
        return not value.gi_code.co_flags & ITERABLE_COROUTINE
    return isinstance(value, types.AsyncGeneratorType)


async def _finish(awaitable: Awaitable[Any]) -> Any:
    """Await, and cancel at SIGTERM; raises Stopped once what is awaited has ended by that."""
    import asyncio

    task, stops = asyncio.current_task(), []

    def stop() -> None:
        stops.append(signal.SIGTERM)
        if task is not None:
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await awaitable
    except asyncio.CancelledError:
        if stops:
            raise Stopped from None
        raise
