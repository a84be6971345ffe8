"""How does a test or a start-up wait for a condition? By asking until it holds, never by a fixed sleep."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""How long something is waited for that comes in seconds on a quiet machine: only failures take so long."""


def until(condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, every: float = 0.05) -> T:
    """Return the first truthy value of the condition; raise TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {timeout} s, last value: {value!r}")
        time.sleep(every)
    return value


async def until_async(
    condition: Callable[[], T | Awaitable[T]], timeout: float = PATIENCE_SECONDS, every: float = 0.05
) -> T:
    """Do the same without blocking the event loop; the condition may be a coroutine function."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not (value := await _value(condition)):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not so within {timeout} s, last value: {value!r}")
        await asyncio.sleep(every)
    return value


async def _value(condition: Callable[[], T | Awaitable[T]]) -> T:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
